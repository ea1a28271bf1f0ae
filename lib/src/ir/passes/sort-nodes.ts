/** Nodes in an order in which they can run, for passes that join nodes from different places. */
import type { GraphNode, Value } from "../graph.js";

/** The nodes as near to their given order as dependencies allow; `null` if there is a cycle. */
export function sortNodes(nodes: readonly GraphNode[]): GraphNode[] | null {
  const producer = new Map<Value, GraphNode>();
  for (const node of nodes) for (const output of node.outputs) producer.set(output, node);
  const sorted: GraphNode[] = [];
  const state = new Map<GraphNode, "open" | "done">();
  for (const root of nodes) {
    const stack = [root];
    while (stack.length > 0) {
      const node = stack[stack.length - 1];
      if (state.get(node) === "done") {
        stack.pop();
        continue;
      }
      const before = node.inputs.flatMap((input) => producer.get(input) ?? []);
      const waiting = before.filter((other) => state.get(other) !== "done");
      if (waiting.length === 0) {
        state.set(node, "done");
        sorted.push(node);
        stack.pop();
      } else if (state.get(node) === "open")
        return null; // it waits for what waits for it
      else {
        state.set(node, "open");
        stack.push(...waiting);
      }
    }
  }
  return sorted;
}
