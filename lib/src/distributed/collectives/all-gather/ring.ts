import type { Algorithm } from "../collective.js";
import { exchange, partsOf, wrap } from "../parts.js";

/** Each part travels once around the ring. */
export const ringAllGather: Algorithm<"allGather"> = {
  kind: "allGather",
  name: "ring",
  about: "p−1 steps; in each, a member passes on to its right what it got last from its left",
  cost: ({ size, bytes }) => ({ messages: size - 1, bytes: ((size - 1) / size) * bytes, combined: 0 }),
  async run(member, { data, counts }) {
    const { rank, size } = member;
    const parts = partsOf(data, counts);
    const [left, right] = [wrap(rank - 1, size), wrap(rank + 1, size)];
    for (let step = 0; step < size - 1; step++)
      await exchange(member, right, parts[wrap(rank - step, size)], left, parts[wrap(rank - step - 1, size)]);
  },
};
