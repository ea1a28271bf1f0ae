/**
 * Data parallelism (数据并行): every rank has the whole model and a part of each batch; gradients are averaged before the
 * step, so that all models stay equal. (Book, chapter 9; PyTorch's DistributedDataParallel.)
 */
import { setGradientSink } from "../../autodiff/gradient-sink.js";
import { variableHost } from "../../autodiff/tape-mode.js";
import type { Variable } from "../../autodiff/variable.js";
import { ValueError } from "../../core/errors.js";
import { formatType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { leaves, map as treeMap } from "../../core/tree.js";
import { Module } from "../../nn/module.js";
import type { DenseTensor } from "../../runtime/dense.js";
import type { ProcessGroup } from "../group/process-group.js";
import { TransportError } from "../transport/errors.js";
import { type BucketSpan, type CommunicationHook, meanHook } from "./bucket.js";
import { byDType, flattened, pieceOf } from "./flat.js";
import { GradientReducer } from "./reducer.js";

export interface DataParallelOptions {
  readonly group: ProcessGroup;
  /** Gradients that travel together, in bytes. Default 25 MiB. */
  readonly bucketBytes?: number;
  /** Of the first bucket: smaller, so that communication begins soon. Default 1 MiB. */
  readonly firstBucketBytes?: number;
  /**
   * Parameters that no rank's loss depends on keep the `grad` that they have, as on one process, at the price of one more
   * small collective a pass. Default false: where a gradient does not reach a parameter, it counts as zeros.
   */
  readonly findUnused?: boolean;
  /** Brings rank 0's buffers (running means of batch normalization) to all before each forward in training. Default true. */
  readonly broadcastBuffers?: boolean;
  /** How a bucket becomes the mean over ranks. Default: allReduce. */
  readonly hook?: CommunicationHook;
}

const MIB = 2 ** 20;

/**
 * A module whose gradients are means over the ranks of a group, however they are computed: by `backward()`, by
 * `valueAndGrad`, or in a captured step (`toStatic`, `fit` with `static: true`). At construction all ranks get rank 0's
 * weights. Each bucket of gradients is sent as soon as it is full, and travels beside the rest of the backward pass.
 *
 * Every rank makes it at the same point of its program, with the same model, and does the same steps.
 * @example
 * const train = (group: distributed.ProcessGroup) => {
 *   const model = new distributed.DistributedDataParallel(new nn.Dense(2, 1, { bias: false }), { group });
 *   model.forward(tensor([[group.rank, 1]])).sum().backward();
 *   return model.module.weight.grad;
 * };
 * // await distributed.launch(2, train) gives [[0.5], [1]] on both
 * @throws TransportError if the ranks' models differ; ValueError if there is nothing to train.
 */
export class DistributedDataParallel<M extends Module> extends Module {
  private readonly parallel: Parallel;

  constructor(
    readonly module: M,
    options: DataParallelOptions,
  ) {
    super();
    this.parallel = new Parallel(module, options);
  }

  override forward(...inputs: Parameters<M["forward"]>): ReturnType<M["forward"]> {
    if (this.training) this.parallel.prepare();
    return this.module.forward(...inputs) as ReturnType<M["forward"]>;
  }

  get group(): ProcessGroup {
    return this.parallel.group;
  }

  /**
   * Runs `body` with gradients left as this rank computes them: `backward()` adds them up, and the first pass outside
   * averages the whole sum. For gradient accumulation.
   */
  noSync<T>(body: () => T): T {
    const { reducer } = this.parallel;
    const before = reducer.enabled;
    const restore = (): void => {
      reducer.enabled = before;
    };
    reducer.enabled = false;
    let result: T;
    try {
      result = body();
    } catch (error) {
      restore();
      throw error;
    }
    if (result instanceof Promise) return result.finally(restore) as T;
    restore();
    return result;
  }

  /** What the buckets of the last backward pass did, in the order in which they were sent. */
  get lastPass(): readonly BucketSpan[] {
    return this.parallel.reducer.lastPass;
  }

  /** Takes the hooks off the variables: their gradients are this rank's own again. */
  detachGradients(): void {
    for (const variable of this.parallel.reducer.parameters) setGradientSink(variable, null);
  }
}

/** What all copies of the module that transformations make have in common. */
class Parallel {
  readonly reducer: GradientReducer;
  readonly group: ProcessGroup;
  private readonly buffers: readonly Variable[];
  private readonly versions = new Map<Variable, number>();

  constructor(module: Module, options: DataParallelOptions) {
    const { group, bucketBytes = 25 * MIB, firstBucketBytes = MIB, findUnused = false } = options;
    const { broadcastBuffers = true, hook = meanHook } = options;
    if (!(bucketBytes > 0 && firstBucketBytes > 0))
      throw new ValueError(
        `DistributedDataParallel: buckets have bytes, got ${bucketBytes} and ${firstBucketBytes} for the first`,
      );
    this.group = group;
    const all = module.namedVariables();
    const parameters = module.parameters();
    if (parameters.length === 0)
      throw new ValueError("DistributedDataParallel: the module has no variable that requires a gradient");
    checkSameModel(all, group);
    broadcastVariables(
      all.map(([, variable]) => variable),
      group,
    );
    this.reducer = new GradientReducer(parameters, group, {
      bucketBytes,
      firstBucketBytes: Math.min(firstBucketBytes, bucketBytes),
      findUnused,
      hook,
    });
    for (const variable of parameters) setGradientSink(variable, this.reducer);
    this.buffers = broadcastBuffers
      ? all.map(([, variable]) => variable).filter(({ requiresGrad }) => !requiresGrad)
      : [];
    this.note();
  }

  /** To be done before each forward pass in training. */
  prepare(): void {
    if (this.buffers.length === 0 || !this.reducer.enabled) return;
    const host = variableHost();
    if (host) host.beforeRun(() => this.broadcastChanged());
    else this.broadcastChanged();
  }

  /** Frozen weights never change, and are not sent again. */
  private broadcastChanged(): void {
    const changed = this.buffers.filter((variable) => variable.version !== this.versions.get(variable));
    if (changed.length === 0) return;
    broadcastVariables(changed, this.group);
    this.note();
  }

  private note(): void {
    for (const variable of this.buffers) this.versions.set(variable, variable.version);
  }
}

/** @throws TransportError naming the first difference */
export function checkSameModel(variables: readonly [string, Variable][], group: ProcessGroup): void {
  const mine = variables.map(([name, v]) => `${name}: ${formatType(v)}${v.requiresGrad ? "" : ", frozen"}`);
  const all = group.allGatherObject(mine).wait();
  for (const [rank, list] of all.entries()) {
    const i = mine.findIndex((text, k) => text !== list[k]);
    if (i < 0 && list.length === mine.length) continue;
    const at = i < 0 ? mine.length : i;
    throw new TransportError(
      `the models of the ranks differ: variable ${at} is ${mine[at] ?? "missing"} on rank ${group.rank}, ${list[at] ?? "missing"} on rank ${rank}`,
    );
  }
}

/** Rank 0's values on all. */
export function broadcastVariables(variables: readonly Variable[], group: ProcessGroup): void {
  for (const [dtype, list] of byDType(variables)) {
    const { flat, layout } = flattened(
      list.map((variable) => variable.value),
      dtype,
    );
    const got = group.broadcast(flat, 0).wait() as DenseTensor;
    if (group.rank !== 0)
      list.forEach((variable, i) => {
        const value = pieceOf(got, layout.pieces[i]).add(0); // of its own: a shared storage can't be updated in place
        variable.assign(value);
        value.dispose();
      });
    flat.dispose();
    got.dispose();
  }
}

/**
 * The means over ranks of all tensors of a tree, one collective for each dtype: for gradients that were added up over several
 * micro-batches with `valueAndGrad` under `noSync`.
 * @example
 * const train = (group: distributed.ProcessGroup) => distributed.averageTree({ w: tensor([group.rank]) }, group);
 * // await distributed.launch(2, train) gives { w: [0.5] } on both
 */
export function averageTree<T>(tree: T, group: ProcessGroup): T {
  const means = new Map<Tensor, Tensor>();
  for (const [dtype, list] of byDType(leaves(tree))) {
    const { flat, layout } = flattened(list, dtype);
    const mean = group.allReduce(flat, { op: "mean" }).wait() as DenseTensor;
    list.forEach((x, i) => {
      means.set(x, pieceOf(mean, layout.pieces[i]));
    });
    flat.dispose();
    mean.dispose();
  }
  return treeMap((x) => means.get(x) as Tensor, tree);
}
