/**
 * Reductions take the elementwise ops in front of them along: Σ (x − m)² or the gradient of a bias, Σ g·y, read their
 * operands once, and what is summed is never written to memory. (Book, chapter 5: expand, aggregate, reconstruct.)
 */
import { sameShape, sizeOf } from "../../core/shape.js";
import { type FusedReductionAttrs, fusedReductionOp } from "../fused-reduction.js";
import { Graph, type GraphNode, type Value } from "../graph.js";
import type { Pass } from "./pass.js";

/** Groups larger than this are cut, as in `fuse`. */
const MAX_GROUP = 32;
const REDUCTIONS = new Set(["sum", "prod", "max", "min"]);
const DTYPES = new Set(["float32", "float64", "int32"]);
/** What is computed again rather than kept, where others read it as well. */
const CHEAP = new Set(["add", "sub", "mul", "neg", "square", "abs", "relu", "maximum", "minimum", "where"]);

/** @param smallest reductions of fewer elements are left alone */
export function fuseReductions(graph: Graph, smallest: number): Graph {
  const groups = new Map<GraphNode, ReadonlySet<GraphNode>>();
  for (const node of graph.nodes) {
    if (!isReduction(node) || sizeOf(node.inputs[0].shape) < smallest) continue;
    const group = groupOf(graph, node);
    if (group.size > 0) groups.set(node, group);
  }
  if (groups.size === 0) return graph;
  const grouped = new Set([...groups.values()].flatMap((group) => [...group]));
  const joined = graph.nodes.map((node) => {
    const group = groups.get(node);
    return group ? joinedNode(graph, node, group) : node;
  });
  const used = new Set<Value>(graph.results);
  const nodes = joined.reverse().filter((node) => {
    if (grouped.has(node) && !used.has(node.outputs[0])) return false;
    for (const input of node.inputs) used.add(input);
    return true;
  });
  return graph.with({
    nodes: nodes.reverse(),
    constants: graph.constants.filter(({ value }) => used.has(value)),
  });
}

export const fuseReduce: Pass = {
  name: "fuse-reduce",
  summary: "computes what a reduction reads element by element while it is reduced",
  run: (graph, { reduceLimit }) => fuseReductions(graph, reduceLimit),
};

/** To the dtype of its elements, over more than one of them. */
function isReduction({ op, inputs: [x], outputs: [y] }: GraphNode): boolean {
  return (
    REDUCTIONS.has(op.name) && DTYPES.has(x.dtype) && x.dtype === y.dtype && sizeOf(y.shape) < sizeOf(x.shape)
  );
}

const isElementwise = ({ op, outputs }: GraphNode): boolean =>
  op.kind === "elementwise" && outputs.length === 1;

/** The ops that a reduction takes along: what only they and it read, and what is cheaper to compute again than to keep. */
function groupOf(graph: Graph, reduction: GraphNode): Set<GraphNode> {
  const results = new Set(graph.results);
  const group = new Set<GraphNode>();
  const { shape } = reduction.inputs[0];
  const open = [reduction];
  for (let node = open.pop(); node; node = open.pop()) {
    for (const producer of graph.predecessors(node)) {
      if (group.has(producer) || group.size === MAX_GROUP || !isElementwise(producer)) continue;
      const [value] = producer.outputs;
      if (!sameShape(value.shape, shape)) continue;
      const vanishes =
        !results.has(value) && graph.users(value).every((user) => user === reduction || group.has(user));
      if (!vanishes && !isAsCheap(graph, producer)) continue;
      group.add(producer);
      open.push(reduction, ...group); // a new member may complete the users of an earlier candidate
    }
  }
  return group;
}

/** True if reading its one large operand, which others need in memory anyway, costs what reading its result would. */
function isAsCheap(graph: Graph, node: GraphNode): boolean {
  const size = sizeOf(node.outputs[0].shape);
  const large = [...new Set(node.inputs)].filter((input) => sizeOf(input.shape) === size);
  if (!CHEAP.has(node.op.name) || large.length > 1) return false;
  return large.every(
    (value) => graph.params.includes(value) || graph.users(value).some((user) => user !== node),
  );
}

function joinedNode(graph: Graph, reduction: GraphNode, group: ReadonlySet<GraphNode>): GraphNode {
  const scalars = new Map(graph.constants.filter(({ data }) => data.ndim === 0).map((c) => [c.value, c]));
  const nodes = graph.nodes.filter((node) => group.has(node));
  const inner = new Set(nodes.flatMap((node) => node.outputs));
  const read = [...new Set(nodes.flatMap((node) => node.inputs))].filter((value) => !inner.has(value));
  const inputs = read.filter((value) => !scalars.has(value));
  const constants = read.flatMap((value) => scalars.get(value) ?? []);
  const name = nodes.map(({ op }) => op.name).join("_");
  const attrs: FusedReductionAttrs = {
    op: reduction.op.name as FusedReductionAttrs["op"],
    attrs: reduction.attrs as unknown as FusedReductionAttrs["attrs"],
    graph: new Graph(name, inputs, constants, nodes, reduction.inputs),
  };
  return {
    op: fusedReductionOp as unknown as GraphNode["op"],
    inputs,
    attrs: attrs as unknown as GraphNode["attrs"],
    outputs: reduction.outputs,
    loc: reduction.loc,
  };
}
