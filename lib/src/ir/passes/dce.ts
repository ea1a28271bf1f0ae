/** Dead code elimination: nodes and constants that no result depends on go, in regions too. (Book, chapter 4.) */
import { type Graph, mapRegions, regionsOf, type Value } from "../graph.js";
import type { Pass } from "./pass.js";

/** The graph without what its results do not need. Parameters stay: they are its signature. */
export function eliminateDeadCode(graph: Graph): Graph {
  const needed = new Set<Value>(graph.results);
  const nodes = [...graph.nodes]
    .reverse()
    .filter((node) => {
      if (!node.outputs.some((output) => needed.has(output))) return false; // every op is pure
      for (const input of node.inputs) needed.add(input);
      return true;
    })
    .reverse()
    .map((node) =>
      regionsOf(node.attrs).length > 0 ? { ...node, attrs: mapRegions(node.attrs, eliminateDeadCode) } : node,
    );
  return graph.with({ nodes, constants: graph.constants.filter(({ value }) => needed.has(value)) });
}

export const dce: Pass = {
  name: "dce",
  summary: "removes nodes and constants that no result depends on",
  run: eliminateDeadCode,
};
