/** Reductions over axes: sum, prod, max, min, any, all, argmax, argmin; mean, variance, std and logSumExp from them. */
import { ShapeError } from "../core/errors.js";
import { permuteLayout } from "../core/layout.js";
import {
  checkAxes,
  checkAxis,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  reducedShape,
  type Shape,
  sameShape,
  sizeOf,
  type TensorType,
} from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { elementPositions } from "../runtime/host-array.js";
import type { Kernel } from "../runtime/kernels.js";
import { apply } from "./bind.js";
import { asFloat, asTensor, type TensorLike } from "./convert.js";
import { cumprod } from "./cumulative.js";
import { shifted } from "./recurrence.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef } from "./registry.js";
import { shiftedBatch } from "./rules.js";

/** Axes to reduce: one, several, or all when absent. Negative axes count from the back. */
export type Axes = number | readonly number[] | null;

export interface ReduceAttrs {
  /** Ascending, counted from the front. */
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** Reference kernel: `finish(fold(f))` over the elements of each group, in row-major order. */
function foldReference(
  fold: (values: ArrayLike<number>, positions: Int32Array, start: number, count: number) => number,
): Kernel<ReduceAttrs> {
  return ([x], [out], { axes }) => {
    const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
    const positions = elementPositions(permuteLayout(x, [...kept, ...axes]));
    const groups = sizeOf(kept.map((i) => x.shape[i]));
    const count = sizeOf(axes.map((i) => x.shape[i]));
    for (let group = 0; group < groups; group++)
      out.data[group] = fold(x.data, positions, group * count, count);
  };
}

const accumulate = (start: number, step: (sum: number, x: number) => number) =>
  foldReference((data, positions, from, count) => {
    let sum = start;
    for (let i = from; i < from + count; i++) sum = step(sum, data[positions[i]]);
    return sum;
  });

const shiftAxes = (attrs: ReduceAttrs): ReduceAttrs => ({ ...attrs, axes: attrs.axes.map((a) => a + 1) });

/** `y` with size-1 axes where `axes` were reduced, so that it broadcasts against the input. */
function unreduced(y: Tensor, input: TensorType, { axes }: ReduceAttrs): Tensor {
  return y.reshape(reducedShape(input.shape, axes, true));
}

interface ReduceRow {
  readonly kernel: Kernel<ReduceAttrs>;
  readonly dtype?: (input: TensorType["dtype"]) => TensorType["dtype"];
  /** Refuses empty groups. */
  readonly nonEmpty?: boolean;
  readonly samples?: OpDef<ReduceAttrs>["samples"];
  readonly rules: Pick<OpDef<ReduceAttrs>, "vjp" | "jvp" | "saves">;
}

/** Gradient of max and min: shared equally among the elements that attain it. */
const extremum: ReduceRow["rules"] = {
  saves: { inputs: "all", outputs: true },
  vjp: ([g], { inputs: [x], outputs: [y], attrs }) => {
    if (!g) return [null];
    const hit = x.equal(unreduced(y, x, attrs)).cast(x.dtype);
    const share = hit.div(sum(hit, attrs.axes, true));
    return [share.mul(unreduced(g, x, attrs))];
  },
  jvp: ([x], [t], [y], attrs) => {
    if (!t) return [null];
    const hit = x.equal(unreduced(y, x, attrs)).cast(x.dtype);
    return [sum(hit.div(sum(hit, attrs.axes, true)).mul(t), attrs.axes, attrs.keepDims)];
  },
};

const constant: ReduceRow["rules"] = { vjp: NOT_DIFFERENTIABLE, jvp: NOT_DIFFERENTIABLE };

const ROWS = {
  sum: {
    kernel: accumulate(0, (s, x) => s + x),
    dtype: (d) => (d === "bool" || d === "uint8" || d === "int8" || d === "int16" ? "int32" : d),
    rules: {
      vjp: ([g], { inputTypes: [x], attrs }) => [g && unreduced(g, x, attrs).broadcastTo(x.shape)],
      jvp: (_x, [t], _y, { axes, keepDims }) => [t && sum(t, axes, keepDims)],
    },
  },
  prod: {
    kernel: accumulate(1, (s, x) => s * x),
    samples: [
      {
        shapes: [[3, 4]],
        attrs: { axes: [1], keepDims: false },
        values: [[1.5, 0, -0.5, 2, 0, 1.2, 0, 0.7, 0, 0, 0, -1]],
      },
    ],
    dtype: (d) => (d === "bool" || d === "uint8" || d === "int8" || d === "int16" ? "int32" : d),
    rules: {
      saves: { inputs: "all" },
      vjp: ([g], { inputs: [x], attrs }) => [g && productOfOthers(x, attrs.axes).mul(unreduced(g, x, attrs))],
      jvp: ([x], [t], _y, attrs) => [
        t && sum(productOfOthers(x, attrs.axes).mul(t), attrs.axes, attrs.keepDims),
      ],
    },
  },
  max: {
    kernel: accumulate(Number.NEGATIVE_INFINITY, (s, x) => (x > s || Number.isNaN(x) ? x : s)),
    nonEmpty: true,
    rules: extremum,
  },
  min: {
    kernel: accumulate(Number.POSITIVE_INFINITY, (s, x) => (x < s || Number.isNaN(x) ? x : s)),
    nonEmpty: true,
    rules: extremum,
  },
  any: { kernel: accumulate(0, (s, x) => Number(s !== 0 || x !== 0)), dtype: () => "bool", rules: constant },
  all: { kernel: accumulate(1, (s, x) => Number(s !== 0 && x !== 0)), dtype: () => "bool", rules: constant },
} satisfies Record<string, ReduceRow>;

type ReduceName = keyof typeof ROWS;
const defs = new Map<ReduceName, OpDef<ReduceAttrs>>();

for (const [key, value] of Object.entries(ROWS)) {
  const name = key as ReduceName;
  const row: ReduceRow = value;
  const def: OpDef<ReduceAttrs> = defineOp<ReduceAttrs>({
    name,
    kind: "reduction",
    type: ([x], { axes, keepDims }) => {
      checkAxes(axes, x.shape.length, name);
      if (row.nonEmpty && axes.some((a) => x.shape[a] === 0)) {
        throw new ShapeError(
          `${name}: cannot reduce an empty axis of ${formatShape(x.shape)}; ${name} has no identity`,
        );
      }
      return [{ shape: reducedShape(x.shape, axes, keepDims), dtype: row.dtype?.(x.dtype) ?? x.dtype }];
    },
    reference: row.kernel,
    ...row.rules,
    batch: shiftedBatch(() => def, shiftAxes),
    samples: [
      { shapes: [[2, 3, 4]], attrs: { axes: [1], keepDims: false } },
      { shapes: [[2, 3]], attrs: { axes: [0, 1], keepDims: true } },
      { shapes: [[3, 2]], attrs: { axes: [1], keepDims: true } },
      { shapes: [[2, 3, 4]], attrs: { axes: [0, 2], keepDims: false } },
      { shapes: [[3]], attrs: { axes: [], keepDims: false } },
      { shapes: [[]], attrs: { axes: [], keepDims: false } },
      { shapes: [[0, 3]], attrs: { axes: [1], keepDims: false } },
      ...(row.nonEmpty ? [] : [{ shapes: [[2, 0]], attrs: { axes: [1], keepDims: false } }]),
      ...(row.samples ?? []),
    ],
  });
  defs.set(name, def);
}

/** For each element the product of the others in its group: of those before times those behind, so that zeros divide nothing. */
function productOfOthers(x: Tensor, axes: readonly number[]): Tensor {
  const kept = x.shape.map((_, i) => i).filter((i) => !axes.includes(i));
  const order = [...kept, ...axes];
  const n = sizeOf(axes.map((i) => x.shape[i]));
  const flat = x.transpose(order).reshape([sizeOf(kept.map((i) => x.shape[i])), n]);
  const before = shifted(cumprod(flat, 1), 1, 1, 1);
  const behind = shifted(cumprod(flat.flip(1), 1), 1, 1, 1).flip(1);
  const inverse = order.map((_, i) => order.indexOf(i));
  return before
    .mul(behind)
    .reshape(order.map((i) => x.shape[i]))
    .transpose(inverse);
}

function reduce(name: ReduceName, x: TensorLike, axis: Axes | undefined, keepDims: boolean): Tensor {
  const t = asTensor(x);
  return apply(defs.get(name)!, [t], { axes: normalizeAxes(axis, t.ndim, name), keepDims });
}

/**
 * Sum over `axis` (all axes when absent). Booleans and small integers are summed as int32.
 * @example sum([[1, 2], [3, 4]], 1) // [3, 7]
 */
export function sum(x: TensorLike, axis?: Axes, keepDims = false): Tensor {
  return reduce("sum", x, axis, keepDims);
}

/**
 * Product over `axis`.
 * @example prod([2, 3, 4]) // 24
 */
export function prod(x: TensorLike, axis?: Axes, keepDims = false): Tensor {
  return reduce("prod", x, axis, keepDims);
}

/**
 * Largest element along `axis`; NaN wins.
 * @example max([[3, 1], [2, 5]], 0) // [3, 5]
 */
export function max(x: TensorLike, axis?: Axes, keepDims = false): Tensor {
  return reduce("max", x, axis, keepDims);
}

/**
 * Smallest element along `axis`; NaN wins.
 * @example min([[3, 1], [2, 5]], 0) // [2, 1]
 */
export function min(x: TensorLike, axis?: Axes, keepDims = false): Tensor {
  return reduce("min", x, axis, keepDims);
}

/**
 * True where some element along `axis` is not 0.
 * @example any([[true, false], [false, false]], 1) // [true, false]
 */
export function any(x: TensorLike, axis?: Axes, keepDims = false): Tensor {
  return reduce("any", x, axis, keepDims);
}

/**
 * True where every element along `axis` is not 0.
 * @example all([[true, false], [true, true]], 1) // [false, true]
 */
export function all(x: TensorLike, axis?: Axes, keepDims = false): Tensor {
  return reduce("all", x, axis, keepDims);
}

/**
 * Arithmetic mean over `axis`; integers are averaged as float32.
 * @example mean([[1, 2], [3, 4]], 0) // [2, 3]
 */
export function mean(x: TensorLike, axis?: Axes, keepDims = false): Tensor {
  const t = asFloat(x);
  const count = sizeOf(normalizeAxes(axis, t.ndim, "mean").map((a) => t.shape[a]));
  return sum(t, axis, keepDims).mul(1 / count);
}

/**
 * Mean squared distance from the mean over `axis`; `correction` 1 gives the unbiased estimate.
 * @example variance([1, 2, 3, 4]) // 1.25
 */
export function variance(x: TensorLike, axis?: Axes, keepDims = false, correction = 0): Tensor {
  const t = asFloat(x);
  const count = sizeOf(normalizeAxes(axis, t.ndim, "variance").map((a) => t.shape[a]));
  return sum(t.sub(mean(t, axis, true)).square(), axis, keepDims).mul(1 / (count - correction));
}

/**
 * Square root of `variance`.
 * @example std([1, 2, 3, 4]) // 1.118
 */
export function std(x: TensorLike, axis?: Axes, keepDims = false, correction = 0): Tensor {
  return variance(x, axis, keepDims, correction).sqrt();
}

/**
 * ln Σ eˣ over `axis`, without overflow.
 * @example logSumExp([1000, 1000]) // 1001
 */
export function logSumExp(x: TensorLike, axis?: Axes, keepDims = false): Tensor {
  const t = asFloat(x);
  const top = max(t, axis, true).stopGradient();
  const finite = top.where(top.isfinite(), 0);
  const y = sum(t.sub(finite).exp(), axis, true).log().add(finite);
  return keepDims ? y : y.reshape(reducedShape(t.shape, normalizeAxes(axis, t.ndim, "logSumExp"), false));
}

interface ArgAttrs {
  readonly axis: number;
}

const argReference =
  (better: (x: number, best: number) => boolean): Kernel<ArgAttrs> =>
  ([x], [out], { axis }) => {
    const kept = x.shape.map((_, i) => i).filter((i) => i !== axis);
    const positions = elementPositions(permuteLayout(x, [...kept, axis]));
    const count = x.shape[axis];
    for (let group = 0; group < out.data.length; group++) {
      let best = 0;
      for (let i = 1; i < count; i++) {
        const [now, held] = [x.data[positions[group * count + i]], x.data[positions[group * count + best]]];
        if (!Number.isNaN(held) && (Number.isNaN(now) || better(now, held))) best = i;
      }
      out.data[group] = best;
    }
  };

function defineArg(name: "argmax" | "argmin", better: (x: number, best: number) => boolean): OpDef<ArgAttrs> {
  const def: OpDef<ArgAttrs> = defineOp<ArgAttrs>({
    name,
    kind: "reduction",
    type: ([x], { axis }) => {
      checkAxis(axis, x.shape.length, name);
      if (x.shape[axis] === 0)
        throw new ShapeError(`${name}: axis ${axis} of ${formatShape(x.shape)} is empty`);
      return [{ shape: reducedShape(x.shape, [axis], false), dtype: "int32" }];
    },
    reference: argReference(better),
    vjp: NOT_DIFFERENTIABLE,
    jvp: NOT_DIFFERENTIABLE,
    batch: shiftedBatch(
      () => def,
      ({ axis }) => ({ axis: axis + 1 }),
    ),
    samples: [
      { shapes: [[3, 4]], attrs: { axis: 1 } },
      { shapes: [[3, 4]], attrs: { axis: 0 } },
    ],
  });
  return def;
}

const argmaxOp = defineArg("argmax", (x, best) => x > best);
const argminOp = defineArg("argmin", (x, best) => x < best);

function arg(op: OpDef<ArgAttrs>, x: TensorLike, axis: number | undefined): Tensor {
  const t = asTensor(x);
  if (axis === undefined) return apply(op, [t.reshape([t.size])], { axis: 0 });
  return apply(op, [t], { axis: normalizeAxis(axis, t.ndim, op.name) });
}

/**
 * Index (int32) of the first largest element along `axis`, or in the flattened tensor.
 * @example argmax([[3, 1], [2, 5]], 1) // [0, 1]
 */
export function argmax(x: TensorLike, axis?: number): Tensor {
  return arg(argmaxOp, x, axis);
}

/**
 * Index (int32) of the first smallest element along `axis`, or in the flattened tensor.
 * @example argmin([[3, 1], [2, 5]], 1) // [1, 0]
 */
export function argmin(x: TensorLike, axis?: number): Tensor {
  return arg(argminOp, x, axis);
}

/**
 * Sums over the axes that broadcasting to `x`'s shape from `shape` had repeated: its transpose.
 * @example sumTo(ones([2, 3]), [1, 3]) // [[2, 2, 2]]
 */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.ndim - shape.length;
  const axes = x.shape
    .map((_, i) => i)
    .filter((i) => i < lead || (shape[i - lead] === 1 && x.shape[i] !== 1));
  return sum(x, axes, true).reshape(shape);
}

