import type { Algorithm } from "../collective.js";
import { binomialGather } from "../gather/binomial.js";
import { evenCounts, inTurn, partsOf } from "../parts.js";
import { ringReduceScatter } from "../reduce-scatter/ring.js";

/** Everybody combines a part, and the root collects the parts: for long messages. */
export const reduceScatterGather: Algorithm<"reduce"> = {
  kind: "reduce",
  name: "reducescatter-gather",
  about: "reduceScatter around a ring, then gather; for long messages (Rabenseifner 2004)",
  cost: (on) => inTurn(ringReduceScatter.cost(on), binomialGather.cost(on)),
  async run(member, { data, dtype, op, root }) {
    const counts = evenCounts(data.length, member.size, dtype);
    await ringReduceScatter.run(member, { data, counts, dtype, op });
    const own = partsOf(data, counts)[member.rank];
    await binomialGather.run(member, { own, data: member.rank === root ? data : null, counts, root });
  },
};
