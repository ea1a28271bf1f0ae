/** Ops that change how elements are arranged: reshape, transpose, broadcastTo, slice and its transpose unslice, concat; and what follows from them. */
import { ShapeError, ValueError } from "../core/errors.js";
import {
  broadcastLayout,
  contiguousLayout,
  permuteLayout,
  reshapeLayout,
  sliceLayout,
} from "../core/layout.js";
import {
  checkAxes,
  checkShape,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  type Shape,
  sizeOf,
} from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { elementPositions } from "../runtime/host-array.js";
import type { Kernel } from "../runtime/kernels.js";
import { apply } from "./bind.js";
import { asTensor, promote, type TensorLike } from "./convert.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef } from "./registry.js";
import { shiftedBatch, withBatch } from "./rules.js";

interface ShapeAttrs {
  readonly shape: Shape;
}

/** Copies elements in row-major order. */
const copyReference: Kernel<unknown> = ([x], [out]) => {
  const positions = elementPositions(x);
  for (let i = 0; i < positions.length; i++) out.data[i] = x.data[positions[i]];
};

const reshapeOp: OpDef<ShapeAttrs> = defineOp<ShapeAttrs>({
  name: "reshape",
  kind: "view",
  type: ([x], { shape }) => {
    if (sizeOf(shape) !== sizeOf(x.shape)) {
      throw new ShapeError(
        `reshape: ${formatShape(x.shape)} has ${sizeOf(x.shape)} elements, ${formatShape(shape)} wants ${sizeOf(shape)}`,
      );
    }
    return [{ shape, dtype: x.dtype }];
  },
  view: (x, { shape }) => reshapeLayout(x, shape),
  reference: copyReference,
  vjp: ([g], { inputTypes: [x] }) => [g && g.reshape(x.shape)],
  jvp: (_x, [t], [y]) => [t && t.reshape(y.shape)],
  batch: shiftedBatch(
    () => reshapeOp,
    ({ shape }, size) => ({ shape: [size, ...shape] }),
  ),
  samples: [
    { shapes: [[2, 6]], attrs: { shape: [3, 4] } },
    { shapes: [[]], attrs: { shape: [1, 1] } },
    { shapes: [[0, 4]], attrs: { shape: [2, 0, 3] } },
  ],
});

/**
 * The same elements in row-major order under a new shape; one size may be −1: what is left over.
 * @example reshape([1, 2, 3, 4], [2, -1]) // [[1, 2], [3, 4]]
 */
export function reshape(x: TensorLike, shape: Shape): Tensor {
  const t = asTensor(x);
  const open = shape.indexOf(-1);
  let full = shape;
  if (open >= 0) {
    const rest = -sizeOf(shape);
    if (shape.indexOf(-1, open + 1) >= 0)
      throw new ShapeError(`reshape: only one size may be -1, got ${formatShape(shape)}`);
    if (rest === 0 || t.size % rest !== 0) {
      throw new ShapeError(
        `reshape: ${t.size} elements of ${formatShape(t.shape)} do not divide into ${formatShape(shape)}`,
      );
    }
    full = shape.map((dim) => (dim === -1 ? t.size / rest : dim));
  }
  return apply(reshapeOp, [t], { shape: checkShape(full, "reshape") });
}

interface TransposeAttrs {
  /** Axis of the input that becomes axis i. */
  readonly axes: readonly number[];
}

const inverse = (axes: readonly number[]): number[] => axes.map((_, i) => axes.indexOf(i));

const transposeOp: OpDef<TransposeAttrs> = defineOp<TransposeAttrs>({
  name: "transpose",
  kind: "view",
  type: ([x], { axes }) => {
    if (axes.length !== x.shape.length)
      throw new ShapeError(
        `transpose: [${axes.join(", ")}] is not an order of the ${x.shape.length} axes of ${formatShape(x.shape)}`,
      );
    return [{ shape: checkAxes(axes, axes.length, "transpose").map((a) => x.shape[a]), dtype: x.dtype }];
  },
  view: (x, { axes }) => permuteLayout(x, axes),
  reference: ([x], [out], { axes }) =>
    copyReference([{ ...x, ...permuteLayout(x, axes) }], [out], undefined as never),
  vjp: ([g], { attrs: { axes } }) => [g && g.transpose(inverse(axes))],
  jvp: (_x, [t], _y, { axes }) => [t && t.transpose(axes)],
  batch: shiftedBatch(
    () => transposeOp,
    ({ axes }) => ({ axes: [0, ...axes.map((a) => a + 1)] }),
  ),
  samples: [
    { shapes: [[2, 3, 4]], attrs: { axes: [2, 0, 1] } },
    { shapes: [[2, 3]], attrs: { axes: [1, 0] } },
  ],
});

