/**
 * Pipeline parallelism: a model in stages on different members, a batch in micro-batches that pass through them in the
 * order of a schedule. Gradients are those of the whole batch. (Book, chapter 9; Huang et al. 2019, Narayanan et al. 2021.)
 */
import { noGrad } from "../../autodiff/tape-mode.js";
import { Variable } from "../../autodiff/variable.js";
import { isFloat } from "../../core/dtype.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape } from "../../core/shape.js";
import { Tensor } from "../../core/tensor.js";
import type { CausalLM } from "../../nn/causal-lm.js";
import { Module } from "../../nn/module.js";
import { zerosLike } from "../../ops/create.js";
import { type KeyWords, rememberKeys, repeatKeys } from "../../ops/key-log.js";
import { concat } from "../../ops/shape.js";
import { tidy } from "../../ops/tidy.js";
import type { Expected, ProcessGroup } from "../group/process-group.js";
import { unionOfStates } from "../mesh/states.js";
import { ParallelCausalLM } from "../tensor-parallel/causal-lm.js";
import { loadParts, wholeOf } from "../tensor-parallel/cuts.js";
import { along, type Part, partOf } from "../tensor-parallel/parts.js";
import { type LayeredModel, layersOf, Stage } from "./layers.js";
import { type KnownTypes, Links } from "./links.js";
import { balancedStages, parameterCosts } from "./partition.js";
import { pipelineSchedule } from "./schedules/index.js";
import { type Action, forward, type Schedule, upTo } from "./schedules/schedule.js";
import { Ties } from "./ties.js";
import type { TimedAction } from "./timing.js";

export interface PipelineOptions {
  /** Parts that each batch is cut into along axis 0. The more, the less members wait for each other. */
  readonly microBatches: number;
  /** A scalar: the mean over the examples of a micro-batch. */
  readonly loss: (output: Tensor, target: Tensor) => Tensor;
  /** Default "1f1b". */
  readonly schedule?: string;
  /** Stages of each member. Default 1. */
  readonly chunks?: number;
  /**
   * Keeps what goes into a stage only, and runs the stage again when it goes back, with the same random numbers: memory
   * for time. Default false.
   */
  readonly recompute?: boolean;
  /** What to share out evenly: numbers of parameters (default), of layers, or a cost for each layer. */
  readonly balance?: "parameters" | "layers" | readonly number[];
}

/** A micro-batch between forward and backward of a stage. */
interface Live {
  readonly input: Tensor;
  /** `null` where it is computed again. */
  readonly output: Tensor | null;
  readonly keys: readonly KeyWords[];
}

/** The rows of one micro-batch, and its targets on the last stage. */
interface MicroBatch {
  readonly rows: Part;
  readonly input: Tensor | null;
  readonly target: Tensor | null;
}

/** Receives that are posted ahead of their action. */
const AHEAD = 2;

/**
 * A member's stages of a model, and how to train them together with the other members'. Its variables are those of the
 * own stages: give it to an optimizer.
 */
export class Pipeline extends Module {
  readonly stages: readonly Stage[];
  readonly schedule: Schedule;
  /** Number of layers in each stage of all members. */
  readonly layersPerStage: readonly number[];
  /** What this member did in the last `forwardBackward`, in milliseconds from its start; waiting not included. */
  lastRun: readonly TimedAction[] = [];
  private readonly ties: Ties;
  private readonly types: KnownTypes = new Map();

  /** @throws ValueError for a schedule that does not fit, or fewer layers than stages */
  constructor(
    model: LayeredModel,
    readonly group: ProcessGroup,
    private readonly options: PipelineOptions,
  ) {
    super();
    const { microBatches, schedule = "1f1b", chunks = 1, balance = "parameters" } = options;
    this.schedule = pipelineSchedule(schedule, { ranks: group.size, microBatches, chunks });
    const layers = layersOf(model);
    const costs =
      balance === "parameters" ? parameterCosts(model) : balance === "layers" ? layers.map(() => 1) : balance;
    if (costs.length !== layers.length)
      throw new ValueError(
        `pipeline: a cost for each of ${layers.length} layers wanted, got ${costs.length}`,
      );
    this.layersPerStage = balancedStages(costs, this.stageCount);
    const starts = this.layersPerStage.map((_, i) =>
      this.layersPerStage.slice(0, i).reduce((sum, n) => sum + n, 0),
    );
    this.stages = upTo(chunks).map((chunk) => {
      const number = chunk * group.size + group.rank;
      return new Stage(number, layers.slice(starts[number], starts[number] + this.layersPerStage[number]));
    });
    this.ties = new Ties(group, this.wholePaths());
  }

  private get stageCount(): number {
    return this.group.size * this.schedule.chunks;
  }

