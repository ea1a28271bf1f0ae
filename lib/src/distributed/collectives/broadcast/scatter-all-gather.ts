import { ringAllGather } from "../all-gather/ring.js";
import type { Algorithm } from "../collective.js";
import { evenCounts, inTurn, partsOf } from "../parts.js";
import { binomialScatter } from "../scatter/binomial.js";

/** Everybody gets a part, then the parts go around: each link carries about 2n bytes, however many members there are. */
export const scatterAllGather: Algorithm<"broadcast"> = {
  kind: "broadcast",
  name: "scatter-allgather",
  about: "scatter, then allGather around a ring; for long messages (van de Geijn 1994)",
  cost: (on) => inTurn(binomialScatter.cost(on), ringAllGather.cost(on)),
  async run(member, { data, root }) {
    const counts = evenCounts(data.length, member.size, "uint8");
    const own = member.rank === root ? data : partsOf(data, counts)[member.rank];
    await binomialScatter.run(member, { data: own, counts, root });
    await ringAllGather.run(member, { data, counts });
  },
};
