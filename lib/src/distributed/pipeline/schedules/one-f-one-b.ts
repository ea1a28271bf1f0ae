/**
 * 1F1B with a flush: after a few micro-batches forward to fill the pipeline, one back for each forward. The bubble is
 * GPipe's; the memory no longer grows with the number of micro-batches. (Narayanan et al., "PipeDream", SOSP 2019, and
 * "Memory-efficient pipeline-parallel DNN training", ICML 2021.)
 */
import { backward, forward, oneStageEach, type ScheduleRule, upTo } from "./schedule.js";

export const oneForwardOneBackward: ScheduleRule = {
  name: "1f1b",
  about:
    "one micro-batch back for each forward, as soon as the pipeline is full; GPipe's bubble, less memory",
  unfit: oneStageEach,
  build: ({ ranks, microBatches }) =>
    upTo(ranks).map((stage) => {
      const ahead = Math.min(ranks - 1 - stage, microBatches);
      return [
        ...upTo(ahead).map((m) => forward(stage, m)),
        ...upTo(microBatches - ahead).flatMap((m) => [forward(stage, ahead + m), backward(stage, m)]),
        ...upTo(ahead).map((m) => backward(stage, microBatches - ahead + m)),
      ];
    }),
  bubble: ({ ranks, microBatches }) => (ranks - 1) / (microBatches + ranks - 1),
  live: ({ ranks, microBatches }, rank) => Math.min(ranks - rank, microBatches),
};
