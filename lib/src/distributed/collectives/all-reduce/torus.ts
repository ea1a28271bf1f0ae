import { ringAllGather } from "../all-gather/ring.js";
import type { Algorithm } from "../collective.js";
import { among } from "../member.js";
import { evenCounts, inTurn, partsOf } from "../parts.js";
import { ringReduceScatter } from "../reduce-scatter/ring.js";
import { byHost, gridOf } from "../topology.js";
import { near } from "./hierarchical.js";
import { ringAllReduce } from "./ring.js";

/** Rings along the rows and the columns of a grid; as many bytes as one ring, but about 4√p steps for its 2p. */
export const torusAllReduce: Algorithm<"allReduce"> = {
  kind: "allReduce",
  name: "torus",
  about: "reduceScatter along rows, allReduce of the parts along columns, allGather along rows (2-D torus)",
  unfit: ({ size, places }) =>
    gridOf(size, places) ? undefined : `needs members that make a grid, ${size} do not`,
  cost({ size, bytes, places }) {
    const grid = gridOf(size, places) ?? [[0]];
    const row = { bytes, places, size: grid[0].length };
    const column = { bytes: bytes / row.size, places, size: grid.length };
    // only if rows are hosts do they keep to the fast links
    const hosts = byHost(places);
    const link =
      hosts.length > 1 && grid.every((ranks) => ranks.every((r) => places[r].host === places[ranks[0]].host))
        ? near
        : inTurn;
    return inTurn(
      link(ringReduceScatter.cost(row)),
      ringAllReduce.cost(column),
      link(ringAllGather.cost(row)),
    );
  },
  async run(member, { data, dtype, op }) {
    const grid = gridOf(member.size, member.places) ?? [[0]];
    const ranks = grid.find((members) => members.includes(member.rank)) ?? [];
    const row = among(member, ranks);
    const column = among(
      member,
      grid.map((members) => members[row.rank]),
    );
    const counts = evenCounts(data.length, row.size, dtype);
    await ringReduceScatter.run(row, { data, counts, dtype, op });
    await ringAllReduce.run(column, { data: partsOf(data, counts)[row.rank], dtype, op });
    await ringAllGather.run(row, { data, counts });
  },
};
