/**
 * Interleaved 1F1B: each device has several stages that lie apart in the model, so that the pipeline fills in shorter
 * steps: the bubble is divided by the number of stages, at the price of as many more transfers. (Narayanan et al.,
 * "Efficient large-scale language model training on GPU clusters using Megatron-LM", SC 2021, section 2.2.)
 */
import { type Action, backward, forward, type ScheduleRule, type ScheduleShape, upTo } from "./schedule.js";

export const interleaved: ScheduleRule = {
  name: "interleaved",
  about: "1F1B with several stages on each device: a smaller bubble, more transfers",
  unfit: ({ ranks, microBatches }) =>
    microBatches % ranks === 0
      ? undefined
      : `it takes micro-batches in groups of ${ranks}, one for each device, and ${microBatches} can't be divided so`,
  build: (shape) => upTo(shape.ranks).map((rank) => orderOf(shape, rank)),
  bubble: ({ ranks, microBatches, chunks }) => (ranks - 1) / (chunks * microBatches + ranks - 1),
  live: ({ microBatches, chunks, ...shape }, rank) =>
    Math.min(ahead({ microBatches, chunks, ...shape }, rank) + 1, microBatches * chunks),
};

/** Steps forward before the first one back. */
function ahead({ ranks, microBatches, chunks }: ScheduleShape, rank: number): number {
  return Math.min(2 * (ranks - 1 - rank) + (chunks - 1) * ranks, microBatches * chunks);
}

function orderOf(shape: ScheduleShape, rank: number): Action[] {
  const { ranks, microBatches, chunks } = shape;
  // step k: groups of `ranks` micro-batches go through all of the device's stages before the next group starts
  const stageOf = (k: number): number => Math.floor((k % (ranks * chunks)) / ranks);
  const microBatchOf = (k: number): number => Math.floor(k / (ranks * chunks)) * ranks + (k % ranks);
  const ahead_ = ahead(shape, rank);
  const total = microBatches * chunks;
  const there = (k: number): Action => forward(stageOf(k) * ranks + rank, microBatchOf(k));
  const back = (k: number): Action => backward((chunks - 1 - stageOf(k)) * ranks + rank, microBatchOf(k));
  return [
    ...upTo(ahead_).map(there),
    ...upTo(total - ahead_).flatMap((k) => [there(ahead_ + k), back(k)]),
    ...upTo(ahead_).map((k) => back(total - ahead_ + k)),
  ];
}
