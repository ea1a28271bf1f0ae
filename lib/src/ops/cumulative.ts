/** Running results along an axis: sums, products, largest and smallest elements. */
import { permuteLayout } from "../core/layout.js";
import { normalizeAxis, typeAlong } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { elementPositions, type HostArray } from "../runtime/host-array.js";
import { apply, bind } from "./bind.js";
import { asTensor, type TensorLike } from "./convert.js";
import { scatterAlongOp, takeAlongAxis } from "./gather.js";
import { linearRecurrence, shifted } from "./recurrence.js";
import { defineOp, type OpDef } from "./registry.js";
import { shiftedBatch } from "./rules.js";

interface AxisAttrs {
  readonly axis: number;
}

const axisBehind = (op: () => OpDef<AxisAttrs>) =>
  shiftedBatch(op, ({ axis }: AxisAttrs) => ({ axis: axis + 1 }));

const samples = [
  { shapes: [[2, 4]], attrs: { axis: 1 } },
  { shapes: [[3, 2]], attrs: { axis: 0 } },
  { shapes: [[2, 0]], attrs: { axis: 1 } },
];

/** Calls `visit` for each element along the axis: its position, that of the result, and whether a new row begins. */
function walk(
  x: HostArray,
  out: HostArray,
  axis: number,
  visit: (from: number, to: number, first: boolean) => void,
): void {
  const order = [...x.shape.map((_, i) => i).filter((i) => i !== axis), axis];
  const from = elementPositions(permuteLayout(x, order));
  const to = elementPositions(permuteLayout(out, order));
  for (let i = 0; i < from.length; i++) visit(from[i], to[i], i % x.shape[axis] === 0);
}

const cumsumOp: OpDef<AxisAttrs> = defineOp<AxisAttrs>({
  name: "cumsum",
  type: ([x], { axis }) => [typeAlong(x, axis, "cumsum")],
  reference: ([x], [out], { axis }) => {
    let running = 0;
    walk(x, out, axis, (from, to, first) => {
      running = (first ? 0 : running) + x.data[from];
      out.data[to] = running;
    });
  },
  vjp: ([g], { attrs: { axis } }) => [g && backwards(g, axis)],
  jvp: (_x, [t], _y, attrs) => [t && apply(cumsumOp, [t], attrs)],
  batch: axisBehind(() => cumsumOp),
  samples,
});

/** Sums of each element and all behind it. */
const backwards = (x: Tensor, axis: number): Tensor => cumsum(x.flip(axis), axis).flip(axis);

/**
 * Running sums along `axis`.
 * @example cumsum([1, 2, 3]) // [1, 3, 6]
 */
export function cumsum(x: TensorLike, axis = -1): Tensor {
  return alongAxis(cumsumOp, x, axis)[0];
}

const cumprodOp: OpDef<AxisAttrs> = defineOp<AxisAttrs>({
  name: "cumprod",
  type: ([x], { axis }) => [typeAlong(x, axis, "cumprod")],
  reference: ([x], [out], { axis }) => {
    let running = 1;
    walk(x, out, axis, (from, to, first) => {
      running = (first ? 1 : running) * x.data[from];
      out.data[to] = running;
    });
  },
  saves: { inputs: "all", outputs: true },
  // yⱼ = xⱼ·yⱼ₋₁ differentiated as a recurrence, without a division: right at zeros, and so are its own derivatives
  vjp: ([g], { inputs: [x], outputs: [y], attrs: { axis } }) => {
    if (!g) return [null];
    const back = linearRecurrence(shifted(x, axis, -1), g, { axis, reverse: true });
    return [back.mul(shifted(y, axis, 1, 1))];
  },
  jvp: ([x], [t], [y], { axis }) => [t && linearRecurrence(x, t.mul(shifted(y, axis, 1, 1)), { axis })],
  batch: axisBehind(() => cumprodOp),
  samples: [
    ...samples,
    { shapes: [[3, 4]], attrs: { axis: 1 }, values: [[1.5, 0, -0.5, 2, 0, 1.2, 0, 0.7, 0.3, 0, 0, -1]] },
  ],
});

