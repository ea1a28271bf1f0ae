import type { Algorithm } from "../collective.js";
import { exchange, powersOfTwoOnly, rounds, total } from "../parts.js";

/** What two partners have doubles each round: the members are corners of a hypercube, a round is one of its dimensions. */
export const doublingAllGather: Algorithm<"allGather"> = {
  kind: "allGather",
  name: "recursive-doubling",
  about: "hypercube: partners over distances 1, 2, 4 … exchange all that they have, log₂ p rounds",
  unfit: powersOfTwoOnly,
  cost: ({ size, bytes }) => ({ messages: rounds(size), bytes: ((size - 1) / size) * bytes, combined: 0 }),
  async run(member, { data, counts }) {
    const { rank, size } = member;
    const span = (first: number, length: number): Uint8Array => {
      const from = total(counts.slice(0, first));
      return data.subarray(from, from + total(counts.slice(first, first + length)));
    };
    for (let distance = 1; distance < size; distance *= 2) {
      const partner = rank ^ distance;
      const mine = rank - (rank % distance); // the first of the parts that this member has
      const theirs = partner - (partner % distance);
      await exchange(member, partner, span(mine, distance), partner, span(theirs, distance));
    }
  },
};
