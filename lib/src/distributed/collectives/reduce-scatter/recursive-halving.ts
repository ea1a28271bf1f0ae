import type { Algorithm } from "../collective.js";
import { powersOfTwoOnly, rounds, total } from "../parts.js";

/** Partners half a group apart swap the halves that the other needs; then each half of the group does the same. */
export const recursiveHalving: Algorithm<"reduceScatter"> = {
  kind: "reduceScatter",
  name: "recursive-halving",
  about: "log₂ p rounds: n/2 bytes to the partner half a group away, then n/4, n/8 …",
  unfit: powersOfTwoOnly,
  cost({ size, bytes }) {
    const all = ((size - 1) / size) * bytes;
    return { messages: rounds(size), bytes: all, combined: all };
  },
  outOfPlace: true,
  async run(member, { data, from: own = data, counts, dtype, op }) {
    const { rank, size } = member;
    const span = (whole: Uint8Array, first: number, end: number): Uint8Array => {
      const from = total(counts.slice(0, first));
      return whole.subarray(from, from + total(counts.slice(first, end)));
    };
    let mine = own;
    let [first, end] = [0, size]; // the parts that this member and its half still share
    for (let half = size / 2; half >= 1; half /= 2) {
      const middle = first + half;
      const upper = rank >= middle;
      const partner = upper ? rank - half : rank + half;
      const theirs = upper ? span(mine, first, middle) : span(mine, middle, end);
      [first, end] = upper ? [middle, end] : [first, middle];
      await Promise.all([
        member.send(partner, theirs),
        member.receiveCombined(partner, span(data, first, end), dtype, op, span(mine, first, end)),
      ]);
      mine = data;
    }
  },
};
