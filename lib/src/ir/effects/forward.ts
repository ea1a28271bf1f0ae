/**
 * The pass over effects: a read of a cell whose value is known becomes that value, and an assignment that is overwritten
 * before anybody reads it goes. The order of what is left stays.
 */
import { editNodes } from "../edit.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import type { Pass } from "../passes/pass.js";
import { type CellAttrs, EFFECTS } from "./ops.js";
import { hasEffects } from "./order.js";

const cellOf = ({ attrs }: GraphNode): string => (attrs as CellAttrs).cell;

/** Known values of cells, forward. */
function forwardValues(graph: Graph): Graph {
  const known = new Map<string, Value>();
  return editNodes(graph, (node, editor) => {
    if (node.op.name === "read") {
      const value = known.get(cellOf(node));
      if (value) {
        editor.replace(node.outputs[0], node.inputs[0]);
        editor.replace(node.outputs[1], value);
        return;
      }
      known.set(cellOf(node), node.outputs[1]);
    }
    if (node.op.name === "assign") known.set(cellOf(node), node.inputs[1]);
    editor.push(node);
  });
}

/** Assignments that nobody sees, from the end. */
function removeOverwritten(graph: Graph): Graph {
  const overwritten = new Set<string>();
  const dead = new Set<GraphNode>();
  for (const node of [...graph.nodes].reverse()) {
    if (!EFFECTS.has(node.op.name) || node.op.name === "token") continue;
    if (node.op.name === "read") overwritten.delete(cellOf(node));
    if (node.op.name !== "assign") continue;
    if (overwritten.has(cellOf(node))) dead.add(node);
    overwritten.add(cellOf(node));
  }
  if (dead.size === 0) return graph;
  const tokens = new Set([...dead].map(({ outputs }) => outputs[0]));
  return editNodes(graph, (node, editor) => {
    if (node.outputs.length > 0 && tokens.has(node.outputs[0]))
      editor.replace(node.outputs[0], node.inputs[0]);
    else editor.push(node);
  });
}

export const effects: Pass = {
  name: "effects",
  summary: "reads known cells from their values, drops assignments that are overwritten",
  run: (graph) => (hasEffects(graph) ? removeOverwritten(forwardValues(graph)) : graph),
};
