import { directAllGather } from "../all-gather/direct.js";
import type { Algorithm } from "../collective.js";
import { evenCounts, inTurn } from "../parts.js";
import { pairwiseReduceScatter } from "../reduce-scatter/pairwise.js";

/** As many bytes as the ring, but only one step waits for another: where members read each other's memory, the fastest. */
export const directAllReduce: Algorithm<"allReduce"> = {
  kind: "allReduce",
  name: "direct",
  about: "each member combines one part of everybody's data and sends it to all: 2(p−1) messages in 2 rounds",
  cost: (on) => inTurn(pairwiseReduceScatter.cost(on), directAllGather.cost(on)),
  outOfPlace: true,
  async run(member, { data, from = data, dtype, op }) {
    const counts = evenCounts(data.length, member.size, dtype);
    await pairwiseReduceScatter.run(member, { data, from, counts, dtype, op });
    await directAllGather.run(member, { data, counts });
  },
};
