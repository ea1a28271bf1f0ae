import { ringAllGather } from "../all-gather/ring.js";
import type { Algorithm } from "../collective.js";
import { evenCounts, inTurn } from "../parts.js";
import { ringReduceScatter } from "../reduce-scatter/ring.js";

/** M − 1 steps in which parts are combined around the ring, and M − 1 in which the finished parts go around. */
export const ringAllReduce: Algorithm<"allReduce"> = {
  kind: "allReduce",
  name: "ring",
  about: "reduceScatter and allGather around a ring: 2(p−1) steps of 1/p of the data (Patarasuk, Yuan 2009)",
  cost: (on) => inTurn(ringReduceScatter.cost(on), ringAllGather.cost(on)),
  async run(member, { data, dtype, op }) {
    const counts = evenCounts(data.length, member.size, dtype);
    await ringReduceScatter.run(member, { data, counts, dtype, op });
    await ringAllGather.run(member, { data, counts });
  },
};
