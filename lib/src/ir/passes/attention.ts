/**
 * Attention: two products with a softmax between them become one kernel that never writes the scores to memory. Runs in
 * front of elementwise fusion, which would join the scaling with the mask.
 */
import { sameShape } from "../../core/shape.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { fusedAttentionOp } from "../fused-attention.js";
import type { Graph, GraphNode, Value } from "../graph.js";
import type { Pass } from "./pass.js";

export function fuseAttention(graph: Graph): Graph {
  const found = new Map<GraphNode, Match>();
  const inside = new Set<GraphNode>();
  for (const node of graph.nodes) {
    const match = matchAt(graph, node);
    // the last product of one attention may be the first of another: the earlier one has it
    if (!match || match.nodes.some((each) => found.has(each) || inside.has(each))) continue;
    found.set(node, match);
    for (const each of match.nodes) inside.add(each);
  }
  if (found.size === 0) return graph;
  const nodes = graph.nodes
    .filter((node) => !inside.has(node))
    .map((node): GraphNode => {
      const match = found.get(node);
      if (!match) return node;
      const { scale, causal, inputs } = match;
      return {
        op: fusedAttentionOp as unknown as GraphNode["op"],
        inputs,
        attrs: { scale, causal },
        outputs: node.outputs,
        loc: node.loc,
      };
    });
  const used = new Set<Value>([...nodes.flatMap((node) => node.inputs), ...graph.results]);
  return graph.with({ nodes, constants: graph.constants.filter(({ value }) => used.has(value)) });
}

export const attention: Pass = {
  name: "attention",
  summary: "makes one kernel of softmax(scale · q·kᵀ) · v, with or without a causal mask",
  run: fuseAttention,
};

interface Match {
  readonly scale: number;
  readonly causal: boolean;
  readonly inputs: readonly [q: Value, k: Value, v: Value];
  /** What vanishes into the kernel. */
  readonly nodes: readonly GraphNode[];
}

function matchAt(graph: Graph, node: GraphNode): Match | null {
  const data = new Map(graph.constants.map((constant) => [constant.value, constant.data]));
  const nodes: GraphNode[] = [];
  /** The only reader's producer, if it is this op; it then belongs to the match. */
  const take = (value: Value, op: string): GraphNode | null => {
    const producer = graph.producer(value);
    if (producer?.op.name !== op || graph.users(value).length > 1 || graph.results.includes(value))
      return null;
    nodes.push(producer);
    return producer;
  };
  if (node.op.name !== "matmul") return null;
  const [weights, v] = node.inputs;
  const softmax = take(weights, "softmax");
  const rank = weights.shape.length;
  if (!softmax || (softmax.attrs as { axis: number }).axis !== rank - 1) return null;
  let scores = softmax.inputs[0];
  const hidden = take(scores, "where");
  if (hidden) {
    const [mask, seen, else_] = hidden.inputs;
    const below = data.get(else_);
    const hides = below?.size === 1 && below.item() <= (below.dtype === "float16" ? -6e4 : -0.99e30);
    if (!isCausal(data.get(mask), scores) || !hides) return null;
    scores = seen;
  }
  const scaled = take(scores, "mul");
  let scale = 1;
  if (scaled) {
    const factor = scaled.inputs.map((input) => data.get(input)).find((x) => x?.size === 1);
    if (!factor) return null;
    scale = factor.item();
    scores = scaled.inputs.find((input) => data.get(input) !== factor) as Value;
  }
  const product = take(scores, "matmul");
  if (!product) return null;
  const [q, transposed] = product.inputs;
  const turn = take(transposed, "transpose");
  if (!turn) return null;
  const { axes } = turn.attrs as { axes: readonly number[] };
  const [k] = turn.inputs;
  const lastTwo = axes.every(
    (axis, i) => axis === (i === rank - 1 ? rank - 2 : i === rank - 2 ? rank - 1 : i),
  );
  const batch = (x: Value) => x.shape.slice(0, -2);
  const alike = [k, v].every((x) => sameShape(batch(x), batch(q)));
  if (!lastTwo || axes.length !== rank || !alike || !Number.isFinite(scale)) return null;
  // a node that reads a value twice counts as one reader: k·kᵀ with kᵀ for both
  if ([q, k, v].some((input) => nodes.some(({ outputs }) => outputs.includes(input)))) return null;
  return { scale, causal: hidden !== null, inputs: [q, k, v], nodes };
}

/** A constant that shows each query the keys up to its own position. */
function isCausal(mask: DenseTensor | undefined, { shape }: Value): boolean {
  const [queries, keys] = shape.slice(-2);
  if (mask?.size !== queries * keys || mask.shape[mask.shape.length - 1] !== keys) return false;
  const values = mask.toTypedArray();
  for (let i = 0; i < queries; i++)
    for (let j = 0; j < keys; j++) if (Boolean(values[i * keys + j]) !== i >= j) return false;
  return true;
}
