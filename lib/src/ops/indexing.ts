/**
 * Indexing as NumPy does it: positions, ranges, new axes and "..." together with integer arrays and masks; and the
 * functional way to change what an index names (after JAX's `x.at[index].set(y)`).
 */
import { dtypeKind } from "../core/dtype.js";
import { DTypeError, ShapeError } from "../core/errors.js";
import { broadcastShapes, formatShape, type Shape, sizeOf } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { elementPositions } from "../runtime/host-array.js";
import { apply } from "./bind.js";
import { asTensor, promote, type TensorLike, tensor } from "./convert.js";
import { arange } from "./create.js";
import { scatterAdd, take } from "./gather.js";
import { concrete, needConcrete } from "./read.js";
import { defineOp, type OpDef } from "./registry.js";
import { loopedBatch } from "./rules.js";
import { type Index, slice, transpose } from "./shape.js";

/** One part of an index: a position, a range, `null`, `"..."`; a tensor of integers (positions) or of booleans (a mask). */
export type AnyIndex = Index | Tensor;

/**
 * Where the elements are not 0: one int32 tensor (k) per axis, in row-major order. Their number depends on the values: not
 * for captured functions.
 * @example nonzero([[0, 5], [7, 0]])[1] // [1, 0]
 */
export function nonzero(x: TensorLike): Tensor[] {
  const t = asTensor(x);
  const values = needConcrete(t, "nonzero").toTypedArray();
  const places: number[] = [];
  for (let i = 0; i < values.length; i++) if (values[i] !== 0) places.push(i);
  return t.shape.map((dim, axis) => {
    const inner = sizeOf(t.shape.slice(axis + 1));
    return tensor(Int32Array.from(places, (p) => Math.floor(p / inner) % dim));
  });
}

/**
 * Where the elements are not 0: int32 (k, axes).
 * @example argwhere([0, 5, 7]) // [[1], [2]]
 */
export function argwhere(x: TensorLike): Tensor {
  const t = asTensor(x);
  const places = nonzero(t);
  if (places.length === 0) throw new ShapeError("argwhere: a tensor without axes has no positions");
  return places[0].stackWith(places.slice(1), 1);
}

/** Masks become positions, "..." becomes ranges, positions beside arrays become arrays of one element. */
function expand(t: Tensor, indices: readonly AnyIndex[]): (Exclude<AnyIndex, string> | string)[] {
  const isMask = (i: AnyIndex): i is Tensor => i instanceof Tensor && i.dtype === "bool";
  const taken = (i: AnyIndex): number => (i === null || i === "..." ? 0 : isMask(i) ? i.ndim : 1);
  const used = indices.reduce<number>((sum, i) => sum + taken(i), 0);
  if (used > t.ndim)
    throw new ShapeError(`get: the index takes ${used} axes, ${formatShape(t.shape)} has ${t.ndim}`);
  if (indices.filter((i) => i === "...").length > 1) throw new ShapeError('get: "..." may stand once only');
  const full = indices.includes("...") ? indices : [...indices, "..."];
  let axis = 0;
  return full.flatMap((i): (Index | Tensor)[] => {
    const from = axis;
    if (i === "...") {
      axis += t.ndim - used;
      return new Array<Index>(t.ndim - used).fill(":");
    }
    axis += taken(i);
    if (!isMask(i)) return [i];
    const covered = t.shape.slice(from, axis);
    if (i.ndim === 0 || covered.join() !== i.shape.join())
      throw new ShapeError(
        `get: a mask ${formatShape(i.shape)} stands where ${formatShape(t.shape)} has axes ${formatShape(covered)}`,
      );
    return nonzero(i);
  });
}

/** @throws ShapeError for a position outside its axis, where the values are known. */
export function checkPositions(index: Tensor, dim: number, axis: number, shape: Shape, where: string): void {
  if (dtypeKind(index.dtype) === "float")
    throw new DTypeError(
      `${where}: positions are integers, got ${index.type}; cast them with .cast("int32")`,
    );
  const known = concrete(index);
  if (known) {
    const wrong = known.toTypedArray().find((p) => p < -dim || p >= dim);
    if (wrong !== undefined)
      throw new ShapeError(
        `${where}: position ${wrong} is out of range for axis ${axis} of ${formatShape(shape)}`,
      );
  }
}

