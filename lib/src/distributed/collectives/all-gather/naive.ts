import { treeBroadcast } from "../broadcast/tree.js";
import type { Algorithm } from "../collective.js";
import { binomialGather } from "../gather/binomial.js";
import { inTurn, partsOf } from "../parts.js";

/** One member collects the parts and sends the whole to all: log₂ p times as many bytes as need be. */
export const naiveAllGather: Algorithm<"allGather"> = {
  kind: "allGather",
  name: "naive",
  about: "gather to member 0, then broadcast the whole, each up or down a tree",
  cost: (on) => inTurn(binomialGather.cost(on), treeBroadcast.cost(on)),
  async run(member, { data, counts }) {
    const own = partsOf(data, counts)[member.rank];
    const whole = member.rank === 0 ? data : null;
    await binomialGather.run(member, { own, data: whole, counts, root: 0 });
    await treeBroadcast.run(member, { data, root: 0 });
  },
};
