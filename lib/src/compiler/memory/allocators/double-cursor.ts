/**
 * Double cursor: what lives for the whole run grows from the low end of the pool, what comes and goes from the high end,
 * so that short lives leave no holes among long ones. (Book, chapter 5.)
 */
import { FreeList } from "./free-list.js";
import { type Allocator, walkTime } from "./problem.js";

export const doubleCursor: Allocator = {
  name: "doubleCursor",
  summary: "weights from the low end, activations from the high end, best fit among these",
  needsSequence: true,
  allocate: ({ blocks }) => {
    let low = 0;
    const high = new FreeList(); // its offsets count downwards from the end of the pool
    const offsets = new Array<number>(blocks.length).fill(0);
    blocks.forEach(({ lasting, bytes }, i) => {
      if (!lasting) return;
      offsets[i] = low;
      low += bytes;
    });
    walkTime(
      blocks,
      (i) => {
        if (!blocks[i].lasting) offsets[i] = high.take(blocks[i].bytes);
      },
      (i) => {
        if (!blocks[i].lasting) high.give(offsets[i], blocks[i].bytes);
      },
    );
    const peakBytes = low + high.peak;
    blocks.forEach(({ lasting, bytes }, i) => {
      if (!lasting) offsets[i] = peakBytes - offsets[i] - bytes;
    });
    return { offsets, peakBytes };
  },
};