/**
 * Positions in axes of the given sizes taken as one, from positions in each, which broadcast; negative ones count from the back.
 * Where one is outside its axis, the result is outside too (and not a place that the others could mean).
 */
export function mergedPositions(positions: readonly Tensor[], sizes: Shape): Tensor {
  const whole = positions.map((p) => p.cast("int32"));
  const flat = whole.reduce(
    (sum, p, k) => sum.mul(sizes[k]).add(p.add(sizes[k]).where(p.less(0), p)),
    tensor(0, { dtype: "int32" }) as Tensor,
  );
  if (positions.length < 2 || positions.every(concrete)) return flat; // checked already, or `take` does it
  const inside = whole
    .map((p, k) => p.greaterEqual(-sizes[k]).logicalAnd(p.less(sizes[k])))
    .reduce((a, b) => a.logicalAnd(b));
  return flat.where(inside, sizeOf(sizes));
}

/**
 * The part of a tensor that an index names. Ranges, positions, `null` and `"..."` are as in `slice`, and give a view;
 * integer tensors pick positions and broadcast together, boolean ones pick where they hold, and give a copy. Axes that
 * come from tensors stand where those stood, or in front if others stand between them (NumPy's rule).
 * @example get([[1, 2, 3], [4, 5, 6]], ":", tensor([2, 0], { dtype: "int32" })) // [[3, 1], [6, 4]]
 * @throws ShapeError for positions out of range, masks of another shape, or too many indices.
 */
export function get(x: TensorLike, ...indices: readonly AnyIndex[]): Tensor {
  const t = asTensor(x);
  if (!indices.some((i) => i instanceof Tensor)) return slice(t, ...(indices as Index[]));
  const parts = expand(t, indices);
  const isArray = (i: AnyIndex): boolean => i instanceof Tensor || typeof i === "number";
  const places = parts.map((_, p) => p).filter((p) => isArray(parts[p]));
  const axes = places.map((p) => parts.slice(0, p).filter((i) => i !== null).length); // of x
  const positions = places.map((p, k) => {
    const part = parts[p] as Tensor | number;
    const index = typeof part === "number" ? tensor(part, { dtype: "int32" }) : part;
    checkPositions(index, t.shape[axes[k]], axes[k], t.shape, "get");
    return index;
  });
  const shape = broadcastShapes(
    positions.map((p) => p.shape),
    "get",
  );
  const rest = slice(t, ...parts.map((i): Index => (isArray(i) ? ":" : (i as Index))));
  // one position in the merged axes for each combination
  const flat = mergedPositions(
    positions,
    axes.map((a) => t.shape[a]),
  );
  const kept = rest.shape.map((_, a) => a).filter((a) => !places.includes(a));
  const merged = transpose(rest, [...places, ...kept]).reshape([
    axes.reduce((size, a) => size * t.shape[a], 1),
    ...kept.map((a) => rest.shape[a]),
  ]);
  const picked = take(merged, flat.broadcastTo(shape), 0);
  // judged by what the caller wrote: "..." divides them even where it stands for no axis
  const arrays = indices.map((_, p) => p).filter((p) => isArray(indices[p]));
  const adjacent = arrays.every((p, k) => k === 0 || p === arrays[k - 1] + 1);
  if (!adjacent) return picked;
  const front = places[0]; // so many kept axes stand in front of the arrays'
  const order = picked.shape.map((_, a) => a);
  return transpose(picked, [
    ...order.slice(shape.length, shape.length + front),
    ...order.slice(0, shape.length),
    ...order.slice(shape.length + front),
  ]);
}

