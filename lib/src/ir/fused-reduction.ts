/** A reduction of what a region computes element by element, as one op of the back end: what the `fuse-reduce` pass leaves. */
import type { TensorType } from "../core/shape.js";
import { bind } from "../ops/bind.js";
import type { ReduceAttrs } from "../ops/reduce.js";
import { defineOp, getOp, type OpDef } from "../ops/registry.js";
import { GraphBuilder } from "./builder.js";
import { callOp, filled, noKernel, regionTypes, runRegion } from "./call.js";
import { vjpGraph } from "./derive.js";
import { type Graph, typeOf } from "./graph.js";

export interface FusedReductionAttrs {
  /** Name and attributes of the op that comes last. */
  readonly op: "sum" | "prod" | "max" | "min";
  readonly attrs: ReduceAttrs;
  /** Elementwise ops over one shape with one result, which is reduced. */
  readonly graph: Graph;
}

/** The same as two ops. */
export function reductionApart({ op, attrs, graph }: FusedReductionAttrs): Graph {
  const builder = new GraphBuilder("fusedReduction");
  const values = graph.params.map((param) => builder.param(typeOf(param)));
  const made = builder.node(callOp as unknown as OpDef, values, { graph });
  return builder.finish(builder.node(getOp(op), made, attrs as unknown as Record<string, unknown>));
}

/** Executors run it as one kernel where they can, so that the elements are never written to memory. */
export const fusedReductionOp: OpDef<FusedReductionAttrs> = defineOp<FusedReductionAttrs>({
  name: "fusedReduction",
  kind: "control", // it runs other ops where there is no kernel
  type: (inputs, { op, attrs, graph }): readonly TensorType[] =>
    getOp(op).type(regionTypes(graph, inputs, "fusedReduction"), attrs as never),
  reference: noKernel("fusedReduction"),
  composite: (inputs, attrs) => runRegion(reductionApart(attrs), inputs),
  saves: { inputs: "all" },
  vjp: (gradients, { inputs, outputTypes, attrs }) =>
    bind(callOp, [...inputs, ...filled(gradients, outputTypes)], { graph: vjpGraph(reductionApart(attrs)) }),
  jvp: (primals, tangents, outputs, attrs) => {
    if (callOp.jvp === "not differentiable") return [];
    return callOp.jvp(primals, tangents, outputs, { graph: reductionApart(attrs) });
  },
  batch: (inputs, axes, attrs, size) => callOp.batch(inputs, axes, { graph: reductionApart(attrs) }, size),
  samples: [],
});