  /** Variables of the own stages by their path in the whole model. */
  wholePaths(): Map<string, Variable> {
    return new Map(this.stages.flatMap((stage) => [...stage.wholePaths()]));
  }

  /** The own trainable variables, but for those that an earlier member has too: what a sum over all members counts. */
  counted(): Variable[] {
    return this.parameters().filter((variable) => !this.ties.repeated.has(variable));
  }

  /**
   * All micro-batches forward and back: adds the gradients of the batch's mean loss to the variables' `grad`, as
   * `loss.backward()` does. All members call it.
   * @param inputs (n, …); on members without the first stage shape and dtype are enough
   * @param targets (n, …), for the last stage; elsewhere it is not read
   * @returns the mean loss, on all members
   * @throws ShapeError for fewer examples than micro-batches
   */
  forwardBackward(inputs: Tensor | Expected, targets?: Tensor | null): number {
    const batch = this.cut(inputs, targets ?? null);
    const links = this.links(inputs, batch);
    const live = new Map<string, Live>();
    const run: TimedAction[] = [];
    const actions = this.schedule.actions[this.group.rank];
    this.ties.begin();
    const zero = performance.now();
    let loss = 0;
    for (const [i, action] of actions.entries()) {
      for (const next of actions.slice(i, i + 1 + AHEAD)) links.ask(next);
      const came = links.take(action);
      const start = performance.now() - zero;
      if (action.phase === "forward") loss += this.runForward(action, came, batch, live, links);
      else this.runBackward(action, came, batch, live, links);
      run.push({ ...action, rank: this.group.rank, start, end: performance.now() - zero });
    }
    links.finish();
    this.ties.reduce();
    this.lastRun = run;
    return this.group.broadcastObject(loss, this.group.size - 1).wait();
  }

  /**
   * All micro-batches forward, for evaluation: nothing is kept for gradients.
   * @param inputs (n, …); on members without the first stage shape and dtype are enough
   * @returns the model's output on the last member, `null` elsewhere
   */
  override forward(inputs: Tensor | Expected): Tensor | null {
    const batch = this.cut(inputs, null);
    const links = this.links(inputs, batch);
    const outputs: Tensor[] = [];
    noGrad(() => {
      for (const stage of this.stages)
        for (const [m, micro] of batch.entries()) {
          const action = forward(stage.number, m);
          const x = links.take(action) ?? needed(micro.input);
          const y = tidy(() => stage.forward(x));
          links.give(action, y);
          if (stage.number === this.stageCount - 1) outputs.push(y);
          else y.dispose();
        }
    });
    links.finish();
    return outputs.length > 0 ? concat(outputs) : null;
  }

  /** The whole model's state, by the paths of the model that was cut, on all members. All of them call it. */
  wholeState(): Map<string, Tensor> {
    const own = [...this.wholePaths()].map(([path, variable]) => [path, wholeOf(variable)] as const);
    return unionOfStates(this.group, new Map(own));
  }

  /**
   * Assigns the own stages' part of a whole model's state.
   * @throws MlsysError that lists what is missing or misshapen; nothing is assigned then
   */
  loadWholeState(state: ReadonlyMap<string, Tensor>): void {
    loadParts(this.wholePaths(), state, "Pipeline.loadWholeState");
  }

  private runForward(
    action: Action,
    came: Tensor | null,
    batch: readonly MicroBatch[],
    live: Map<string, Live>,
    links: Links,
  ): number {
    const { recompute = false } = this.options;
    const input = came === null ? needed(batch[action.microBatch].input) : leaf(came);
    const run = (): Tensor => tidy(() => this.through(action, input, batch));
    const { value: output, keys } = recompute ? rememberKeys(() => noGrad(run)) : { value: run(), keys: [] };
    live.set(placeOf(action), { input, output: recompute ? null : output, keys });
    const last = action.stage === this.stageCount - 1;
    const loss = last ? Number(output.item()) : 0;
    if (!last) links.give(action, output);
    if (recompute) output.dispose();
    return loss;
  }

  private runBackward(
    action: Action,
    came: Tensor | null,
    batch: readonly MicroBatch[],
    live: Map<string, Live>,
    links: Links,
  ): void {
    const place = placeOf(action);
    const { input, output, keys } = live.get(place) as Live;
    live.delete(place);
    const y =
      output ??
      kept(this.stageOf(action), () =>
        repeatKeys(keys, () => tidy(() => this.through(action, input, batch))),
      );
    if (y.requiresGrad) y.backward(came ?? undefined);
    came?.dispose();
    y.dispose();
    if (!(input instanceof Variable)) return;
    const gradient = input.grad ?? zerosLike(input.value);
    links.give(action, gradient);
    gradient.dispose();
    input.dispose();
  }

