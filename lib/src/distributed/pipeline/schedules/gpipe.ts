/** GPipe: all micro-batches forward, then all back. (Huang et al., "GPipe", NeurIPS 2019.) */
import { backward, forward, oneStageEach, type ScheduleRule, upTo } from "./schedule.js";

export const gpipe: ScheduleRule = {
  name: "gpipe",
  about: "all micro-batches forward, then all back; every activation of the batch is alive in between",
  unfit: oneStageEach,
  build: ({ ranks, microBatches }) =>
    upTo(ranks).map((stage) => [
      ...upTo(microBatches).map((m) => forward(stage, m)),
      ...upTo(microBatches).map((m) => backward(stage, m)),
    ]),
  bubble: ({ ranks, microBatches }) => (ranks - 1) / (microBatches + ranks - 1),
  live: ({ microBatches }) => microBatches,
};
