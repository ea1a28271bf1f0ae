import type { Algorithm } from "../collective.js";
import { partsOf, wrap } from "../parts.js";

/** Every member sends each part straight to its owner: no step waits for what another one combined. */
export const pairwiseReduceScatter: Algorithm<"reduceScatter"> = {
  kind: "reduceScatter",
  name: "pairwise",
  about: "p−1 steps; in step k each member sends member rank + k its part and combines what rank − k sends",
  cost({ size, bytes }) {
    const all = ((size - 1) / size) * bytes;
    return { messages: size - 1, bytes: all, combined: all };
  },
  async run(member, { data, counts, dtype, op }) {
    const { rank, size } = member;
    const parts = partsOf(data, counts);
    for (let step = 1; step < size; step++) {
      const [to, from] = [wrap(rank + step, size), wrap(rank - step, size)];
      await Promise.all([member.send(to, parts[to]), member.receiveCombined(from, parts[rank], dtype, op)]);
    }
  },
};