/**
 * Reorders the axes; without `axes` their order is reversed.
 * @example transpose([[1, 2, 3], [4, 5, 6]]) // [[1, 4], [2, 5], [3, 6]]
 */
export function transpose(x: TensorLike, axes?: readonly number[]): Tensor {
  const t = asTensor(x);
  const order = axes
    ? axes.map((a) => normalizeAxis(a, t.ndim, "transpose"))
    : Array.from({ length: t.ndim }, (_, i) => t.ndim - 1 - i);
  if (order.length !== t.ndim || new Set(order).size !== t.ndim) {
    throw new ShapeError(
      `transpose: [${axes}] is not an order of the ${t.ndim} axes of ${formatShape(t.shape)}`,
    );
  }
  return order.every((a, i) => a === i) ? t : apply(transposeOp, [t], { axes: order });
}

/**
 * Exchanges two axes.
 * @example swapAxes([[1, 2], [3, 4]], 0, 1) // [[1, 3], [2, 4]]
 */
export function swapAxes(x: TensorLike, a: number, b: number): Tensor {
  const t = asTensor(x);
  const order = t.shape.map((_, i) => i);
  const [p, q] = [normalizeAxis(a, t.ndim, "swapAxes"), normalizeAxis(b, t.ndim, "swapAxes")];
  [order[p], order[q]] = [q, p];
  return transpose(t, order);
}

const broadcastOp: OpDef<ShapeAttrs> = defineOp<ShapeAttrs>({
  name: "broadcastTo",
  kind: "view",
  type: ([x], { shape }) => [
    { shape: broadcastLayout(contiguousLayout(x.shape), shape, "broadcastTo").shape, dtype: x.dtype },
  ],
  view: (x, { shape }) => broadcastLayout(x, shape, "broadcastTo"),
  reference: ([x], [out], { shape }) =>
    copyReference([{ ...x, ...broadcastLayout(x, shape, "broadcastTo") }], [out], undefined as never),
  vjp: ([g], { inputTypes: [x] }) => [g && g.sumTo(x.shape)],
  jvp: (_x, [t], [y]) => [t && t.broadcastTo(y.shape)],
  batch: ([x], [axis], { shape }, size) => {
    const front = withBatch(x, axis, size);
    const lead = new Array<number>(shape.length - (front.ndim - 1)).fill(1);
    const aligned = front.reshape([size, ...lead, ...front.shape.slice(1)]);
    return { outputs: [apply(broadcastOp, [aligned], { shape: [size, ...shape] })], axes: [0] };
  },
  samples: [
    { shapes: [[3, 1]], attrs: { shape: [2, 3, 4] } },
    { shapes: [[]], attrs: { shape: [2] } },
    { shapes: [[1, 2]], attrs: { shape: [0, 2] } },
  ],
});

/**
 * Repeats axes of size 1, and puts new ones in front, until the shape is reached. No copy is made.
 * @example broadcastTo([1, 2], [2, 2]) // [[1, 2], [1, 2]]
 */
export function broadcastTo(x: TensorLike, shape: Shape): Tensor {
  const t = asTensor(x);
  if (t.ndim === shape.length && t.shape.every((dim, i) => dim === shape[i])) return t;
  return apply(broadcastOp, [t], { shape: checkShape(shape, "broadcastTo") });
}

interface SliceAttrs {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
}

interface UnsliceAttrs extends SliceAttrs {
  /** Of the output. */
  readonly shape: Shape;
}

const shiftSlice = <A extends SliceAttrs>(attrs: A, size: number): A => ({
  ...attrs,
  starts: [0, ...attrs.starts],
  sizes: [size, ...attrs.sizes],
  steps: [1, ...attrs.steps],
});

