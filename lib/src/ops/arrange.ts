/** Ways to arrange elements that are made of other ops: roll, repeat, rot90, meshgrid, stacks, and edges by rule. */
import { ShapeError, ValueError } from "../core/errors.js";
import { broadcastShapes, formatShape, normalizeAxis } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { asTensor, type TensorLike, tensor } from "./convert.js";
import { take } from "./gather.js";
import { concat, flip, type Index, pad, reshape, slice, swapAxes, transpose } from "./shape.js";

/** An index that is `index` at `axis` and everything elsewhere. */
const at = (ndim: number, axis: number, index: Index): Index[] =>
  Array.from({ length: ndim }, (_, a) => (a === axis ? index : ":"));

/**
 * Moves elements along an axis by `shift` places; what leaves at one end comes in at the other. Without an axis, in the
 * flattened tensor.
 * @example roll([1, 2, 3, 4], 1) // [4, 1, 2, 3]
 */
export function roll(
  x: TensorLike,
  shift: number | readonly number[],
  axis?: number | readonly number[],
): Tensor {
  const t = asTensor(x);
  if (axis === undefined) {
    if (typeof shift !== "number") throw new ValueError("roll: several shifts need as many axes");
    return roll(t.reshape([t.size]), shift, 0).reshape(t.shape);
  }
  const axes = (typeof axis === "number" ? [axis] : axis).map((a) => normalizeAxis(a, t.ndim, "roll"));
  const shifts = typeof shift === "number" ? axes.map(() => shift) : shift;
  if (shifts.length !== axes.length || !shifts.every(Number.isInteger))
    throw new ValueError(`roll: one whole shift per axis wanted, got [${shifts}] for axes [${axes}]`);
  return axes.reduce((y, a, i) => {
    const size = y.shape[a];
    const cut = size === 0 ? 0 : ((-shifts[i] % size) + size) % size;
    if (cut === 0) return y;
    return concat([slice(y, ...at(y.ndim, a, [cut, null])), slice(y, ...at(y.ndim, a, [null, cut]))], a);
  }, t);
}

/**
 * Each element `count` times in a row along `axis` (or of the flattened tensor); several counts: one per element.
 * @example repeat([1, 2], 2) // [1, 1, 2, 2]
 */
export function repeat(x: TensorLike, count: number | readonly number[], axis?: number): Tensor {
  const t = asTensor(x);
  if (axis === undefined) return repeat(t.reshape([t.size]), count, 0);
  const a = normalizeAxis(axis, t.ndim, "repeat");
  const counts = typeof count === "number" ? new Array<number>(t.shape[a]).fill(count) : count;
  if (counts.length !== t.shape[a] || counts.some((n) => !Number.isInteger(n) || n < 0))
    throw new ValueError(
      `repeat: a count from 0, or ${t.shape[a]} of them for axis ${a} of ${formatShape(t.shape)}, wanted; got ${JSON.stringify(count)}`,
    );
  const places = counts.flatMap((n, i) => new Array<number>(n).fill(i));
  return take(t, tensor(Int32Array.from(places)), a);
}

/**
 * Moves axes to other places; the rest keep their order.
 * @example moveAxis(zeros([2, 3, 4]), 0, -1).shape // [3, 4, 2]
 */
export function moveAxis(
  x: TensorLike,
  source: number | readonly number[],
  destination: number | readonly number[],
): Tensor {
  const t = asTensor(x);
  const list = (axes: number | readonly number[]): number[] =>
    (typeof axes === "number" ? [axes] : axes).map((a) => normalizeAxis(a, t.ndim, "moveAxis"));
  const [from, to] = [list(source), list(destination)];
  if (from.length !== to.length || new Set(from).size !== from.length || new Set(to).size !== to.length)
    throw new ValueError(
      `moveAxis: as many different axes as places wanted, got [${source}] and [${destination}]`,
    );
  const rest = t.shape.map((_, i) => i).filter((i) => !from.includes(i));
  return transpose(
    t,
    t.shape.map((_, i) => (to.includes(i) ? from[to.indexOf(i)] : (rest.shift() as number))),
  );
}

/**
 * Turns the plane of two axes by 90°, `times` times, from the first towards the second.
 * @example rot90([[1, 2], [3, 4]]) // [[2, 4], [1, 3]]
 */
export function rot90(x: TensorLike, times = 1, axes: readonly [number, number] = [0, 1]): Tensor {
  const t = asTensor(x);
  const [a, b] = axes.map((axis) => normalizeAxis(axis, t.ndim, "rot90"));
  if (a === b) throw new ValueError(`rot90: two different axes wanted, got [${axes}]`);
  const turns = ((times % 4) + 4) % 4;
  if (turns === 0) return t;
  if (turns === 2) return flip(t, [a, b]);
  return turns === 1 ? flip(swapAxes(t, a, b), a) : swapAxes(flip(t, a), a, b);
}

/**
 * Coordinates of a grid, one tensor per vector. `"xy"` (default, as NumPy) puts the second vector's axis first.
 * @example meshgrid([[1, 2, 3], [10, 20]])[0] // [[1, 2, 3], [1, 2, 3]]
 */
export function meshgrid(vectors: readonly TensorLike[], indexing: "xy" | "ij" = "xy"): Tensor[] {
  const list = vectors.map((v) => reshape(v, [-1]));
  const shape = list.map((v) => v.size);
  const grids = list.map((v, i) => v.reshape(shape.map((_, a) => (a === i ? v.size : 1))).broadcastTo(shape));
  return indexing === "xy" && list.length > 1 ? grids.map((g) => swapAxes(g, 0, 1)) : grids;
}

