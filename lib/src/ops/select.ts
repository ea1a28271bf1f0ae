/** Choice and limits: where, clip, leakyRelu. */
import { broadcastShapes } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { apply } from "./bind.js";
import { asFloat, asTensor, promote, type TensorLike } from "./convert.js";
import { defineOp, type OpDef } from "./registry.js";
import { elementwiseBatch, mapReference } from "./rules.js";

declare module "../core/tensor.js" {
  interface Tensor {
    /** This tensor's elements where `condition` holds, else `other`'s. */
    where(condition: TensorLike, other: TensorLike): Tensor;
    /** Values below `low` become `low`, above `high` become `high`. */
    clip(low: number, high: number): Tensor;
    /** x where positive, else slope·x. */
    leakyRelu(slope?: number): Tensor;
  }
}

const whereOp: OpDef<object> = defineOp<object>({
  name: "where",
  kind: "elementwise",
  type: ([c, a, b]) => [{ shape: broadcastShapes([c.shape, a.shape, b.shape], "where"), dtype: a.dtype }],
  reference: mapReference((c, a, b) => (c !== 0 ? a : b)),
  saves: { inputs: [0] },
  vjp: ([g], { inputs: [c], inputTypes: [, a, b], needs }) => [
    null,
    g && needs[1] ? g.where(c, 0).sumTo(a.shape) : null,
    g && needs[2] ? asTensor(0, g.dtype).where(c, g).sumTo(b.shape) : null,
  ],
  jvp: ([c], [, a, b], [y]) => [
    a || b ? (a ?? asTensor(0, y.dtype)).where(c, b ?? asTensor(0, y.dtype)).broadcastTo(y.shape) : null,
  ],
  batch: elementwiseBatch(() => whereOp),
  samples: [
    {
      shapes: [
        [2, 3],
        [2, 3],
        [2, 3],
      ],
      dtypes: ["bool", "float64", "float64"],
      ranges: [
        [0, 2],
        [-2, 2],
        [-2, 2],
      ],
    },
    {
      shapes: [[3], [2, 1], []],
      dtypes: ["bool", "float64", "float64"],
      ranges: [
        [0, 2],
        [-2, 2],
        [-2, 2],
      ],
    },
  ],
});

/**
 * Elements of `a` where `condition` is not 0, else of `b`; all three broadcast.
 * @example where([true, false], [1, 2], [10, 20]) // [1, 20]
 */
export function where(condition: TensorLike, a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote(a, b);
  const c = asTensor(condition);
  return apply(whereOp, [c.dtype === "bool" ? c : c.notEqual(0), x, y], {});
}

interface ClipAttrs {
  readonly low: number;
  readonly high: number;
}

const clipOp: OpDef<ClipAttrs> = defineOp<ClipAttrs>({
  name: "clip",
  kind: "elementwise",
  type: ([x]) => [x],
  reference: (inputs, outputs, { low, high }) =>
    mapReference((x) => Math.min(Math.max(x, low), high))(inputs, outputs, undefined),
  saves: { inputs: "all" },
  vjp: ([g], { inputs: [x], attrs }) => [g && g.where(inside(x, attrs), 0)],
  jvp: ([x], [t], _y, attrs) => [t && t.where(inside(x, attrs), 0)],
  batch: elementwiseBatch(() => clipOp),
  samples: [{ shapes: [[3, 4]], attrs: { low: -0.81, high: 0.7 } }],
});

function inside(x: Tensor, { low, high }: ClipAttrs): Tensor {
  return x.greaterEqual(low).logicalAnd(x.lessEqual(high));
}

/**
 * Limits values to [low, high]; the gradient is 0 outside.
 * @example clip([-1, 0.5, 3], 0, 1) // [0, 0.5, 1]
 */
export function clip(x: TensorLike, low: number, high: number): Tensor {
  return apply(clipOp, [asTensor(x)], { low, high });
}

interface LeakyAttrs {
  readonly slope: number;
}

const leakyReluOp: OpDef<LeakyAttrs> = defineOp<LeakyAttrs>({
  name: "leakyRelu",
  kind: "elementwise",
  type: ([x]) => [x],
  reference: (inputs, outputs, { slope }) =>
    mapReference((x) => (x > 0 ? x : slope * x))(inputs, outputs, undefined),
  saves: { inputs: "all" },
  vjp: ([g], { inputs: [x], attrs }) => [g && g.where(x.greater(0), g.mul(attrs.slope))],
  jvp: ([x], [t], _y, attrs) => [t && t.where(x.greater(0), t.mul(attrs.slope))],
  batch: elementwiseBatch(() => leakyReluOp),
  samples: [
    { shapes: [[2, 3]], attrs: { slope: 0.1 }, ranges: [[0.2, 2]] },
    { shapes: [[4]], attrs: { slope: 0.1 }, ranges: [[-2, -0.2]] },
  ],
});

/**
 * x where positive, else slope·x.
 * @example leakyRelu([-1, 2], 0.1) // [-0.1, 2]
 */
export function leakyRelu(x: TensorLike, slope = 0.01): Tensor {
  return apply(leakyReluOp, [asFloat(x)], { slope });
}

Tensor.prototype.where = function (condition, other) {
  return where(condition, this, other);
};
Tensor.prototype.clip = function (low, high) {
  return clip(this, low, high);
};
Tensor.prototype.leakyRelu = function (slope) {
  return leakyRelu(this, slope);
};
