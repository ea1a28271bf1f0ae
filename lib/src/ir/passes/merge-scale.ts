/**
 * Scales in the place of normalizations: a chain of sums, differences, products and quotients with constants becomes one
 * product and one sum, x · s + t. (Book, chapter 8: BatchNorm with fixed statistics replaced by Scale.) Rounding differs:
 * needs the licence `reassoc`.
 */
import { isFloat } from "../../core/dtype.js";
import { sameShape } from "../../core/shape.js";
import { GraphEditor } from "../edit.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import { collectLinks, type Link } from "./links.js";
import type { Pass } from "./pass.js";

export const mergeScale: Pass = {
  name: "merge-scale",
  summary: "turns chains of sums and products with constants into one scale and one shift (reassoc)",
  run: (graph, { fastMath }) => (fastMath.includes("reassoc") ? mergeScales(graph) : graph),
};

interface Chain {
  readonly from: Value;
  readonly links: readonly Link[];
}

function mergeScales(graph: Graph): Graph {
  const fixed = fixedValues(graph);
  const chains = new Map<GraphNode, Chain>();
  const inside = new Set<GraphNode>();
  for (const node of graph.nodes) {
    if (inside.has(node)) continue;
    const links = chainFrom(graph, node, fixed);
    if (links.length < 3) continue; // two are a scale and a shift already
    const value = links[0].node.inputs[links[0].at];
    chains.set(links[links.length - 1].node, { from: value, links });
    for (const link of links) inside.add(link.node);
  }
  if (chains.size === 0) return graph;
  const editor = new GraphEditor(graph);
  for (const node of graph.nodes) {
    const chain = chains.get(node);
    if (!chain) {
      if (!inside.has(node)) editor.push(editor.current(node));
      continue;
    }
    const { scale, shift } = collectLinks(editor, chain.links);
    let y = editor.now(chain.from);
    if (scale) [y] = editor.emit("mul", [y, scale], {}, node.loc);
    if (shift) [y] = editor.emit("add", [y, shift], {}, node.loc);
    editor.replace(node.outputs[0], y);
  }
  return editor.finish();
}

/** Constants, and what is computed from constants alone (folding may have left it, being large). */
function fixedValues(graph: Graph): Set<Value> {
  const fixed = new Set(graph.constants.map(({ value }) => value));
  for (const node of graph.nodes)
    if (
      node.inputs.length > 0 &&
      node.inputs.every((input) => fixed.has(input)) &&
      node.op.kind !== "control"
    )
      for (const output of node.outputs) fixed.add(output);
  return fixed;
}

/** The longest chain that starts with this node, whose values between nobody else reads. */
function chainFrom(graph: Graph, start: GraphNode, fixed: ReadonlySet<Value>): Link[] {
  const links: Link[] = [];
  let node: GraphNode | undefined = start;
  let value = start.inputs.find((input) => !fixed.has(input));
  while (node && value) {
    const link = linkOf(node, value, fixed);
    if (!link) break;
    links.push(link);
    value = node.outputs[0];
    const users = graph.users(value);
    if (users.length !== 1 || graph.results.includes(value)) break;
    node = users[0];
  }
  return links;
}

function linkOf(node: GraphNode, value: Value, fixed: ReadonlySet<Value>): Link | null {
  const { name } = node.op;
  if (!["add", "sub", "mul", "div"].includes(name) || !isFloat(value.dtype)) return null;
  const at = node.inputs.indexOf(value);
  const by = node.inputs[1 - at];
  if (at < 0 || !fixed.has(by) || (name === "div" && at === 1)) return null;
  const [y] = node.outputs;
  if (!sameShape(y.shape, value.shape) || y.dtype !== value.dtype || by.dtype !== value.dtype) return null;
  return { node, at, by, reversed: name === "sub" && at === 1 };
}
