/**
 * Folding of scales into convolutions: what multiplies and shifts each channel of a convolution's result (batch
 * normalization with fixed statistics) goes into the filters and one bias. If filters and statistics are constants,
 * folding of constants then leaves a convolution alone. Sums are rounded differently: needs the licence `reassoc`. (Book,
 * chapters 5 and 8: Conv + BatchNorm.)
 */
import { sizeOf } from "../../core/shape.js";
import { GraphEditor } from "../edit.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import type { Pass } from "./pass.js";

export const foldScale: Pass = {
  name: "fold-scale",
  summary: "moves scales and shifts per channel behind a convolution into its filters and one bias (reassoc)",
  run: (graph, { fastMath }) => (fastMath.includes("reassoc") ? foldScales(graph) : graph),
};

/** One op behind the convolution: on its result and a value per channel. */
interface Link {
  readonly node: GraphNode;
  readonly by: Value;
  /** The convolution is the second operand of a difference. */
  readonly reversed: boolean;
}

function foldScales(graph: Graph): Graph {
  const chains = new Map<GraphNode, { conv: GraphNode; links: Link[] }>();
  const inside = new Set<GraphNode>();
  for (const conv of graph.nodes) {
    if (conv.op.name !== "conv2d") continue;
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
    const { scale, shift } = collect(editor, links);
    const [x, w] = conv.inputs.map((input) => editor.now(input));
    const channels = w.shape[0];
    const perFilter = sizeOf(scale.shape) === 1 ? [] : [channels, 1, 1, 1];
    const [factor] = editor.emit("reshape", [scale], { shape: perFilter });
    const [filters] = editor.emit("mul", [w, factor], {}, conv.loc);
    const [y] = editor.emit(conv.op, [x, filters], conv.attrs, conv.loc);
    const [result] = shift ? editor.emit("add", [y, shift], {}, node.loc) : [y];
    editor.replace(node.outputs[0], result);
  }
  return editor.finish();
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
    if (!linear || !by || by === value || !isPerChannel(by, value)) return links;
    links.push({ node: next, by, reversed: next.op.name === "sub" && at === 1 });
    value = next.outputs[0];
  }
}

/** One element, or one for each channel of (n, c, h, w). */
function isPerChannel(by: Value, { shape }: Value): boolean {
  if (sizeOf(by.shape) === 1) return by.shape.length <= shape.length;
  const full = [...new Array<number>(shape.length - by.shape.length).fill(1), ...by.shape];
  return full.length === 4 && full[0] === 1 && full[1] === shape[1] && full[2] === 1 && full[3] === 1;
}

/** What the links do to y, as scale · y + shift. */
function collect(editor: GraphEditor, links: readonly Link[]): { scale: Value; shift: Value | null } {
  let scale: Value | null = null;
  let shift: Value | null = null;
  const apply = (op: string, ...inputs: Value[]): Value => editor.emit(op, inputs)[0];
  for (const { node, by: given, reversed } of links) {
    const by = editor.now(given);
    if (node.op.name === "mul") {
      scale = scale ? apply("mul", scale, by) : by;
      shift = shift && apply("mul", shift, by);
    } else if (node.op.name === "div") {
      scale = scale ? apply("div", scale, by) : apply("reciprocal", by);
      shift = shift && apply("div", shift, by);
    } else if (reversed) {
      scale = scale ? apply("neg", scale) : editor.scalar(-1, by.dtype);
      shift = shift ? apply("sub", by, shift) : by;
    } else if (node.op.name === "add") shift = shift ? apply("add", shift, by) : by;
    else shift = shift ? apply("sub", shift, by) : apply("neg", by);
  }
  return { scale: scale as Value, shift };
}