const sliceOp: OpDef<SliceAttrs> = defineOp<SliceAttrs>({
  name: "slice",
  kind: "view",
  type: ([x], { sizes }) => [{ shape: sizes, dtype: x.dtype }],
  view: (x, { starts, sizes, steps }) => sliceLayout(x, starts, sizes, steps),
  reference: ([x], [out], { starts, sizes, steps }) =>
    copyReference([{ ...x, ...sliceLayout(x, starts, sizes, steps) }], [out], undefined as never),
  vjp: ([g], { inputTypes: [x], attrs }) => [g && apply(unsliceOp, [g], { ...attrs, shape: x.shape })],
  jvp: (_x, [t], _y, attrs) => [t && apply(sliceOp, [t], attrs)],
  batch: shiftedBatch(() => sliceOp, shiftSlice),
  samples: [
    { shapes: [[5, 4]], attrs: { starts: [1, 3], sizes: [2, 4], steps: [2, -1] } },
    { shapes: [[3]], attrs: { starts: [0], sizes: [0], steps: [1] } },
  ],
});

const unsliceOp: OpDef<UnsliceAttrs> = defineOp<UnsliceAttrs>({
  name: "unslice",
  type: ([x], { shape }) => [{ shape, dtype: x.dtype }],
  reference: ([x], [out], { starts, sizes, steps }) => {
    out.data.fill(0);
    const from = elementPositions(x);
    const to = elementPositions(sliceLayout(out, starts, sizes, steps));
    for (let i = 0; i < from.length; i++) out.data[to[i]] = x.data[from[i]];
  },
  vjp: ([g], { attrs: { starts, sizes, steps } }) => [g && apply(sliceOp, [g], { starts, sizes, steps })],
  jvp: (_x, [t], _y, attrs) => [t && apply(unsliceOp, [t], attrs)],
  batch: shiftedBatch(
    () => unsliceOp,
    (attrs, size) => ({ ...shiftSlice(attrs, size), shape: [size, ...attrs.shape] }),
  ),
  samples: [{ shapes: [[2, 3]], attrs: { shape: [5, 4], starts: [1, 3], sizes: [2, 3], steps: [2, -1] } }],
});

/**
 * One axis of an index, as NumPy writes it: a position (the axis is dropped), a range `[start, stop, step?]` with
 * `null` for "to the end", the same as text (`"1:5"`, `"::-1"`, `":"`), `null` for a new axis, `"..."` for all axes between.
 */
export type Index =
  | number
  | null
  | string
  | readonly [start: number | null, stop: number | null, step?: number];

function parseRange(text: string): [number | null, number | null, number] {
  const parts = text.split(":").map((part) => part.trim());
  const numbers = parts.map((part) => (part === "" ? null : Number(part)));
  if (parts.length < 2 || parts.length > 3 || numbers.some((n) => n !== null && !Number.isInteger(n))) {
    throw new ValueError(
      `slice: "${text}" is not a range; write "start:stop:step", for example "1:5" or "::-1"`,
    );
  }
  return [numbers[0], numbers[1], numbers[2] ?? 1];
}

/** Python's `range` on an axis of `dim` elements: first position and number of elements. */
function resolveRange(
  start: number | null,
  stop: number | null,
  step: number,
  dim: number,
): { start: number; size: number } {
  if (step === 0) throw new ValueError("slice: the step of a range is not 0");
  const clampTo = (value: number, low: number, high: number) =>
    Math.min(Math.max(value < 0 ? value + dim : value, low), high);
  const [low, high] = step > 0 ? [0, dim] : [-1, dim - 1];
  const from = start === null ? (step > 0 ? 0 : dim - 1) : clampTo(start, low, high);
  const to = stop === null ? (step > 0 ? dim : -1) : clampTo(stop, low, high);
  return { start: from, size: Math.max(0, Math.ceil((to - from) / step)) };
}

/**
 * The part of a tensor that an index names, without a copy.
 * @example slice([[1, 2, 3], [4, 5, 6]], ":", "::-2") // [[3, 1], [6, 4]]
 * @throws ShapeError for a position outside its axis or too many indices.
 */
