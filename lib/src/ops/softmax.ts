/** softmax and logSoftmax along an axis, without overflow; cross entropy from integer labels. */
import { permuteLayout } from "../core/layout.js";
import { normalizeAxis, typeAlong } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { elementPositions } from "../runtime/host-array.js";
import type { Kernel } from "../runtime/kernels.js";
import { apply } from "./bind.js";
import { asFloat, type TensorLike } from "./convert.js";
import { defineOp, type OpDef } from "./registry.js";
import { shiftedBatch } from "./rules.js";

export interface SoftmaxAttrs {
  readonly axis: number;
}

const softmaxReference =
  (finish: (shifted: number, sum: number) => number): Kernel<SoftmaxAttrs> =>
  ([x], [out], { axis }) => {
    const order = [...x.shape.map((_, i) => i).filter((i) => i !== axis), axis];
    const from = elementPositions(permuteLayout(x, order));
    const to = elementPositions(permuteLayout(out, order));
    const count = x.shape[axis];
    for (let start = 0; start < from.length; start += count) {
      let top = Number.NEGATIVE_INFINITY;
      for (let i = start; i < start + count; i++) top = Math.max(top, x.data[from[i]]);
      let sum = 0;
      for (let i = start; i < start + count; i++) sum += Math.exp(x.data[from[i]] - top);
      for (let i = start; i < start + count; i++) out.data[to[i]] = finish(x.data[from[i]] - top, sum);
    }
  };

const shift = ({ axis }: SoftmaxAttrs): SoftmaxAttrs => ({ axis: axis + 1 });

const softmaxOp: OpDef<SoftmaxAttrs> = defineOp<SoftmaxAttrs>({
  name: "softmax",
  type: ([x], { axis }) => [typeAlong(x, axis, "softmax")],
  reference: softmaxReference((shifted, sum) => Math.exp(shifted) / sum),
  saves: { outputs: true },
  vjp: ([g], { outputs: [y], attrs: { axis } }) => [g && y.mul(g.sub(g.mul(y).sum(axis, true)))],
  jvp: (_x, [t], [y], { axis }) => [t && y.mul(t.sub(t.mul(y).sum(axis, true)))],
  batch: shiftedBatch(() => softmaxOp, shift),
  samples: [
    { shapes: [[2, 5]], attrs: { axis: 1 } },
    { shapes: [[3, 2]], attrs: { axis: 0 } },
    { shapes: [[2, 3, 2]], attrs: { axis: 1 } },
    { shapes: [[0, 3]], attrs: { axis: 1 } },
    { shapes: [[3, 0]], attrs: { axis: 1 } },
  ],
});

const logSoftmaxOp: OpDef<SoftmaxAttrs> = defineOp<SoftmaxAttrs>({
  name: "logSoftmax",
  type: ([x], { axis }) => [typeAlong(x, axis, "logSoftmax")],
  reference: softmaxReference((shifted, sum) => shifted - Math.log(sum)),
  saves: { outputs: true },
  vjp: ([g], { outputs: [y], attrs: { axis } }) => [g && g.sub(y.exp().mul(g.sum(axis, true)))],
  jvp: (_x, [t], [y], { axis }) => [t && t.sub(y.exp().mul(t).sum(axis, true))],
  batch: shiftedBatch(() => logSoftmaxOp, shift),
  samples: [
    { shapes: [[2, 5]], attrs: { axis: 1 } },
    { shapes: [[3, 2]], attrs: { axis: 0 } },
    { shapes: [[2, 3, 2]], attrs: { axis: 1 } },
    { shapes: [[0, 3]], attrs: { axis: 1 } },
    { shapes: [[3, 0]], attrs: { axis: 1 } },
  ],
});

/**
 * eˣ / Σeˣ along `axis`.
 * @example softmax([1, 2, 3]) // [0.09003, 0.2447, 0.6652]
 */
export function softmax(x: TensorLike, axis = -1): Tensor {
  const t = asFloat(x);
  return apply(softmaxOp, [t], { axis: normalizeAxis(axis, t.ndim, "softmax") });
}

/**
 * ln softmax(x) along `axis`.
 * @example logSoftmax([1, 2, 3]) // [-2.408, -1.408, -0.4076]
 */
export function logSoftmax(x: TensorLike, axis = -1): Tensor {
  const t = asFloat(x);
  return apply(logSoftmaxOp, [t], { axis: normalizeAxis(axis, t.ndim, "logSoftmax") });
}

declare module "../core/tensor.js" {
  interface Tensor {
    softmax(axis?: number): Tensor;
    logSoftmax(axis?: number): Tensor;
  }
}

Tensor.prototype.softmax = function (axis) {
  return softmax(this, axis);
};
Tensor.prototype.logSoftmax = function (axis) {
  return logSoftmax(this, axis);
};
