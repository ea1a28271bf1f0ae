/** Inlining: a called graph is copied to where it is called, so that other passes see both sides at once. (Book, chapter 4.) */
import { editNodes } from "../edit.js";
import { countNodes, type Graph, regionsOf } from "../graph.js";
import type { Pass } from "./pass.js";

/** Copies graphs of at most `limit` nodes, and those that are called once. */
export function inlineCalls(graph: Graph, limit: number): Graph {
  const calls = new Map<Graph, number>();
  countCalls(graph, calls);
  return editNodes(graph, (node, editor) => {
    const called = node.op.name === "call" ? (node.attrs as { graph: Graph }).graph : null;
    if (called === null || (countNodes(called) > limit && (calls.get(called) ?? 1) > 1)) {
      editor.push(node);
      return;
    }
    const results = editor.inline(called, node.inputs);
    node.outputs.forEach((output, i) => {
      editor.replace(output, results[i]);
    });
  });
}

function countCalls(graph: Graph, calls: Map<Graph, number>): void {
  for (const node of graph.nodes) {
    for (const [, region] of regionsOf(node.attrs)) {
      if (node.op.name === "call") calls.set(region, (calls.get(region) ?? 0) + 1);
      countCalls(region, calls);
    }
  }
}

export const inline: Pass = {
  name: "inline",
  summary: "copies called graphs to where they are called",
  run: (graph, { inlineLimit }) => inlineCalls(graph, inlineLimit),
};
