/** The training loop on several ranks: each walks its part of the data, and all do the same steps. */
import { ValueError } from "../../core/errors.js";
import { Dataset } from "../../data/dataset/dataset.js";
import { tensor } from "../../ops/convert.js";
import { type Batch, type Callback, type FitOptions, fit as fitAlone, type Model } from "../../train/fit.js";
import { History } from "../../train/history.js";
import type { ProcessGroup } from "../group/process-group.js";
import { FullyShardedDataParallel } from "../zero/fsdp.js";
import { type DataParallelOptions, DistributedDataParallel } from "./ddp.js";

export interface DistributedFitOptions extends FitOptions {
  readonly group: ProcessGroup;
  /** Buckets, hooks: see `DistributedDataParallel`, which the model is put into unless it is one, or a sharded one. */
  readonly parallel?: Omit<DataParallelOptions, "group">;
  /**
   * How batches are divided: "pad" (default) gives the first ones of the epoch again where the ranks would not get equally
   * many, "drop" leaves out the last ones; "none": `data` is this rank's own part already, of as many batches on all ranks.
   */
  readonly shard?: "pad" | "drop" | "none";
}

/**
 * `train.fit` on the ranks of a group: batch k·size + r of an epoch is rank r's in step k, so that a step is one of `size`
 * batches; gradients are means over the ranks. Batches that come from a shuffled `Dataset` must be shuffled with the same seed
 * on all ranks. Rank 0 alone draws progress. Losses in the history are means over the ranks; callbacks run on every rank, and
 * must decide alike (an early stop by the history's epochs does).
 * @example
 * const train = async (group: distributed.ProcessGroup) => {
 *   const model = new nn.Dense(2, 1);
 *   const rows = data.batches({ x: ones([8, 2]), y: ones([8, 1]) }, { size: 2 });
 *   const optimizer = new optim.SGD(model, { lr: 0.1 });
 *   const history = await distributed.fit(model, rows, { group, loss: nn.mse, optimizer, epochs: 3, progress: false });
 *   return history.loss.length;
 * };
 * // await distributed.launch(2, train) gives 6 on both: 3 epochs of 4 batches, 2 in a step
 * @throws ValueError for data that can't be divided here, and as `train.fit`.
 */
export async function fit(
  model: Model,
  data: Iterable<Batch> | AsyncIterable<Batch>,
  options: DistributedFitOptions,
): Promise<History> {
  const { group, parallel, shard = "pad", progress = true, metrics = {}, callbacks = [] } = options;
  const sharded = model instanceof FullyShardedDataParallel;
  const trained =
    sharded || model instanceof DistributedDataParallel
      ? model
      : (new DistributedDataParallel(model, { ...parallel, group }) as unknown as Model);
  const history = options.history ?? new History(Object.keys(metrics));
  return fitAlone(trained, shard === "none" ? data : partOf(data, group, shard), {
    ...options,
    backward: options.backward ?? sharded,
    progress: progress && group.rank === 0,
    history,
    callbacks: [meanLosses(group, history), ...callbacks],
  });
}

function partOf(
  data: Iterable<Batch> | AsyncIterable<Batch>,
  { rank, size }: ProcessGroup,
  even: "pad" | "drop",
): Dataset<Batch> {
  if (data instanceof Dataset) return (data as Dataset<Batch>).shard(rank, size, { even });
  if (Array.isArray(data)) return Dataset.from(data as Batch[]).shard(rank, size, { even });
  throw new ValueError(
    'fit: only a Dataset or a list of batches can be divided among ranks here; call shard(rank, size, { even: "pad" }) before pipeline(), and give { shard: "none" }',
  );
}

/** At the end of each epoch its losses become means over the ranks. */
function meanLosses(group: ProcessGroup, history: History): Callback {
  let done = history.loss.length;
  return {
    onEpoch() {
      const mine = tensor(history.loss.slice(done), { dtype: "float64" });
      const means = group.allReduce(mine, { op: "mean" }).wait();
      means.toTypedArray().forEach((loss, i) => {
        history.loss[done + i] = loss;
      });
      done = history.loss.length;
      mine.dispose();
      means.dispose();
    },
  };
}