export function slice(x: TensorLike, ...indices: readonly Index[]): Tensor {
  const t = asTensor(x);
  const used = indices.filter((index) => index !== null && index !== "...").length;
  if (used > t.ndim) throw new ShapeError(`slice: ${used} indices for a tensor with ${t.ndim} axes`);
  if (indices.filter((index) => index === "...").length > 1)
    throw new ShapeError('slice: "..." may stand once only');
  const full = indices.includes("...") ? indices : [...indices, "..."];
  const [starts, sizes, steps, shape]: number[][] = [[], [], [], []];
  for (const index of full) {
    if (index === null) {
      shape.push(1);
      continue;
    }
    if (index === "...") {
      for (let left = t.ndim - used; left > 0; left--) {
        const dim = t.shape[starts.length];
        starts.push(0);
        sizes.push(dim);
        steps.push(1);
        shape.push(dim);
      }
      continue;
    }
    const axis = starts.length;
    const dim = t.shape[axis];
    if (typeof index === "number") {
      const at = index < 0 ? index + dim : index;
      if (!Number.isInteger(index) || at < 0 || at >= dim) {
        throw new ShapeError(
          `slice: index ${index} is out of range for axis ${axis} of ${formatShape(t.shape)}`,
        );
      }
      starts.push(at);
      sizes.push(1);
      steps.push(1);
      continue;
    }
    const [start, stop, step = 1] = typeof index === "string" ? parseRange(index) : index;
    const range = resolveRange(start, stop, step, dim);
    starts.push(range.start);
    sizes.push(range.size);
    steps.push(step);
    shape.push(range.size);
  }
  const whole = sizes.every((size, i) => size === t.shape[i] && steps[i] === 1);
  const part = whole ? t : apply(sliceOp, [t], { starts, sizes, steps });
  return part.ndim === shape.length && part.shape.every((dim, i) => dim === shape[i])
    ? part
    : reshape(part, shape);
}

/**
 * Inserts an axis of size 1 at `axis` of the result.
 * @example expandDims([1, 2], 1) // [[1], [2]]
 */
export function expandDims(x: TensorLike, axis: number): Tensor {
  const t = asTensor(x);
  const at = normalizeAxis(axis, t.ndim + 1, "expandDims");
  return reshape(t, [...t.shape.slice(0, at), 1, ...t.shape.slice(at)]);
}

/**
 * Removes axes of size 1 (all of them when `axis` is absent).
 * @example squeeze([[1], [2]], 1) // [1, 2]
 */
export function squeeze(x: TensorLike, axis?: number | readonly number[]): Tensor {
  const t = asTensor(x);
  const axes =
    axis === undefined
      ? t.shape.map((_, i) => i).filter((i) => t.shape[i] === 1)
      : normalizeAxes(axis, t.ndim, "squeeze");
  for (const a of axes)
    if (t.shape[a] !== 1)
      throw new ShapeError(`squeeze: axis ${a} of ${formatShape(t.shape)} has size ${t.shape[a]}, not 1`);
  return reshape(
    t,
    t.shape.filter((_, i) => !axes.includes(i)),
  );
}

/**
 * Merges the axes from `start` on into one.
 * @example flatten([[1, 2], [3, 4]]) // [1, 2, 3, 4]
 */
export function flatten(x: TensorLike, start = 0): Tensor {
  const t = asTensor(x);
  return reshape(t, [...t.shape.slice(0, start), sizeOf(t.shape.slice(start))]);
}

/**
 * Reverses the order along the axes (all when absent).
 * @example flip([[1, 2], [3, 4]], 1) // [[2, 1], [4, 3]]
 */
export function flip(x: TensorLike, axis?: number | readonly number[]): Tensor {
  const t = asTensor(x);
  const axes = normalizeAxes(axis, t.ndim, "flip");
  return slice(t, ...t.shape.map((_, i): Index => (axes.includes(i) ? [null, null, -1] : [null, null])));
}

/**
 * Surrounds the tensor with `value`: `widths[i]` elements before and after along axis i.
 * @example pad([1, 2], [[1, 2]], 9) // [9, 1, 2, 9, 9]
 */
export function pad(
  x: TensorLike,
  widths: readonly (readonly [before: number, after: number])[],
  value = 0,
): Tensor {
  const t = asTensor(x);
  if (widths.length !== t.ndim || widths.flat().some((w) => !Number.isInteger(w) || w < 0)) {
    throw new ShapeError(
      `pad: ${t.ndim} pairs of non-negative widths wanted for ${formatShape(t.shape)}, got ${JSON.stringify(widths)}`,
    );
  }
  const attrs = {
    shape: t.shape.map((dim, i) => widths[i][0] + dim + widths[i][1]),
    starts: widths.map(([before]) => before),
    sizes: t.shape,
    steps: t.shape.map(() => 1),
  };
  const padded = apply(unsliceOp, [t], attrs);
  if (value === 0) return padded;
  const inside = apply(unsliceOp, [asTensor(true).broadcastTo(t.shape)], attrs);
  return padded.where(inside, value);
}

