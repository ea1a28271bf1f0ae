import type { Algorithm } from "../collective.js";
import { partsOf, Sends, wrap } from "../parts.js";

/** Every member sends each part straight to its owner: no step waits for what another one combined. */
export const pairwiseReduceScatter: Algorithm<"reduceScatter"> = {
  kind: "reduceScatter",
  name: "pairwise",
  about: "p−1 steps; in step k each member sends member rank + k its part and combines what rank − k sends",
  cost({ size, bytes }) {
    const all = ((size - 1) / size) * bytes;
    return { messages: size - 1, rounds: Math.min(1, size - 1), bytes: all, combined: all };
  },
  outOfPlace: true,
  async run(member, { data, from = data, counts, dtype, op }) {
    const { rank, size } = member;
    const own = partsOf(from, counts);
    const result = partsOf(data, counts)[rank];
    const sends = new Sends();
    for (let step = 1; step < size; step++) {
      const to = wrap(rank + step, size);
      sends.add(member.send(to, own[to]));
    }
    for (let step = 1; step < size; step++)
      await member.receiveCombined(
        wrap(rank - step, size),
        result,
        dtype,
        op,
        step === 1 ? own[rank] : result,
      );
    await sends.done();
  },
};
