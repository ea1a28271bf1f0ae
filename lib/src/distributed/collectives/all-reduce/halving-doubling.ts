import { doublingAllGather } from "../all-gather/recursive-doubling.js";
import type { Algorithm } from "../collective.js";
import { evenCounts, inTurn } from "../parts.js";
import { recursiveHalving } from "../reduce-scatter/recursive-halving.js";
import { folded, foldedCost } from "./folded.js";

/** As few bytes as the ring and as few rounds as the tree, where the group is a power of two. */
export const halvingDoubling: Algorithm<"allReduce"> = {
  kind: "allReduce",
  name: "halving-doubling",
  about: "reduceScatter by halving, allGather by doubling: 2 log₂ p rounds (Rabenseifner 2004)",
  cost: ({ size, bytes, places }) =>
    foldedCost(size, bytes, (power) => {
      const on = { size: power, bytes, places };
      return inTurn(recursiveHalving.cost(on), doublingAllGather.cost(on));
    }),
  outOfPlace: true,
  run: (member, request) =>
    folded(member, request, async (inner, { data, from = data, dtype, op }) => {
      const counts = evenCounts(data.length, inner.size, dtype);
      if (inner.size === 1 && from !== data) data.set(from);
      await recursiveHalving.run(inner, { data, from, counts, dtype, op });
      await doublingAllGather.run(inner, { data, counts });
    }),
};