interface ConcatAttrs {
  readonly axis: number;
}

const concatOp: OpDef<ConcatAttrs> = defineOp<ConcatAttrs>({
  name: "concat",
  type: (inputs, { axis }) => {
    const [first] = inputs;
    for (const [i, x] of inputs.entries()) {
      if (
        x.shape.length !== first.shape.length ||
        x.shape.some((dim, a) => a !== axis && dim !== first.shape[a])
      ) {
        throw new ShapeError(
          `concat: input ${i} has shape ${formatShape(x.shape)}, which differs from ${formatShape(first.shape)} outside axis ${axis}`,
        );
      }
    }
    const total = inputs.reduce((sum, x) => sum + x.shape[axis], 0);
    return [{ shape: first.shape.map((dim, a) => (a === axis ? total : dim)), dtype: first.dtype }];
  },
  reference: (inputs, [out], { axis }) => {
    let start = 0;
    for (const x of inputs) {
      const from = elementPositions(x);
      const starts = x.shape.map((_, a) => (a === axis ? start : 0));
      const to = elementPositions(
        sliceLayout(
          out,
          starts,
          x.shape,
          x.shape.map(() => 1),
        ),
      );
      for (let i = 0; i < from.length; i++) out.data[to[i]] = x.data[from[i]];
      start += x.shape[axis];
    }
  },
  vjp: ([g], { inputTypes, attrs: { axis } }) => {
    let start = 0;
    return inputTypes.map(({ shape }) => {
      const from = start;
      start += shape[axis];
      return (
        g && slice(g, ...shape.map((_, a): Index => (a === axis ? [from, from + shape[axis]] : [null, null])))
      );
    });
  },
  jvp: (xs, ts, [y], attrs) =>
    ts.every((t) => t === null)
      ? [null]
      : [
          apply(
            concatOp,
            ts.map((t, i) => t ?? asTensor(0, y.dtype).broadcastTo(xs[i].shape)),
            attrs,
          ),
        ],
  batch: (inputs, axes, { axis }, size) => ({
    outputs: [
      apply(
        concatOp,
        inputs.map((x, i) => withBatch(x, axes[i], size)),
        { axis: axis + 1 },
      ),
    ],
    axes: [0],
  }),
  samples: [
    {
      shapes: [
        [2, 3],
        [2, 1],
        [2, 2],
      ],
      attrs: { axis: 1 },
    },
    { shapes: [[2], [0], [3]], attrs: { axis: 0 } },
  ],
});

function common(tensors: readonly TensorLike[], where: string): Tensor[] {
  if (tensors.length === 0) throw new ValueError(`${where}: at least one tensor is needed`);
  const [first] = tensors;
  const widest = tensors.reduce<Tensor>((a, b) => promote(a, b)[0], asTensor(first));
  return tensors.map((t) => asTensor(t).cast(widest.dtype));
}

/**
 * Joins tensors along an existing axis.
 * @example concat([[1, 2], [3]]) // [1, 2, 3]
 */
export function concat(tensors: readonly TensorLike[], axis = 0): Tensor {
  const list = common(tensors, "concat");
  return apply(concatOp, list, { axis: normalizeAxis(axis, list[0].ndim, "concat") });
}

/**
 * Joins tensors of one shape along a new axis.
 * @example stack([[1, 2], [3, 4]], 1) // [[1, 3], [2, 4]]
 */
export function stack(tensors: readonly TensorLike[], axis = 0): Tensor {
  const list = common(tensors, "stack");
  const at = normalizeAxis(axis, list[0].ndim + 1, "stack");
  return concat(
    list.map((t) => expandDims(t, at)),
    at,
  );
}

/**
 * Cuts a tensor into equal parts (a number) or parts of given sizes along an axis.
 * @example split([1, 2, 3, 4], 2)[1] // [3, 4]
 */