type Reducer = (axis?: Axes, keepDims?: boolean) => Tensor;

declare module "../core/tensor.js" {
  interface Tensor {
    sum: Reducer;
    prod: Reducer;
    max: Reducer;
    min: Reducer;
    any: Reducer;
    all: Reducer;
    mean: Reducer;
    logSumExp: Reducer;
    variance(axis?: Axes, keepDims?: boolean, correction?: number): Tensor;
    std(axis?: Axes, keepDims?: boolean, correction?: number): Tensor;
    argmax(axis?: number): Tensor;
    argmin(axis?: number): Tensor;
    sumTo(shape: Shape): Tensor;
  }
}

const methods = { sum, prod, max, min, any, all, mean, logSumExp } as const;
for (const [name, f] of Object.entries(methods) as [keyof typeof methods, typeof sum][]) {
  Tensor.prototype[name] = function (axis, keepDims) {
    return f(this, axis, keepDims);
  };
}
Tensor.prototype.variance = function (axis, keepDims, correction) {
  return variance(this, axis, keepDims, correction);
};
Tensor.prototype.std = function (axis, keepDims, correction) {
  return std(this, axis, keepDims, correction);
};
Tensor.prototype.argmax = function (axis) {
  return argmax(this, axis);
};
Tensor.prototype.argmin = function (axis) {
  return argmin(this, axis);
};
Tensor.prototype.sumTo = function (shape) {
  return sumTo(this, shape);
};
