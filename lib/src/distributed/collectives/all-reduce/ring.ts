import { gatherAround, ringAllGather } from "../all-gather/ring.js";
import type { Algorithm } from "../collective.js";
import { evenCounts, inTurn, partsOf } from "../parts.js";
import { reduceAround, ringReduceScatter } from "../reduce-scatter/ring.js";

/**
 * M − 1 steps in which parts are combined around the ring, and M − 1 in which the finished parts go around. A member sends
 * the part of its own number first, so that it is its right neighbour's number whose part it finishes.
 */
export const ringAllReduce: Algorithm<"allReduce"> = {
  kind: "allReduce",
  name: "ring",
  about: "reduceScatter and allGather around a ring: 2(p−1) steps of 1/p of the data (Patarasuk, Yuan 2009)",
  cost: (on) => inTurn(ringReduceScatter.cost(on), ringAllGather.cost(on)),
  outOfPlace: true,
  async run(member, { data, from = data, dtype, op }) {
    const counts = evenCounts(data.length, member.size, dtype);
    const byFinisher = (whole: Uint8Array): Uint8Array[] => {
      const [first, ...others] = partsOf(whole, counts);
      return [...others, first];
    };
    const parts = byFinisher(data);
    await reduceAround(member, parts, dtype, op, byFinisher(from));
    await gatherAround(member, parts);
  },
};
