/** Scaled dot-product attention as one op of the back end: what the `attention` pass makes of products and a softmax. */
import type { Shape, TensorType } from "../core/shape.js";
import { bind } from "../ops/bind.js";
import { defineOp, getOp, type OpDef } from "../ops/registry.js";
import { GraphBuilder } from "./builder.js";
import { callOp, filled, noKernel, runRegion } from "./call.js";
import { constantOf } from "./data.js";
import { vjpGraph } from "./derive.js";
import { type Graph, typeOf } from "./graph.js";

export interface FusedAttentionAttrs {
  readonly scale: number;
  /** Query i sees the keys 0 … i. */
  readonly causal: boolean;
}

/** softmax(scale · q·kᵀ) · v from single ops; q (…, tq, d), k (…, tk, d), v (…, tk, dv). */
export function attentionApart({ scale, causal }: FusedAttentionAttrs, inputs: readonly TensorType[]): Graph {
  const builder = new GraphBuilder("fusedAttention");
  const [q, k, v] = inputs.map((type) => builder.param(typeOf(type)));
  const rank = k.shape.length;
  const axes = [...k.shape.keys()].slice(0, -2).concat(rank - 1, rank - 2);
  const scalar = (value: number) => builder.constant(constantOf([value], { shape: [], dtype: q.dtype }));
  const [transposed] = builder.node(getOp("transpose"), [k], { axes });
  const [products] = builder.node(getOp("matmul"), [q, transposed]);
  let [scores] = builder.node(getOp("mul"), [products, scalar(scale)]);
  if (causal) {
    const mask = builder.constant(causalMask(q.shape[rank - 2], k.shape[rank - 2]));
    [scores] = builder.node(getOp("where"), [mask, scores, scalar(-1e30)]);
  }
  const [weights] = builder.node(getOp("softmax"), [scores], { axis: rank - 1 });
  return builder.finish(builder.node(getOp("matmul"), [weights, v]));
}

function causalMask(queries: number, keys: number) {
  const seen = Array.from({ length: queries * keys }, (_, at) => Number(Math.floor(at / keys) >= at % keys));
  const shape: Shape = [queries, keys];
  return constantOf(seen, { shape, dtype: "bool" });
}

export const fusedAttentionOp: OpDef<FusedAttentionAttrs> = defineOp<FusedAttentionAttrs>({
  name: "fusedAttention",
  kind: "control", // it runs other ops where there is no kernel
  type: ([q, , v]) => [{ shape: [...q.shape.slice(0, -1), v.shape[v.shape.length - 1]], dtype: q.dtype }],
  reference: noKernel("fusedAttention"),
  composite: (inputs, attrs) => runRegion(attentionApart(attrs, inputs), inputs),
  saves: { inputs: "all" },
  vjp: (gradients, { inputs, outputTypes, attrs }) =>
    bind(callOp, [...inputs, ...filled(gradients, outputTypes)], {
      graph: vjpGraph(attentionApart(attrs, inputs)),
    }),
  jvp: (primals, tangents, outputs, attrs) => {
    if (callOp.jvp === "not differentiable") return [];
    return callOp.jvp(primals, tangents, outputs, { graph: attentionApart(attrs, primals) });
  },
  batch: (inputs, axes, attrs, size) => {
    const one = inputs.map((x, i) => ({
      dtype: x.dtype,
      shape: x.shape.filter((_, axis) => axis !== axes[i]),
    }));
    return callOp.batch(inputs, axes, { graph: attentionApart(attrs, one) }, size);
  },
  samples: [],
});