/**
 * Running products along `axis`.
 * @example cumprod([1, 2, 3]) // [1, 2, 6]
 */
export function cumprod(x: TensorLike, axis = -1): Tensor {
  return alongAxis(cumprodOp, x, axis)[0];
}

/** Running extremes with their positions (int32), of equal ones the last. */
function extremeOp(name: "cummax" | "cummin", beats: (x: number, held: number) => boolean): OpDef<AxisAttrs> {
  const def: OpDef<AxisAttrs> = defineOp<AxisAttrs>({
    name,
    type: ([x], { axis }) => [typeAlong(x, axis, name), { shape: x.shape, dtype: "int32" }],
    reference: ([x], [values, indices], { axis }) => {
      let [held, place, next] = [0, 0, 0];
      walk(x, values, axis, (from, to, first) => {
        const value = x.data[from];
        next = first ? 0 : next + 1;
        if (first || Number.isNaN(value) || beats(value, held)) [held, place] = [value, next];
        values.data[to] = held;
        indices.data[to] = place;
      });
    },
    saves: { outputs: true },
    vjp: ([g], { outputs: [, indices], inputTypes: [x], attrs: { axis } }) => [
      g && apply(scatterAlongOp, [indices, g], { axis, size: x.shape[axis] }),
    ],
    jvp: (_x, [t], [, indices], { axis }) => [t && takeAlongAxis(t, indices, axis), null],
    batch: axisBehind(() => def),
    samples,
  });
  return def;
}

const cummaxOp = extremeOp("cummax", (x, held) => x >= held);
const cumminOp = extremeOp("cummin", (x, held) => x <= held);

/** What `cummax` and `cummin` return, both of the shape of the input. */
export interface CumulativeExtreme {
  readonly values: Tensor;
  /** Where along the axis each stands, int32. */
  readonly indices: Tensor;
}

function alongAxis(op: OpDef<AxisAttrs>, x: TensorLike, axis: number): Tensor[] {
  const t = asTensor(x);
  return bind(op, [t.dtype === "bool" ? t.cast("int32") : t], { axis: normalizeAxis(axis, t.ndim, op.name) });
}

/**
 * The largest element so far along `axis`, and where it stands (of equal ones the last); NaN wins.
 * @example cummax([1, 3, 2]).values // [1, 3, 3]
 */
export function cummax(x: TensorLike, axis = -1): CumulativeExtreme {
  const [values, indices] = alongAxis(cummaxOp, x, axis);
  return { values, indices };
}

/**
 * The smallest element so far along `axis`, and where it stands (of equal ones the last); NaN wins.
 * @example cummin([3, 1, 2]).values // [3, 1, 1]
 */
export function cummin(x: TensorLike, axis = -1): CumulativeExtreme {
  const [values, indices] = alongAxis(cumminOp, x, axis);
  return { values, indices };
}

/**
 * Differences of neighbours along `axis`, `order` times.
 * @example diff([1, 4, 9]) // [3, 5]
 */
export function diff(x: TensorLike, order = 1, axis = -1): Tensor {
  let t = asTensor(x);
  const at = normalizeAxis(axis, t.ndim, "diff");
  for (let k = 0; k < order; k++) {
    const part = (from: number | null, to: number | null): Tensor =>
      t.slice(...t.shape.map((_, a) => (a === at ? ([from, to] as const) : ":")));
    t = part(1, null).sub(part(null, -1));
  }
  return t;
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** Running sums along `axis` (the last). */
    cumsum(axis?: number): Tensor;
    /** Running products along `axis` (the last). */
    cumprod(axis?: number): Tensor;
  }
}

Tensor.prototype.cumsum = function (axis) {
  return cumsum(this, axis);
};
Tensor.prototype.cumprod = function (axis) {
  return cumprod(this, axis);
};