/** Elements of a vector (n) replaced at positions (m): of repeated positions the last one counts. */
const replaceOp: OpDef<object> = defineOp<object>({
  name: "replace",
  type: ([x, index, values]) => {
    if (x.shape.length !== 1 || index.shape.length !== 1 || index.shape[0] !== values.shape[0])
      throw new ShapeError(
        `replace: a vector, and as many positions as values wanted, got ${formatShape(x.shape)}, ${formatShape(index.shape)}, ${formatShape(values.shape)}`,
      );
    return [x];
  },
  reference: ([x, index, values], [out]) => {
    elementPositions(x).forEach((p, i) => {
      out.data[i] = x.data[p];
    });
    const from = elementPositions(values);
    elementPositions(index).forEach((p, i) => {
      out.data[index.data[p]] = values.data[from[i]];
    });
  },
  saves: { inputs: [1] },
  vjp: ([g], { inputs: [, index], needs }) => {
    if (!g) return [null, null, null];
    const none = asTensor(0, g.dtype).broadcastTo(index.shape);
    return [
      needs[0] ? apply(replaceOp, [g, index, none], {}) : null,
      null,
      needs[2] ? take(g, index).where(winners(index, g.shape[0]), 0) : null,
    ];
  },
  jvp: ([x, index, values], [tx, , tv], [y]) => {
    if (!tx && !tv) return [null];
    const zero = asTensor(0, y.dtype);
    return [
      apply(replaceOp, [tx ?? zero.broadcastTo(x.shape), index, tv ?? zero.broadcastTo(values.shape)], {}),
    ];
  },
  batch: loopedBatch(() => replaceOp),
  samples: [
    {
      shapes: [[5], [4], [4]],
      dtypes: ["float64", "int32", "float64"],
      ranges: [
        [-2, 2],
        [0, 5],
        [-2, 2],
      ],
    },
  ],
});

/** True for the position that counts among those that name one place. */
function winners(index: Tensor, size: number): Tensor {
  const order = arange(index.shape[0]);
  const last = apply(replaceOp, [tensor(0, { dtype: "int32" }).broadcastTo([size]), index, order], {});
  return take(last, index).equal(order);
}

/** Positions in the flattened tensor of what an index names, and that part's shape. */
function placesOf(t: Tensor, indices: readonly AnyIndex[]): { flat: Tensor; shape: Shape } {
  const places = get(arange(t.size).reshape(t.shape), ...indices);
  return { flat: places.reshape([places.size]), shape: places.shape };
}

/**
 * A copy of `x` with other values where the index says; they broadcast to that part. Of repeated positions the last one
 * counts.
 * @example setAt([1, 2, 3], ["1:"], 0) // [1, 0, 0]
 * @throws ShapeError if the values do not broadcast to the part.
 */
export function setAt(x: TensorLike, index: readonly AnyIndex[], values: TensorLike): Tensor {
  const t = asTensor(x);
  const { flat, shape } = placesOf(t, index);
  const v = asTensor(values, t.dtype).cast(t.dtype).broadcastTo(shape);
  return apply(replaceOp, [t.reshape([t.size]), flat, v.reshape([v.size])], {}).reshape(t.shape);
}

/**
 * A copy of `x` with values added where the index says; at repeated positions they add up.
 * @example addAt([1, 2, 3], [tensor([0, 0], { dtype: "int32" })], 5) // [11, 2, 3]
 */
export function addAt(x: TensorLike, index: readonly AnyIndex[], values: TensorLike): Tensor {
  const [t, v] = promote(x, values);
  const { flat, shape } = placesOf(t, index);
  const spread = v.broadcastTo(shape).reshape([sizeOf(shape)]);
  return t.add(scatterAdd(flat, spread, t.size).reshape(t.shape));
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** The part that an index names: `x.get("1:3", mask)`; see `get`. */
    get(...indices: readonly AnyIndex[]): Tensor;
    /** A copy with other values where the index says: `x.setAt([0, "1:"], 5)`. */
    setAt(index: readonly AnyIndex[], values: TensorLike): Tensor;
    /** A copy with values added where the index says. */
    addAt(index: readonly AnyIndex[], values: TensorLike): Tensor;
  }
}

Tensor.prototype.get = function (...indices) {
  return get(this, ...indices);
};
Tensor.prototype.setAt = function (index, values) {
  return setAt(this, index, values);
};
Tensor.prototype.addAt = function (index, values) {
  return addAt(this, index, values);
};