export function split(x: TensorLike, parts: number | readonly number[], axis = 0): Tensor[] {
  const t = asTensor(x);
  const at = normalizeAxis(axis, t.ndim, "split");
  const sizes = typeof parts === "number" ? new Array<number>(parts).fill(t.shape[at] / parts) : parts;
  if (sizes.some((s) => !Number.isInteger(s) || s < 0) || sizes.reduce((a, b) => a + b, 0) !== t.shape[at]) {
    throw new ShapeError(
      `split: axis ${at} of ${formatShape(t.shape)} does not split into ${JSON.stringify(parts)}`,
    );
  }
  let start = 0;
  return sizes.map((size) => {
    const from = start;
    start += size;
    return slice(t, ...t.shape.map((_, a): Index => (a === at ? [from, start] : [null, null])));
  });
}

/**
 * Repeats the whole tensor `counts[i]` times along axis i.
 * @example tile([1, 2], [2, 2]) // [[1, 2, 1, 2], [1, 2, 1, 2]]
 */
export function tile(x: TensorLike, counts: readonly number[]): Tensor {
  const t = asTensor(x);
  const rank = Math.max(t.ndim, counts.length);
  const shape = [...new Array<number>(rank - t.ndim).fill(1), ...t.shape];
  const times = [...new Array<number>(rank - counts.length).fill(1), ...counts];
  const paired = shape.flatMap((dim, i) => [times[i], dim]);
  return reshape(
    broadcastTo(
      reshape(
        t,
        shape.flatMap((dim) => [1, dim]),
      ),
      paired,
    ),
    shape.map((dim, i) => dim * times[i]),
  );
}

const stopGradientOp: OpDef<object> = defineOp<object>({
  name: "stopGradient",
  kind: "view",
  type: ([x]) => [x],
  view: (x) => x,
  reference: copyReference,
  vjp: NOT_DIFFERENTIABLE,
  jvp: NOT_DIFFERENTIABLE,
  batch: shiftedBatch(
    () => stopGradientOp,
    (attrs) => attrs,
  ),
  samples: [{ shapes: [[2, 3]] }],
});

/**
 * The same values, constant to every derivative.
 * @example grad((x: Tensor) => x.mul(stopGradient(x)))(tensor(3)) // 3
 */
export function stopGradient(x: TensorLike): Tensor {
  return apply(stopGradientOp, [asTensor(x)], {});
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** The same elements under a new shape; one size may be −1. */
    reshape(shape: Shape): Tensor;
    /** Reorders the axes (reversed when absent). */
    transpose(axes?: readonly number[]): Tensor;
    swapAxes(a: number, b: number): Tensor;
    broadcastTo(shape: Shape): Tensor;
    /** The part that an index names: `x.slice("1:3", "...", -1)`. */
    slice(...indices: readonly Index[]): Tensor;
    /** Element or subtensor at a position of the first axis. */
    at(position: number): Tensor;
    expandDims(axis: number): Tensor;
    squeeze(axis?: number | readonly number[]): Tensor;
    flatten(start?: number): Tensor;
    flip(axis?: number | readonly number[]): Tensor;
    /** `stack([this, ...others])`. */
    stackWith(others: readonly Tensor[], axis?: number): Tensor;
    stopGradient(): Tensor;
  }
}

Tensor.prototype.reshape = function (shape) {
  return reshape(this, shape);
};
Tensor.prototype.transpose = function (axes) {
  return transpose(this, axes);
};
Tensor.prototype.swapAxes = function (a, b) {
  return swapAxes(this, a, b);
};
Tensor.prototype.broadcastTo = function (shape) {
  return broadcastTo(this, shape);
};
Tensor.prototype.slice = function (...indices) {
  return slice(this, ...indices);
};
Tensor.prototype.at = function (position) {
  return slice(this, position);
};
Tensor.prototype.expandDims = function (axis) {
  return expandDims(this, axis);
};
Tensor.prototype.squeeze = function (axis) {
  return squeeze(this, axis);
};
Tensor.prototype.flatten = function (start) {
  return flatten(this, start);
};
Tensor.prototype.flip = function (axis) {
  return flip(this, axis);
};
Tensor.prototype.stackWith = function (others, axis) {
  return stack([this, ...others], axis);
};
Tensor.prototype.stopGradient = function () {
  return stopGradient(this);
};
