/** Best fit, as a memory pool does it while a program runs: the smallest free piece that is large enough. */
import { FreeList } from "./free-list.js";
import { type Allocator, walkTime } from "./problem.js";

export const bestFit: Allocator = {
  name: "bestFit",
  summary: "walks through time; each buffer takes the smallest free piece that fits",
  needsSequence: true,
  allocate: ({ blocks }) => {
    const pool = new FreeList();
    const offsets = new Array<number>(blocks.length).fill(0);
    walkTime(
      blocks,
      (i) => {
        offsets[i] = pool.take(blocks[i].bytes);
      },
      (i) => pool.give(offsets[i], blocks[i].bytes),
    );
    return { offsets, peakBytes: pool.peak };
  },
};
