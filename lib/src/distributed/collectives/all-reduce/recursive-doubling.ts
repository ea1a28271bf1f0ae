import type { Algorithm } from "../collective.js";
import { rounds } from "../parts.js";
import { folded, foldedCost } from "./folded.js";

/** Pairs exchange everything and both combine it, then pairs of pairs …: the fewest rounds, for short messages. */
export const recursiveDoubling: Algorithm<"allReduce"> = {
  kind: "allReduce",
  name: "recursive-doubling",
  about: "log₂ p rounds in which partners over distances 1, 2, 4 … exchange everything",
  cost: ({ size, bytes }) =>
    foldedCost(size, bytes, (power) => {
      const all = rounds(power) * bytes;
      return { messages: rounds(power), bytes: all, combined: all };
    }),
  run: (member, request) =>
    folded(member, request, async (inner, { data, dtype, op }) => {
      const other = new Uint8Array(data.length);
      for (let distance = 1; distance < inner.size; distance *= 2) {
        const partner = inner.rank ^ distance;
        await Promise.all([inner.send(partner, data), inner.receive(partner, other)]);
        inner.combine(data, other, dtype, op);
      }
    }),
};
