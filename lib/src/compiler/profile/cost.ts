/**
 * What a node costs on paper: floating-point operations and bytes of tensors read and written. (Roofline model: Williams,
 * Waterman & Patterson 2009; book, chapter 5: compute-bound and memory-bound ops.)
 */
import { bytesPerElement } from "../../core/dtype.js";
import { type Shape, sizeOf } from "../../core/shape.js";
import { layoutsOf } from "../../graph/layouts.js";
import type { ContractionAttrs } from "../../ir/call.js";
import type { FusedReductionAttrs } from "../../ir/fused-reduction.js";
import { type Graph, type GraphNode, regionsOf, type Value } from "../../ir/graph.js";

export interface NodeCost {
  /** Additions, multiplications and the like, functions as one each; `null` where it depends on values (loops). */
  readonly flops: number | null;
  /** Each operand read once and each result written once: what no kernel can avoid. */
  readonly bytes: number;
}

/** Flops of ops that are no elementwise ones, by name: inputs and outputs by shape. */
const FLOPS: Readonly<Record<string, (inputs: readonly Shape[], outputs: readonly Shape[]) => number>> = {
  matmul: ([a], [out]) => 2 * sizeOf(out) * a[a.length - 1],
  conv2d: ([, w], [y]) => 2 * sizeOf(y) * sizeOf(w.slice(1)),
  conv2dInputGrad: ([g, w]) => 2 * sizeOf(g) * sizeOf(w.slice(1)),
  conv2dWeightGrad: ([, g], [w]) => 2 * sizeOf(g) * sizeOf(w.slice(1)),
  softmax: ([x]) => 5 * sizeOf(x), // largest, difference, exp, sum, quotient
  fusedAttention: ([q, k], [out]) => {
    const keys = k[k.length - 2];
    return keys * (2 * sizeOf(q) + 2 * sizeOf(out) + 5 * sizeOf(q.slice(0, -1)));
  },
  logSoftmax: ([x]) => 5 * sizeOf(x),
};

/**
 * The cost of each node; views are free.
 * @example [...compiler.costsOf(capture((x: Tensor) => x.matmul(x), ones([2, 2]))).values()][0].flops // 16
 */
export function costsOf(graph: Graph): Map<GraphNode, NodeCost> {
  const { viewed } = layoutsOf(graph);
  return new Map(
    graph.nodes.map((node) => {
      if (viewed.has(node.outputs[0])) return [node, { flops: 0, bytes: 0 }];
      const values = [...new Set([...node.inputs, ...node.outputs])];
      return [node, { flops: flopsOf(node), bytes: values.reduce((sum, value) => sum + bytesOf(value), 0) }];
    }),
  );
}

function flopsOf(node: GraphNode): number | null {
  const { op, inputs, outputs, attrs } = node;
  const known = FLOPS[op.name];
  if (known)
    return known(
      inputs.map(({ shape }) => shape),
      outputs.map(({ shape }) => shape),
    );
  if (op.name === "fusedContraction") {
    const { op: first, graph } = attrs as ContractionAttrs;
    const inner = graph.nodes.map(flopsOf);
    const shapes = [inputs.map(({ shape }) => shape), [graph.params[0].shape]] as const;
    return FLOPS[first](...shapes) + inner.reduce((sum: number, flops) => sum + (flops ?? 0), 0);
  }
  if (op.name === "fusedReduction") {
    const { graph } = attrs as unknown as FusedReductionAttrs;
    const inner = graph.nodes.map(flopsOf);
    return sizeOf(graph.results[0].shape) + inner.reduce((sum: number, flops) => sum + (flops ?? 0), 0);
  }
  const regions = regionsOf(attrs);
  if (regions.length > 0) {
    if (op.name !== "fused" && op.name !== "fusedMany" && op.name !== "call") return null;
    const inner = regions.flatMap(([, region]) => region.nodes.map(flopsOf));
    return inner.some((flops) => flops === null)
      ? null
      : inner.reduce((sum: number, flops) => sum + (flops ?? 0), 0);
  }
  if (op.kind === "elementwise") return op.name === "cast" ? 0 : sizeOf(outputs[0].shape);
  if (op.kind === "reduction") return sizeOf(inputs[0].shape);
  return 0; // moves elements, or is counted by nobody
}

const bytesOf = ({ shape, dtype }: Value): number => sizeOf(shape) * bytesPerElement(dtype);