/**
 * The parts along an axis, which is dropped: the inverse of `stack`.
 * @example unstack([[1, 2], [3, 4]])[1] // [3, 4]
 */
export function unstack(x: TensorLike, axis = 0): Tensor[] {
  const t = asTensor(x);
  const a = normalizeAxis(axis, t.ndim, "unstack");
  return Array.from({ length: t.shape[a] }, (_, i) => slice(t, ...at(t.ndim, a, i)));
}

/**
 * Parts of `size` along an axis; the last may be smaller (NumPy's and PyTorch's `chunk` by size).
 * @example chunk([1, 2, 3, 4, 5], 2)[2] // [5]
 */
export function chunk(x: TensorLike, size: number, axis = 0): Tensor[] {
  const t = asTensor(x);
  const a = normalizeAxis(axis, t.ndim, "chunk");
  if (!Number.isInteger(size) || size < 1)
    throw new ValueError(`chunk: the size is a whole number from 1, got ${size}`);
  return Array.from({ length: Math.ceil(t.shape[a] / size) }, (_, i) =>
    slice(t, ...at(t.ndim, a, [i * size, Math.min(t.shape[a], (i + 1) * size)])),
  );
}

/**
 * All tensors with the shape to which they broadcast together.
 * @example broadcastTensors([[[1], [2]], [10, 20, 30]])[0].shape // [2, 3]
 */
export function broadcastTensors(tensors: readonly TensorLike[]): Tensor[] {
  const list = tensors.map((t) => asTensor(t));
  const shape = broadcastShapes(
    list.map((t) => t.shape),
    "broadcastTensors",
  );
  return list.map((t) => t.broadcastTo(shape));
}

/**
 * Joins tensors one above the other: along the first axis; vectors become rows.
 * @example vstack([[1, 2], [3, 4]]) // [[1, 2], [3, 4]]
 */
export function vstack(tensors: readonly TensorLike[]): Tensor {
  const rows = tensors.map((x) => asTensor(x));
  return concat(rows.map((t) => (t.ndim < 2 ? t.reshape([1, t.size]) : t)));
}

/**
 * Joins tensors side by side: along the second axis; vectors end to end.
 * @example hstack([[1, 2], [3]]) // [1, 2, 3]
 */
export function hstack(tensors: readonly TensorLike[]): Tensor {
  const parts = tensors.map((x) => asTensor(x)).map((t) => (t.ndim === 0 ? t.reshape([1]) : t));
  return concat(parts, parts[0]?.ndim === 1 ? 0 : 1);
}

/** How `padEdges` fills: by the border's element, mirrored without or with it, or from the other end. */
export type EdgeMode = "edge" | "reflect" | "symmetric" | "wrap";

const SOURCE: Record<EdgeMode, (i: number, n: number) => number> = {
  edge: (i, n) => Math.min(Math.max(i, 0), n - 1),
  wrap: (i, n) => ((i % n) + n) % n,
  symmetric: (i, n) => {
    const place = ((i % (2 * n)) + 2 * n) % (2 * n);
    return place < n ? place : 2 * n - 1 - place;
  },
  reflect: (i, n) => {
    if (n === 1) return 0;
    const place = ((i % (2 * n - 2)) + 2 * n - 2) % (2 * n - 2);
    return place < n ? place : 2 * n - 2 - place;
  },
};

/**
 * Surrounds the tensor with elements of its own, by NumPy's rules for `pad`; for a constant see `pad`.
 * @param widths elements before and after, per axis
 * @example padEdges([1, 2, 3], [[2, 1]], "reflect") // [3, 2, 1, 2, 3, 2]
 * @throws ShapeError if an axis without elements is to be continued.
 */
export function padEdges(
  x: TensorLike,
  widths: readonly (readonly [before: number, after: number])[],
  mode: EdgeMode,
): Tensor {
  const t = asTensor(x);
  if (!(mode in SOURCE))
    throw new ValueError(
      `padEdges: the mode is one of ${Object.keys(SOURCE).join(", ")}, got ${JSON.stringify(mode)}`,
    );
  pad(tensor(0).broadcastTo(t.shape), widths); // refuses wrong widths with its own message
  return widths.reduce<Tensor>((y, [before, after], axis) => {
    const n = y.shape[axis];
    if (before + after === 0) return y;
    if (n === 0)
      throw new ShapeError(`padEdges: axis ${axis} of ${formatShape(t.shape)} has no element to repeat`);
    const places = Int32Array.from({ length: before + n + after }, (_, i) => SOURCE[mode](i - before, n));
    return take(y, tensor(places), axis);
  }, t);
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** Moves elements along an axis by `shift` places, around the ends. */
    roll(shift: number | readonly number[], axis?: number | readonly number[]): Tensor;
    /** Each element `count` times in a row. */
    repeat(count: number | readonly number[], axis?: number): Tensor;
    moveAxis(source: number | readonly number[], destination: number | readonly number[]): Tensor;
  }
}

Tensor.prototype.roll = function (shift, axis) {
  return roll(this, shift, axis);
};
Tensor.prototype.repeat = function (count, axis) {
  return repeat(this, count, axis);
};
Tensor.prototype.moveAxis = function (source, destination) {
  return moveAxis(this, source, destination);
};
