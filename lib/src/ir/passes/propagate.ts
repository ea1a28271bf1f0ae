/**
 * Constant propagation through regions: a parameter that always equals a constant operand becomes that constant inside;
 * a result that is a constant or an operand whichever way the node goes becomes it outside. (Book, chapter 4.)
 */
import type { DenseTensor } from "../../runtime/dense.js";
import { editRegions, GraphEditor } from "../edit.js";
import { type Graph, type GraphNode, isFused, mapRegions, regionsOf, type Value } from "../graph.js";
import { operandsOfRegion } from "../region-rules.js";
import { equalData, invariantState, loopOf } from "./loops.js";
import type { Pass } from "./pass.js";

export function propagateConstants(graph: Graph): Graph {
  const editor = new GraphEditor(graph);
  for (const old of graph.nodes) {
    const given = editor.current(old);
    const node = editRegions(specialized(given, editor), propagateConstants);
    if (node !== given) editor.changed();
    editor.push(node);
    replaceKnownResults(node, editor);
  }
  return editor.finish();
}

/** The node whose regions know the constants among its operands, and which operands are the same value. */
function specialized(node: GraphNode, editor: GraphEditor): GraphNode {
  if (isFused(node)) return node;
  const fixed = invariantState(node, (value) => editor.constantData(value));
  const found = new Map<Graph, Graph>();
  for (const [path, region] of regionsOf(node.attrs)) {
    const operands = operandsOfRegion(node, path, region).map((at, i) =>
      at === null && fixed.has(i) && /^(cond|body)$/.test(path) ? i : at,
    );
    const changes = specializedRegion(region, node.inputs, operands, editor, fixed);
    if (changes !== region) found.set(region, changes);
  }
  if (found.size === 0) return node;
  return { ...node, attrs: mapRegions(node.attrs, (region) => found.get(region) ?? region) };
}

function specializedRegion(
  region: Graph,
  inputs: readonly Value[],
  operands: readonly (number | null)[],
  outer: GraphEditor,
  state: ReadonlySet<number>,
): Graph {
  const inner = new GraphEditor(region);
  const read = new Set<Value>([...region.nodes.flatMap((node) => node.inputs), ...region.results]);
  const first = new Map<Value, Value>();
  region.params.forEach((param, i) => {
    const at = operands[i];
    if (at === null || !read.has(param)) return;
    const data = outer.constantData(inputs[at]);
    const same = first.get(inputs[at]);
    if (data) inner.replace(param, inner.constant(data));
    else if (same && !state.has(i)) inner.replace(param, same);
    else if (!same) first.set(inputs[at], param);
  });
  for (const node of region.nodes) inner.push(inner.current(node));
  return inner.finish();
}

/** Results that are known whichever branch is taken, however often a loop runs. */
function replaceKnownResults(node: GraphNode, editor: GraphEditor): void {
  const loop = loopOf(node);
  if (loop) {
    for (const param of invariantState(node, (value) => editor.constantData(value)))
      editor.replace(node.outputs[param - loop.constants], node.inputs[param]);
    return;
  }
  if (!["call", "cond", "switch"].includes(node.op.name)) return;
  const regions = regionsOf(node.attrs).filter(([path]) => path !== "backward");
  node.outputs.forEach((output, k) => {
    const [first, ...rest] = regions.map(([path, region]) => outcome(node, path, region, k));
    if (first === null || !rest.every((other) => sameOutcome(first, other))) return;
    editor.replace(output, typeof first === "number" ? node.inputs[first] : editor.constant(first));
  });
}

/** An operand, a constant, or neither. */
type Outcome = number | DenseTensor | null;

function outcome(node: GraphNode, path: string, region: Graph, k: number): Outcome {
  const result = region.results[k];
  const param = region.params.indexOf(result);
  if (param >= 0) return operandsOfRegion(node, path, region)[param];
  return region.constants.find(({ value }) => value === result)?.data ?? null;
}

function sameOutcome(a: Outcome, b: Outcome): boolean {
  if (typeof a === "number" || typeof b === "number" || a === null || b === null) return a === b;
  return equalData(a, b);
}

export const propagate: Pass = {
  name: "propagate",
  summary: "carries constants into and out of branches, loops and calls",
  run: propagateConstants,
};
