import type { Algorithm } from "../collective.js";
import { exchange, rounds, wrap } from "../parts.js";

/** In round k each member tells the one 2ᵏ further on; after ⌈log₂ p⌉ rounds everybody has heard of everybody. */
export const dissemination: Algorithm<"barrier"> = {
  kind: "barrier",
  name: "dissemination",
  about: "⌈log₂ p⌉ rounds of empty messages over distances 1, 2, 4 … (Hensgen, Finkel, Manber 1988)",
  cost: ({ size }) => ({ messages: rounds(size), bytes: 0, combined: 0 }),
  async run(member) {
    const { rank, size } = member;
    const nothing = new Uint8Array(0);
    for (let distance = 1; distance < size; distance *= 2)
      await exchange(member, wrap(rank + distance, size), nothing, wrap(rank - distance, size), nothing);
  },
};
