/**
 * Sharded data parallelism: data parallelism whose ranks do not all keep the same states, but each a part of them: the
 * optimizer's (ZeRO 1), gradients too (2), parameters too (3, FSDP). (Book, chapter 9: memory of large models.)
 */

import { setGradientSink } from "../../autodiff/gradient-sink.js";
import { isRecording, variableHost } from "../../autodiff/tape-mode.js";
import { Variable } from "../../autodiff/variable.js";
import { type DType, isFloat } from "../../core/dtype.js";
import { MlsysError, TransformError, ValueError } from "../../core/errors.js";
import { formatShape, sameShape } from "../../core/shape.js";
import { Tensor } from "../../core/tensor.js";
import { leaves, type TreeNode, treeFlatten, map as treeMap } from "../../core/tree.js";
import { Module } from "../../nn/module.js";
import { broadcastVariables, checkSameModel } from "../data-parallel/ddp.js";
import { byDType } from "../data-parallel/flat.js";
import type { ProcessGroup } from "../group/process-group.js";
import { FlatParameter, type ZeroStage } from "./flat-parameter.js";
import { globalNormOf, scaleGradients } from "./norm.js";
import { planUnits, replaceVariables, type UnitPlan, type WrapPolicy, wrapLists } from "./units.js";

export interface ShardedOptions {
  readonly group: ProcessGroup;
  /** What is sharded: 1 the optimizer's state, 2 gradients too, 3 parameters too. Default 3. */
  readonly stage?: ZeroStage;
  /** Which modules are units: gathered before their forward and backward, and given back behind. Default `wrapLists`. */
  readonly wrap?: WrapPolicy;
  /** Dtype in which the model computes and communicates; the optimizer works on parts in the parameters' own. */
  readonly mixedPrecision?: "bfloat16" | "float16";
  /** The next unit is gathered while one computes. Default true. */
  readonly prefetch?: boolean;
}

/**
 * A module that is trained on several ranks, of which each keeps a part of the model's states. Its leaves are the ranks'
 * parts: make the optimizer of it, and take gradients with `backward()` (not `valueAndGrad`, which differentiates what it is
 * given: parts). Optimizers whose rule looks at a parameter as a whole (LAMB) do not fit parts.
 *
 * Every rank makes it at the same point of its program, with the same model, and does the same steps.
 * @example
 * const train = (group: distributed.ProcessGroup) => {
 *   const model = new distributed.FullyShardedDataParallel(new nn.Dense(2, 1), { group });
 *   const optimizer = new optim.Adam(model, { lr: 0.1 });
 *   model.forward(ones([4, 2])).square().mean().backward();
 *   optimizer.step();
 *   return model.parameters().map((part) => part.size);
 * };
 * // await distributed.launch(2, train) gives [2] on both: 3 parameters, filled up
 * @throws TransportError if the ranks' models differ; ValueError if there is nothing to train.
 */
export class FullyShardedDataParallel<M extends Module> extends Module implements TreeNode {
  /** This rank's parts, by unit and dtype. */
  readonly shards: Readonly<Record<string, Variable>>;
  private readonly sharded: Sharded;

  constructor(
    readonly module: M,
    options: ShardedOptions,
  ) {
    super();
    this.sharded = new Sharded(module, options);
    this.shards = Object.fromEntries(this.sharded.flats.map((flat) => [flat.shard.name, flat.shard]));
  }

  override [treeFlatten](): ReturnType<TreeNode[typeof treeFlatten]> {
    return {
      children: { shards: this.shards },
      rebuild: (replaced) =>
        Object.assign(Object.create(Object.getPrototypeOf(this) as object), this, replaced) as Module,
    };
  }

