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
  outOfPlace: true,
  run: (member, request) =>
    folded(member, request, async (inner, { data, from = data, dtype, op }) => {
      const count = rounds(inner.size);
      // the partner reads what this member has while a round writes: each goes from one buffer to another, the last to `data`
      const other = count > 1 || from === data ? new Uint8Array(data.length) : data;
      let mine = from;
      if (from === data && count % 2 === 1) {
        other.set(data);
        mine = other;
      }
      for (let round = 0; round < count; round++) {
        const partner = inner.rank ^ (1 << round);
        const next = (count - round) % 2 === 1 ? data : other;
        await Promise.all([inner.send(partner, mine), inner.receiveCombined(partner, next, dtype, op, mine)]);
        mine = next;
      }
      if (mine !== data) data.set(mine); // a group of one
    }),
};