  /** A micro-batch through a stage; behind the last one its share of the loss. */
  private through(action: Action, x: Tensor, batch: readonly MicroBatch[]): Tensor {
    const y = this.stageOf(action).forward(x);
    if (action.stage < this.stageCount - 1) return y;
    const { rows, target } = batch[action.microBatch];
    if (!target) throw new ValueError("pipeline: the member with the last stage needs the targets");
    const all = batch.reduce((sum, micro) => sum + micro.rows.length, 0);
    const loss = this.options.loss(y, target);
    if (loss.size !== 1)
      throw new ShapeError(`pipeline: the loss is a scalar, got ${formatShape(loss.shape)}; take its mean`);
    return loss.mul(rows.length / all);
  }

  private stageOf({ stage }: Action): Stage {
    return this.stages[Math.floor(stage / this.group.size)];
  }

  private cut(inputs: Tensor | Expected, targets: Tensor | null): MicroBatch[] {
    const { microBatches } = this.schedule;
    const [n] = inputs.shape;
    if (inputs.shape.length === 0 || n < microBatches)
      throw new ShapeError(
        `pipeline: at least ${microBatches} examples wanted for ${microBatches} micro-batches, got ${formatShape(inputs.shape)}`,
      );
    return upTo(microBatches).map((m) => {
      const rows = partOf(n, m, microBatches);
      const of = (x: Tensor): Tensor => along(x, 0, rows);
      return { rows, input: inputs instanceof Tensor ? of(inputs) : null, target: targets && of(targets) };
    });
  }

  private links({ shape, dtype }: Expected, batch: readonly MicroBatch[]): Links {
    const rest = `${dtype}(${shape.slice(1)})`;
    return new Links(this.group, this.stageCount, this.types, (m) => `${batch[m].rows.length} × ${rest}`);
  }
}

const placeOf = ({ stage, microBatch }: Action): string => `${stage} ${microBatch}`;

function needed(input: Tensor | null): Tensor {
  if (input) return input;
  throw new ValueError("pipeline: the member with the first stage needs the inputs themselves");
}

/** What came from another stage, as a leaf of this one's tape. */
function leaf(came: Tensor): Tensor {
  if (!isFloat(came.dtype)) return came;
  const input = new Variable(came);
  came.dispose();
  return input;
}

/** Runs a stage a second time; what it counts (running statistics) stays as the first run left it. */
function kept<T>(stage: Stage, run: () => T): T {
  const counted = [...stage.wholePaths().values()].filter((variable) => !variable.requiresGrad);
  const before = counted.map((variable) => variable.value.retained());
  const value = run();
  for (const [i, variable] of counted.entries()) {
    variable.assign(before[i]);
    before[i].dispose();
  }
  return value;
}

/**
 * A model cut into stages, of which this member holds its own. All members call it, with the same model (from the same
 * seed, or loaded); layers of other members' stages can be collected afterwards.
 * @param model `nn.Sequential`, a list of layers, `causalLayers(…)` of a language model
 * @example
 * await distributed.launch(2, (group) => {
 *   manualSeed(1);
 *   const model = new nn.Sequential(new nn.Dense(4, 8), new nn.Tanh(), new nn.Dense(8, 8), new nn.Tanh());
 *   const pipe = distributed.pipeline(model, group, { microBatches: 4, loss: (y, t) => nn.mse(y, t) });
 *   const optimizer = new optim.SGD(pipe, { lr: 0.1 });
 *   const loss = pipe.forwardBackward(ones([8, 4]), zeros([8, 8]));
 *   optimizer.step();
 *   return [pipe.layersPerStage, loss > 0];
 * }) // [[[2, 2], true], [[2, 2], true]]
 */
export function pipeline(model: LayeredModel, group: ProcessGroup, options: PipelineOptions): Pipeline {
  return new Pipeline(model, group, options);
}

/**
 * A language model as a row of layers for `pipeline`; entry and head share the tokens' embedding. All members of the
 * group call it. For one that is cut within layers too, give the pipeline `tensorParallel(model, group).layers`.
 * @param group any group with this member
 * @example
 * await distributed.launch(2, (group) => {
 *   const model = new nn.CausalLM({ vocabulary: 50, context: 8, size: 16, depth: 2, heads: 2 });
 *   return distributed.causalLayers(model, group).map(([path]) => path);
 * }) // [["", "blocks.0", "blocks.1", ""], ["", "blocks.0", "blocks.1", ""]]
 */
export function causalLayers(model: CausalLM, group: ProcessGroup): ParallelCausalLM["layers"] {
  let alone: ProcessGroup | null = null;
  for (let rank = 0; rank < group.size; rank++) {
    const one = group.subgroup([rank]);
    alone ??= one;
  }
  return new ParallelCausalLM(model, alone as ProcessGroup).layers;
}
