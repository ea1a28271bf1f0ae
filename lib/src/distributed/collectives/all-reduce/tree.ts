import { treeBroadcast } from "../broadcast/tree.js";
import type { Algorithm } from "../collective.js";
import { inTurn } from "../parts.js";
import { treeReduce } from "../reduce/tree.js";

/** Up a tree and down again: few messages, but each carries everything. */
export const treeAllReduce: Algorithm<"allReduce"> = {
  kind: "allReduce",
  name: "tree",
  about: "binomial reduce to member 0, then binomial broadcast: 2⌈log₂ p⌉ rounds",
  cost: (on) => inTurn(treeReduce.cost(on), treeBroadcast.cost(on)),
  async run(member, request) {
    await treeReduce.run(member, { ...request, root: 0 });
    await treeBroadcast.run(member, { data: request.data, root: 0 });
  },
};
