import { treeBroadcast } from "../broadcast/tree.js";
import type { Algorithm, Cost } from "../collective.js";
import { among } from "../member.js";
import { inTurn } from "../parts.js";
import { treeReduce } from "../reduce/tree.js";
import { byHost } from "../topology.js";
import { ringAllReduce } from "./ring.js";

/** Only one member of each host uses the slow links between hosts. */
export const hierarchicalAllReduce: Algorithm<"allReduce"> = {
  kind: "allReduce",
  name: "hierarchical",
  about: "reduce inside of each host, a ring of the hosts' first members, broadcast inside of each host",
  cost({ bytes, places }) {
    const hosts = byHost(places);
    const inside = { bytes, places, size: Math.max(...hosts.map((host) => host.length)) };
    return inTurn(
      near(treeReduce.cost(inside)),
      ringAllReduce.cost({ bytes, places, size: hosts.length }),
      near(treeBroadcast.cost(inside)),
    );
  },
  async run(member, request) {
    const hosts = byHost(member.places);
    const host = hosts.find((members) => members.includes(member.rank)) ?? [];
    const inside = among(member, host);
    await treeReduce.run(inside, { ...request, root: 0 });
    const first = hosts.map((members) => members[0]);
    if (inside.rank === 0) await ringAllReduce.run(among(member, first), request);
    await treeBroadcast.run(inside, { data: request.data, root: 0 });
  },
};

/** The same, over links inside of a host. */
export function near({ messages, bytes, combined }: Cost): Cost {
  return { messages: 0, bytes: 0, combined, near: { messages, bytes } };
}
