/**
 * Epilogues: what is done element by element with the result of a product or convolution, and with nothing else, is done
 * block by block while the result is in the cache. Conv + bias + ReLU, matmul + bias + activation, Conv + Conv + Sum +
 * ReLU (the second convolution takes the sum and the ReLU along). (Book, chapter 5.)
 */
import { sameShape } from "../../core/shape.js";
import { type ContractionAttrs, fusedContractionOp } from "../call.js";
import { type Constant, Graph, type GraphNode, type Value } from "../graph.js";
import type { Pass } from "./pass.js";

const CONTRACTIONS = new Set(["matmul", "conv2d"]);

export function fuseEpilogues(graph: Graph): Graph {
  const results = new Set(graph.results);
  /** The consumer of each contraction that is joined, and the other way round. */
  const joined = new Map<GraphNode, GraphNode>();
  const absorbed = new Set<GraphNode>();
  for (const node of graph.nodes) {
    if (!CONTRACTIONS.has(node.op.name) || results.has(node.outputs[0])) continue;
    const [consumer, ...others] = graph.users(node.outputs[0]);
    if (!consumer || others.length > 0 || !isEpilogue(consumer, node)) continue;
    // of two products that meet in a sum, the later one takes it along: the other is there by then
    const earlier = joined.get(consumer);
    if (earlier) absorbed.delete(earlier);
    joined.set(consumer, node);
    absorbed.add(node);
  }
  if (joined.size === 0) return graph;
  const nodes = graph.nodes
    .filter((node) => !absorbed.has(node))
    .map((node) => {
      const contraction = joined.get(node);
      return contraction ? joinedNode(graph, contraction, node) : node;
    });
  const used = new Set<Value>([...nodes.flatMap((node) => node.inputs), ...graph.results]);
  return graph.with({ nodes, constants: graph.constants.filter(({ value }) => used.has(value)) });
}

export const epilogue: Pass = {
  name: "epilogue",
  summary: "applies elementwise ops to a product's or a convolution's result block by block",
  run: fuseEpilogues,
};

/** Elementwise over the product's shape, with one result of its dtype. */
function isEpilogue({ op, outputs }: GraphNode, { outputs: [product] }: GraphNode): boolean {
  if (op.name !== "fused" && op.kind !== "elementwise") return false;
  return (
    outputs.length === 1 && outputs[0].dtype === product.dtype && sameShape(outputs[0].shape, product.shape)
  );
}

function joinedNode(graph: Graph, contraction: GraphNode, consumer: GraphNode): GraphNode {
  const [product] = contraction.outputs;
  const scalars = new Map(graph.constants.filter(({ data }) => data.ndim === 0).map((c) => [c.value, c]));
  const region =
    consumer.op.name === "fused"
      ? (consumer.attrs as { readonly graph: Graph }).graph
      : ofOne(consumer, scalars);
  const outer = new Map(
    region.params.map((param, i) => [param, consumer.op.name === "fused" ? consumer.inputs[i] : param]),
  );
  const others = region.params.filter((param) => outer.get(param) !== product);
  const first = region.params.find((param) => outer.get(param) === product) as Value;
  const attrs: ContractionAttrs = {
    op: contraction.op.name as ContractionAttrs["op"],
    attrs: contraction.attrs,
    graph: new Graph(region.name, [first, ...others], region.constants, region.nodes, region.results),
  };
  return {
    op: fusedContractionOp as unknown as GraphNode["op"],
    inputs: [...contraction.inputs, ...others.map((param) => outer.get(param) as Value)],
    attrs,
    outputs: consumer.outputs,
    loc: contraction.loc,
  };
}

/** A region of a single op. */
function ofOne(node: GraphNode, scalars: ReadonlyMap<Value, Constant>): Graph {
  const read = [...new Set(node.inputs)];
  const constants = read.flatMap((value) => scalars.get(value) ?? []);
  const params = read.filter((value) => !scalars.has(value));
  return new Graph(node.op.name, params, constants, [node], node.outputs);
}
