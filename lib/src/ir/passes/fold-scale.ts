/**
 * Folding of scales into convolutions and products: what multiplies and shifts each channel of a convolution's result, or
 * each column of a product's (batch normalization with fixed statistics), goes into the weights and one bias. If filters and statistics are constants,
 * folding of constants then leaves a convolution alone. Sums are rounded differently: needs the licence `reassoc`. (Book,
 * chapters 5 and 8: Conv + BatchNorm.)
 */
import { sizeOf } from "../../core/shape.js";
import { GraphEditor } from "../edit.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import { collectLinks, type Link } from "./links.js";
import type { Pass } from "./pass.js";

export const foldScale: Pass = {
  name: "fold-scale",
  summary:
    "moves scales and shifts per channel behind a convolution or a product into its weights and one bias (reassoc)",
  run: (graph, { fastMath }) => (fastMath.includes("reassoc") ? foldScales(graph) : graph),
};

function foldScales(graph: Graph): Graph {
  const chains = new Map<GraphNode, { conv: GraphNode; links: Link[] }>();
  const inside = new Set<GraphNode>();
  for (const conv of graph.nodes) {
    if (conv.op.name !== "conv2d" && !isLayer(conv)) continue;
    const links = linksBehind(graph, conv);
    const scales = links.findLastIndex(({ node }) => node.op.name === "mul" || node.op.name === "div");
    if (scales < 0) continue;
    chains.set(links[links.length - 1].node, { conv, links });
    for (const node of [conv, ...links.slice(0, -1).map((link) => link.node)]) inside.add(node);
  }
  if (chains.size === 0) return graph;
  const editor = new GraphEditor(graph);
  for (const node of graph.nodes) {
    if (inside.has(node)) continue;
    const chain = chains.get(node);
    if (!chain) {
      editor.push(editor.current(node));
      continue;
    }
    const { conv, links } = chain;
    const { scale, shift } = collectLinks(editor, links);
    const [x, w] = conv.inputs.map((input) => editor.now(input));
    const [factor] = editor.emit("reshape", [scale as Value], { shape: besideWeights(conv, scale as Value) });
    const [filters] = editor.emit("mul", [w, factor], {}, conv.loc);
    const [y] = editor.emit(conv.op, [x, filters], conv.attrs, conv.loc);
    const [result] = shift ? editor.emit("add", [y, shift], {}, node.loc) : [y];
    editor.replace(node.outputs[0], result);
  }
  return editor.finish();
}

/** A product with a matrix that does not depend on the example: x · W. */
function isLayer(node: GraphNode): boolean {
  return node.op.name === "matmul" && node.inputs[1].shape.length === 2 && node.inputs[0].shape.length >= 2;
}

/** The shape in which a scale stands beside filters (O, I, kH, kW) or columns (n). */
function besideWeights({ op, inputs: [, w] }: GraphNode, scale: Value): number[] {
  if (sizeOf(scale.shape) === 1) return [];
  return op.name === "conv2d" ? [w.shape[0], 1, 1, 1] : [w.shape[1]];
}

/** Ops on the convolution's result and values per channel, as long as nobody else reads what lies between. */
function linksBehind(graph: Graph, conv: GraphNode): Link[] {
  const links: Link[] = [];
  let value = conv.outputs[0];
  for (;;) {
    const [next, ...others] = graph.users(value);
    if (!next || others.length > 0 || graph.results.includes(value)) return links;
    const at = next.inputs.indexOf(value);
    const by = next.inputs[1 - at];
    const linear =
      ["add", "sub", "mul", "div"].includes(next.op.name) && !(next.op.name === "div" && at === 1);
    if (!linear || !by || by === value || !isPerChannel(by, value, conv)) return links;
    links.push({ node: next, at, by, reversed: next.op.name === "sub" && at === 1 });
    value = next.outputs[0];
  }
}

/** One element, or one for each channel of (n, c, h, w); of a product, for each column. */
function isPerChannel(by: Value, { shape }: Value, { op }: GraphNode): boolean {
  if (sizeOf(by.shape) === 1) return by.shape.length <= shape.length;
  const full = [...new Array<number>(shape.length - by.shape.length).fill(1), ...by.shape];
  const axis = op.name === "conv2d" ? 1 : shape.length - 1;
  return full.length === shape.length && full.every((dim, i) => dim === (i === axis ? shape[axis] : 1));
}