  override forward(...inputs: Parameters<M["forward"]>): ReturnType<M["forward"]> {
    if (variableHost() !== null || Object.values(this.shards).some((x) => !(x instanceof Variable)))
      throw new TransformError(
        "FullyShardedDataParallel: weights come and go during the pass, so it can't be captured or transformed; run it eagerly, and take gradients with loss.backward()",
      );
    const { compute } = this.sharded;
    if (!compute) return this.module.forward(...inputs) as ReturnType<M["forward"]>;
    const given = treeMap((x) => (isFloat(x.dtype) ? x.cast(compute) : x), inputs as unknown[]);
    const output = this.module.forward(...(given as never[]));
    return treeMap((x) => (x.dtype === compute ? x.cast(this.sharded.master) : x), output) as ReturnType<
      M["forward"]
    >;
  }

  get group(): ProcessGroup {
    return this.sharded.group;
  }

  get stage(): ZeroStage {
    return this.sharded.stage;
  }

  /** The flat parameters: what checkpoints write. */
  get flatParameters(): readonly FlatParameter[] {
    return this.sharded.flats;
  }

  /** Variables that are not sharded: those that no gradient trains. By path in the module. */
  get buffers(): readonly (readonly [string, Variable])[] {
    return this.module.namedVariables().filter(([, variable]) => !variable.requiresGrad);
  }

  /**
   * Scales the gradients down to length `limit`, if all ranks' parts taken together are longer.
   * @returns the length before
   * @throws ValueError if the limit is not above 0.
   */
  clipGradNorm(limit: number): number {
    if (!(limit > 0)) throw new ValueError(`clipGradNorm: the limit is above 0, got ${limit}`);
    const parts = Object.values(this.shards);
    const norm = globalNormOf(parts, this.group);
    scaleGradients(parts, Math.min(1, limit / (norm + 1e-6)));
    return norm;
  }

  /** All values by their path in the module, whole, on every rank. All ranks call it. */
  override stateDict(): Map<string, Tensor> {
    const out = new Map<string, Tensor>();
    for (const flat of this.sharded.flats)
      for (const [name, value] of flat.wholeOf(flat.shard.value)) out.set(name, value);
    for (const [name, variable] of this.buffers) out.set(name, variable.value.add(0));
    const order = this.module.namedVariables().map(([name]) => name);
    return new Map(order.map((name) => [name, out.get(name) as Tensor]));
  }

  /**
   * Assigns whole values by their path in the module: each rank takes its part.
   * @throws MlsysError that lists what is missing, unknown or misshapen; nothing is assigned then.
   */
  override loadStateDict(state: ReadonlyMap<string, Tensor>): void {
    const wanted = this.module.namedVariables();
    const problems = wanted.flatMap(([name, variable]) => {
      const value = state.get(name);
      if (!value) return [`${name} is missing`];
      if (sameShape(value.shape, variable.shape)) return [];
      return [`${name} has shape ${formatShape(value.shape)}, the model's is ${formatShape(variable.shape)}`];
    });
    const known = new Set(wanted.map(([name]) => name));
    for (const name of state.keys()) if (!known.has(name)) problems.push(`${name} is not in the model`);
    if (problems.length > 0) throw new MlsysError(`loadStateDict: ${problems.slice(0, 8).join("; ")}`);
    for (const flat of this.sharded.flats) {
      const part = flat.partFrom(flat.names.map((name) => state.get(name) as Tensor));
      flat.shard.assign(part);
      part.dispose();
    }
    for (const [name, variable] of this.buffers)
      variable.assign((state.get(name) as Tensor).cast(variable.dtype));
  }
}

/** A unit with its parameters, by dtype. */
interface Unit {
  readonly plan: UnitPlan;
  readonly flats: readonly FlatParameter[];
}

/** What all copies of the module that transformations make have in common. */
class Sharded {
  readonly group: ProcessGroup;
  readonly stage: ZeroStage;
  readonly compute: DType | null;
  readonly master: DType;
  readonly flats: readonly FlatParameter[];
  private readonly units: readonly Unit[];
  private readonly prefetch: boolean;
  /** Units in the order in which the forward pass runs them: of the pass before, and of this one. */
  private before: Unit[] = [];
  private order: Unit[] = [];

