/**
 * Optimizers. The rule is a pure function of parameters, gradients and state, made of ops, so that a whole training
 * step can be captured into a graph; `step` applies it to a model's variables.
 */
import { variableHost } from "../autodiff/tape-mode.js";
import { Variable } from "../autodiff/variable.js";
import { MlsysError, ValueError } from "../core/errors.js";
import { formatType, sameShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { flatten, leaves, pathsOf } from "../core/tree.js";
import { assignState, snapshot } from "../nn/state.js";
import { tensor } from "../ops/convert.js";
import { zerosLike } from "../ops/create.js";
import { where } from "../ops/select.js";
import { tidy } from "../ops/tidy.js";

export interface OptimizerState {
  /** Steps taken, float64. */
  readonly step: Tensor;
  /** Per slot (momentum, second moment …): a tensor per parameter. */
  readonly slots: Readonly<Record<string, readonly Tensor[]>>;
}

/** What a rule gets for one parameter. */
export interface RuleInput {
  readonly parameter: Tensor;
  readonly gradient: Tensor;
  readonly slots: Readonly<Record<string, Tensor>>;
  /** Number of this step, from 1. */
  readonly step: Tensor;
  readonly rate: Tensor;
}

export interface RuleOutput {
  readonly parameter: Tensor;
  readonly slots: Readonly<Record<string, Tensor>>;
}

/** A learning rate, or how it follows from the number of steps taken. */
export type Schedule = number | ((step: number) => number);

export interface OptimizerOptions {
  /** Learning rate. */
  readonly lr: Schedule;
}

const DOUBLE = { dtype: "float64" } as const;

/** A number that changes from step to step, in double precision: a rate of 0.1 is 0.1 for float64 parameters too. */
const counter = (value: number, name: string): Variable =>
  new Variable(tensor(value, DOUBLE), { requiresGrad: false, name });

export abstract class Optimizer {
  private readonly variables: Variable[];
  /** Where each variable stands among the leaves of the target, and by what path. */
  private readonly places: number[];
  private readonly names: string[];
  private readonly leafCount: number;
  /** Number of steps taken and the learning rate of the next one: variables too, so that a captured step has them. */
  private readonly taken = counter(0, "optimizer.step");
  private readonly rate: Variable;
  private slots: Record<string, Variable[]> | null = null;

  /** @param target a module, or any tree of variables; those that require no gradient are left alone. */
  constructor(
    target: unknown,
    protected readonly options: OptimizerOptions,
  ) {
    const { leaves: all, def } = flatten(target);
    const paths = pathsOf(def);
    const places = new Map<Variable, number>(); // of one that stands at several places, the first
    all.forEach((leaf, i) => {
      if (leaf instanceof Variable && leaf.requiresGrad && !places.has(leaf)) places.set(leaf, i);
    });
    this.variables = [...places.keys()];
    this.places = [...places.values()];
    this.names = this.places.map((place) => paths[place]);
    this.leafCount = all.length;
    if (this.variables.length === 0)
      throw new ValueError(`${this.constructor.name}: there is no variable to train`);
    if (typeof options.lr === "number" && !(options.lr > 0))
      throw new ValueError(`${this.constructor.name}: the learning rate must be positive, got ${options.lr}`);
    this.rate = counter(this.rateAt(0), "optimizer.rate");
  }

  /** Names of the tensors that the rule keeps per parameter; they start as zeros. */
  protected abstract readonly slotNames: readonly string[];

  /** One parameter's step, by ops only. */
  protected abstract rule(input: RuleInput): RuleOutput;

  /** The learning rate of the step after `taken` ones. @throws ValueError if a schedule gives none. */
  rateAt(taken: number): number {
    if (typeof this.options.lr === "number") return this.options.lr;
    const rate = this.options.lr(taken);
    if (!(rate >= 0 && rate < Number.POSITIVE_INFINITY))
      throw new ValueError(
        `${this.constructor.name}: the schedule gives the rate ${rate} for step ${taken}; rates are finite and not negative`,
      );
    return rate;
  }

  /** What a rule keeps of a parameter before the first step. */
  protected slotLike(parameter: Tensor): Tensor {
    return zerosLike(parameter);
  }

  /** State before the first step. */
  init(parameters: readonly Tensor[]): OptimizerState {
    return {
      step: tensor(0, DOUBLE),
      slots: Object.fromEntries(
        this.slotNames.map((name) => [name, parameters.map((p) => this.slotLike(p))]),
      ),
    };
  }

  /** The next parameters and state: a pure function of its arguments. */
  update(
    parameters: readonly Tensor[],
    gradients: readonly Tensor[],
    state: OptimizerState,
    rate: Tensor = tensor(this.rateAt(0), DOUBLE),
  ): { parameters: Tensor[]; state: OptimizerState } {
    const step = state.step.add(1);
    const results = parameters.map((parameter, i) => {
      const slots = Object.fromEntries(this.slotNames.map((name) => [name, state.slots[name][i]]));
      return this.rule({
        parameter,
        gradient: gradients[i].cast(parameter.dtype), // those of mixed precision are narrower
        slots,
        step: step.cast(parameter.dtype),
        rate: rate.cast(parameter.dtype),
      });
    });
    const slots = Object.fromEntries(this.slotNames.map((name) => [name, results.map((r) => r.slots[name])]));
    return { parameters: results.map((r) => r.parameter), state: { step, slots } };
  }

  /**
   * Takes a step. Without `gradients`, by what `backward()` left in the variables' `grad` (those without one stay).
   * @param gradients a tree like the target, from `grad` or `valueAndGrad`
   * @param when a bool scalar: where it is false, parameters and state stay as they are, as if no step had been taken
   */
  step(gradients?: unknown, { when }: { readonly when?: Tensor } = {}): void {
    const list = gradients === undefined ? this.variables.map((v) => v.grad) : this.match(gradients);
    const trained = this.variables.map((_, i) => i).filter((i) => list[i] !== null);
    const slots = this.currentSlots();
    const host = variableHost();
    if (host) host.beforeRun(() => this.prepareRate());
    else this.prepareRate();
    tidy(() => {
      const state: OptimizerState = {
        step: this.taken.present,
        slots: Object.fromEntries(
          this.slotNames.map((name) => [name, trained.map((i) => slots[name][i].present)]),
        ),
      };
      const next = this.update(
        trained.map((i) => this.variables[i].present),
        trained.map((i) => list[i] as Tensor),
        state,
        this.rate.present,
      );
      const assign = (variable: Variable, value: Tensor): void =>
        void variable.assign(when ? where(when, value, variable.present) : value);
      trained.forEach((i, k) => {
        assign(this.variables[i], next.parameters[k]);
        for (const name of this.slotNames) assign(slots[name][i], next.state.slots[name][k]);
      });
      assign(this.taken, next.state.step);
    });
  }

  /** What a schedule says of the next step. */
  private prepareRate(): void {
    if (typeof this.options.lr === "function")
      this.rate.assign(tensor(this.rateAt(this.taken.value.item()), DOUBLE));
  }

  private currentSlots(): Record<string, Variable[]> {
    this.slots ??= Object.fromEntries(
      this.slotNames.map((name) => [
        name,
        this.variables.map(
          (v) => new Variable(this.slotLike(v.value), { requiresGrad: false, name: `optimizer.${name}` }),
        ),
      ]),
    );
    return this.slots;
  }

  /** Everything that a later run needs to go on as if there had been no break: steps taken, and the slots by path. */
  stateDict(): Map<string, Tensor> {
    return snapshot(this.stateVariables());
  }

  /** Takes up the state of `stateDict()`. @throws MlsysError that lists what is missing, unknown or misshapen; nothing is assigned then. */
  loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    assignState(this.stateVariables(), state, `${this.constructor.name}.loadStateDict`);
  }

  private stateVariables(): [string, Variable][] {
    const slots = this.currentSlots();
    return [
      ["step", this.taken],
      ...this.slotNames.flatMap((slot) =>
        this.names.map((name, i): [string, Variable] => [`${slot}.${name}`, slots[slot][i]]),
      ),
    ];
  }

  /** The variables that it trains. */
  get parameters(): readonly Variable[] {
    return this.variables;
  }

  /** All variables that `step` assigns: parameters, what the rule keeps for them, the number of steps. */
  get assigned(): readonly Variable[] {
    return [...this.variables, ...this.stateVariables().map(([, variable]) => variable)];
  }

  /** Forgets the gradients that `backward()` left. */
  zeroGrad(): void {
    for (const v of this.variables) v.zeroGrad();
  }

  /** Gradients in the order of the variables: at their places in a tree like the target, or one for each of them. */
  private match(gradients: unknown): Tensor[] {
    const found = leaves(gradients);
    const wanted = this.variables;
    const matching = found.length === this.leafCount ? this.places.map((place) => found[place]) : [...found];
    if (matching.length !== wanted.length || matching.some((g, i) => !sameShape(g.shape, wanted[i].shape))) {
      throw new MlsysError(
        `step: the gradients [${found.map(formatType).join(", ")}] do not match the variables [${wanted.map(formatType).join(", ")}]`,
      );
    }
    return matching;
  }
}
