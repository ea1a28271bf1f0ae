import type { Algorithm } from "../collective.js";
import { exchange, partsOf, rounds, total, wrap } from "../parts.js";

/** As few rounds as the hypercube for any number of members, for a copy at the end. */
export const bruckAllGather: Algorithm<"allGather"> = {
  kind: "allGather",
  name: "bruck",
  about: "round k: send the 2ᵏ parts that one has to rank − 2ᵏ; ⌈log₂ p⌉ rounds (Bruck et al. 1997)",
  cost: ({ size, bytes }) => ({ messages: rounds(size), bytes: ((size - 1) / size) * bytes, combined: 0 }),
  async run(member, { data, counts }) {
    const { rank, size } = member;
    const parts = partsOf(data, counts);
    const inOrder = Array.from({ length: size }, (_, i) => wrap(rank + i, size)); // own part first
    const lengths = inOrder.map((of) => counts[of]);
    const held = new Uint8Array(data.length);
    held.set(parts[rank]);
    for (let have = 1; have < size; have *= 2) {
      const more = Math.min(have, size - have);
      const to = wrap(rank - have, size);
      // what it has of mine as its own `have` … `have + more − 1`: my first ones
      const sent = held.subarray(0, total(lengths.slice(0, more)));
      const at = total(lengths.slice(0, have));
      const received = held.subarray(at, at + total(lengths.slice(have, have + more)));
      await exchange(member, to, sent, wrap(rank + have, size), received);
    }
    partsOf(held, lengths).forEach((part, i) => {
      if (i > 0) parts[inOrder[i]].set(part);
    });
  },
};