  constructor(module: Module, options: ShardedOptions) {
    const { group, stage = 3, wrap = wrapLists, mixedPrecision, prefetch = true } = options;
    if (stage !== 1 && stage !== 2 && stage !== 3)
      throw new ValueError(`FullyShardedDataParallel: the stage is 1, 2 or 3, got ${stage}`);
    this.group = group;
    this.stage = stage;
    this.compute = mixedPrecision ?? null;
    this.prefetch = prefetch;
    const parameters = module.parameters();
    if (parameters.length === 0)
      throw new ValueError("FullyShardedDataParallel: the module has no variable that requires a gradient");
    this.master = parameters[0].dtype;
    checkSameModel(module.namedVariables(), group);
    broadcastVariables(
      module.namedVariables().map(([, variable]) => variable),
      group,
    );
    const masters = mixedPrecision ? lowered(module, mixedPrecision) : null;
    this.units = planUnits(module, wrap).map((plan) => ({ plan, flats: this.flatten(plan, masters) }));
    for (const master of masters?.values() ?? []) master.dispose();
    this.flats = this.units.flatMap(({ flats }) => flats);
    for (const unit of this.units) this.hook(unit);
  }

  private flatten(
    { path, parameters }: UnitPlan,
    masters: ReadonlyMap<Variable, Variable> | null,
  ): FlatParameter[] {
    const names = new Map(parameters.map(([name, variable]) => [variable, name]));
    const groups = [...byDType(parameters.map(([, variable]) => variable))];
    return groups.map(([dtype, list]) => {
      const flat = new FlatParameter(
        list.map((variable) => names.get(variable) as string),
        list,
        list.map((variable) => (masters?.get(variable) ?? variable).value),
        this.group,
        this.stage,
        `${path || "root"}${groups.length > 1 ? `.${dtype}` : ""}`,
      );
      for (const variable of list) setGradientSink(variable, flat);
      return flat;
    });
  }

  private hook(unit: Unit): void {
    const { module, path } = unit.plan;
    const root = path === "";
    module.registerForwardPreHook(() => {
      if (root) {
        this.before = this.order;
        this.order = [];
      }
      this.order.push(unit);
      need(unit);
      if (this.prefetch) gather(this.before[this.before.indexOf(unit) + 1]);
    });
    module.registerForwardHook(
      (_module, _inputs, output) => {
        const goesOn = isRecording() && output !== undefined;
        if (goesOn)
          for (const y of tensorsIn(output))
            if (y.requiresGrad)
              y.onGrad(() => {
                this.beforeBackward(unit);
                return undefined;
              });
        if (!root || !goesOn) release(unit); // the backward pass begins with the root's
      },
      { alwaysCall: true },
    );
  }

  private beforeBackward(unit: Unit): void {
    need(unit);
    if (this.prefetch) gather(this.order[this.order.indexOf(unit) - 1]);
  }
}

function need({ flats }: Unit): void {
  for (const flat of flats) flat.gather();
  for (const flat of flats) flat.need();
}

function gather(unit: Unit | undefined): void {
  for (const flat of unit?.flats ?? []) flat.gather();
}

function release({ flats }: Unit): void {
  for (const flat of flats) flat.release();
}

const tensorsIn = (output: unknown): Tensor[] => (output instanceof Tensor ? [output] : leaves(output));

/** Puts variables of another dtype into the module. @returns those that were there, by the new ones */
function lowered(module: Module, dtype: DType): Map<Variable, Variable> {
  const masters = new Map<Variable, Variable>();
  const by = new Map<Variable, Variable>();
  for (const [name, variable] of module.namedParameters()) {
    const value = variable.value.cast(dtype);
    const low = new Variable(value, { name: variable.name || name });
    if (value !== variable.value) value.dispose();
    masters.set(low, variable);
    by.set(variable, low);
  }
  replaceVariables(module, by);
  return masters;
}
