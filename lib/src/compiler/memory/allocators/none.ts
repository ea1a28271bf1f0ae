/** No reuse: each buffer behind the one before. The measure of the others. */
import { type Allocator, peakOf } from "./problem.js";

export const none: Allocator = {
  name: "none",
  summary: "every buffer has memory of its own",
  needsSequence: false,
  allocate: ({ blocks }) => {
    let at = 0;
    const offsets = blocks.map(({ bytes }) => {
      const offset = at;
      at += bytes;
      return offset;
    });
    return { offsets, peakBytes: peakOf(blocks, offsets) };
  },
};
