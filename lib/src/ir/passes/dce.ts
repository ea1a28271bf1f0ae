/** Dead code elimination: nodes and constants that no result depends on go, in regions too. (Book, chapter 4.) */
import { type Graph, type GraphNode, mapRegions, regionsOf, type Value } from "../graph.js";
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
    .map((node) => eliminateInRegions(node));
  const constants = graph.constants.filter(({ value }) => needed.has(value));
  const same = nodes.length === graph.nodes.length && nodes.every((node, i) => node === graph.nodes[i]);
  return same && constants.length === graph.constants.length ? graph : graph.with({ nodes, constants });
}

function eliminateInRegions(node: GraphNode): GraphNode {
  const changes = regionsOf(node.attrs).some(([, region]) => eliminateDeadCode(region) !== region);
  return changes ? { ...node, attrs: mapRegions(node.attrs, eliminateDeadCode) } : node;
}

export const dce: Pass = {
  name: "dce",
  summary: "removes nodes and constants that no result depends on",
  run: eliminateDeadCode,
};
