import { naiveBroadcast } from "../broadcast/naive.js";
import type { Algorithm } from "../collective.js";
import { inTurn } from "../parts.js";
import { naiveReduce } from "../reduce/naive.js";

/** One member combines everything and tells all: everything goes through its link twice. */
export const naiveAllReduce: Algorithm<"allReduce"> = {
  kind: "allReduce",
  name: "naive",
  about: "naive reduce to member 0, then naive broadcast: 2(p−1) messages, one after the other",
  cost: (on) => inTurn(naiveReduce.cost(on), naiveBroadcast.cost(on)),
  async run(member, request) {
    await naiveReduce.run(member, { ...request, root: 0 });
    await naiveBroadcast.run(member, { data: request.data, root: 0 });
  },
};
