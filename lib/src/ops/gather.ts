/** Ops that move elements by index: take and its transpose scatterAdd, takeAlongAxis, oneHot, triangles. */
import { DEFAULT_FLOAT, type DType } from "../core/dtype.js";
import { ShapeError, ValueError } from "../core/errors.js";
import { checkAxis, formatShape, normalizeAxis, type Shape, sizeOf } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { elementPositions } from "../runtime/host-array.js";
import { apply } from "./bind.js";
import { asIndices, asTensor, type TensorLike } from "./convert.js";
import { arange } from "./create.js";
import { defineOp, type OpDef } from "./registry.js";
import { batchToFront, loopedBatch, withBatch } from "./rules.js";

interface AxisAttrs {
  readonly axis: number;
}

/** Index counted from the front. @throws ValueError outside [−size, size). */
function checkedIndex(index: number, size: number, where: string): number {
  const at = index < 0 ? index + size : index;
  if (at < 0 || at >= size)
    throw new ValueError(`${where}: index ${index} is out of range for an axis of size ${size}`);
  return at;
}

const takeOp: OpDef<AxisAttrs> = defineOp<AxisAttrs>({
  name: "take",
  type: ([x, i], { axis }) => {
    checkAxis(axis, x.shape.length, "take");
    return [{ shape: [...x.shape.slice(0, axis), ...i.shape, ...x.shape.slice(axis + 1)], dtype: x.dtype }];
  },
  reference: ([x, index], [out], { axis }) => {
    const from = elementPositions(x);
    const at = elementPositions(index);
    const [before, dim, after] = [
      sizeOf(x.shape.slice(0, axis)),
      x.shape[axis],
      sizeOf(x.shape.slice(axis + 1)),
    ];
    let next = 0;
    for (let b = 0; b < before; b++) {
      for (let i = 0; i < at.length; i++) {
        const row = (b * dim + checkedIndex(index.data[at[i]], dim, "take")) * after;
        for (let a = 0; a < after; a++) out.data[next++] = x.data[from[row + a]];
      }
    }
  },
  saves: { inputs: [1] },
  vjp: ([g], { inputs: [, index], inputTypes: [x], attrs: { axis } }) => [
    g && apply(scatterAddOp, [index, g], { axis, size: x.shape[axis], rank: index.ndim }),
    null,
  ],
  jvp: ([, index], [t], _y, attrs) => [t && apply(takeOp, [t, index], attrs)],
  batch: ([x, index], [bx, bi], { axis }, size) => {
    if (bi === null)
      return { outputs: [apply(takeOp, [batchToFront(x, bx), index], { axis: axis + 1 })], axes: [0] };
    return loopedBatch(() => takeOp)([x, index], [bx, bi], { axis }, size);
  },
  samples: [
    {
      shapes: [
        [5, 3],
        [2, 2],
      ],
      attrs: { axis: 0 },
      dtypes: ["float64", "int32"],
      ranges: [
        [-2, 2],
        [0, 5],
      ],
    },
    {
      shapes: [[2, 4], [3]],
      attrs: { axis: 1 },
      dtypes: ["float64", "int32"],
      ranges: [
        [-2, 2],
        [0, 4],
      ],
    },
  ],
});

/**
 * Elements (rows, planes …) of `x` at `indices` along `axis`; the indices' shape takes that axis' place. Negative indices count from the back.
 * @example take([[1, 2], [3, 4], [5, 6]], [2, 0]) // [[5, 6], [1, 2]]
 */
export function take(x: TensorLike, indices: TensorLike, axis = 0): Tensor {
  const t = asTensor(x);
  return apply(takeOp, [t, asIndices(indices, "take")], { axis: normalizeAxis(axis, t.ndim, "take") });
}

interface ScatterAttrs extends AxisAttrs {
  /** Size of `axis` in the result. */
  readonly size: number;
  /** Axes of the indices. */
  readonly rank: number;
}

const scatterAddOp: OpDef<ScatterAttrs> = defineOp<ScatterAttrs>({
  name: "scatterAdd",
  type: ([index, x], { axis, size, rank }) => {
    const where = x.shape.slice(axis, axis + rank);
    if (!Number.isInteger(axis) || where.join() !== index.shape.join()) {
      throw new ShapeError(
        `scatterAdd: indices ${formatShape(index.shape)} do not match axes ${axis}… of the values ${formatShape(x.shape)}`,
      );
    }
    return [{ shape: [...x.shape.slice(0, axis), size, ...x.shape.slice(axis + rank)], dtype: x.dtype }];
  },
  reference: ([index, x], [out], { axis, size, rank }) => {
    out.data.fill(0);
    const from = elementPositions(x);
    const at = elementPositions(index);
    const [before, after] = [sizeOf(x.shape.slice(0, axis)), sizeOf(x.shape.slice(axis + rank))];
    let next = 0;
    for (let b = 0; b < before; b++) {
      for (let i = 0; i < at.length; i++) {
        const row = (b * size + checkedIndex(index.data[at[i]], size, "scatterAdd")) * after;
        for (let a = 0; a < after; a++) out.data[row + a] += x.data[from[next++]];
      }
    }
  },
  saves: { inputs: [0] },
  vjp: ([g], { inputs: [index], attrs: { axis } }) => [null, g && apply(takeOp, [g, index], { axis })],
  jvp: ([index], [, t], _y, attrs) => [t && apply(scatterAddOp, [index, t], attrs)],
  batch: (inputs, axes, attrs, size) => {
    if (axes[0] !== null) return loopedBatch(() => scatterAddOp)(inputs, axes, attrs, size);
    const values = withBatch(inputs[1], axes[1], size);
    return {
      outputs: [apply(scatterAddOp, [inputs[0], values], { ...attrs, axis: attrs.axis + 1 })],
      axes: [0],
    };
  },
  samples: [
    {
      shapes: [[3], [3, 2]],
      attrs: { axis: 0, size: 4, rank: 1 },
      dtypes: ["int32", "float64"],
      ranges: [
        [0, 4],
        [-2, 2],
      ],
    },
  ],
});

/**
 * Zeros with `size` along `axis`, to which `values` are added at `indices`; repeated indices add up.
 * @example scatterAdd([0, 2, 0], [1, 2, 3], 4) // [4, 0, 2, 0]
 */
export function scatterAdd(indices: TensorLike, values: TensorLike, size: number, axis = 0): Tensor {
  const index = asIndices(indices, "scatterAdd");
  const t = asTensor(values);
  return apply(scatterAddOp, [index, t], {
    axis: normalizeAxis(axis, t.ndim, "scatterAdd"),
    size,
    rank: index.ndim,
  });
}

/** Positions of x[..., index[i, j …], ...] along `axis`, for each index. */
export function alongPositions(
  x: { shape: Shape },
  positions: Int32Array,
  index: ArrayLike<number>,
  shape: Shape,
  axis: number,
  where: string,
): Int32Array {
  const [before, count, after] = [sizeOf(shape.slice(0, axis)), shape[axis], sizeOf(shape.slice(axis + 1))];
  const dim = x.shape[axis];
  const out = new Int32Array(before * count * after);
  let next = 0;
  for (let b = 0; b < before; b++) {
    for (let i = 0; i < count; i++) {
      for (let a = 0; a < after; a++, next++)
        out[next] = positions[(b * dim + checkedIndex(index[next], dim, where)) * after + a];
    }
  }
  return out;
}

export function checkAlong(x: Shape, index: Shape, axis: number, where: string): void {
  if (x.length !== index.length || x.some((dim, i) => i !== axis && dim !== index[i])) {
    throw new ShapeError(
      `${where}: indices ${formatShape(index)} differ from ${formatShape(x)} outside axis ${axis}`,
    );
  }
}

const takeAlongOp: OpDef<AxisAttrs> = defineOp<AxisAttrs>({
  name: "takeAlongAxis",
  type: ([x, index], { axis }) => {
    checkAxis(axis, x.shape.length, "takeAlongAxis");
    checkAlong(x.shape, index.shape, axis, "takeAlongAxis");
    return [{ shape: index.shape, dtype: x.dtype }];
  },
  reference: ([x, index], [out], { axis }) => {
    const at = elementPositions(index);
    const values = Array.from(at, (p) => index.data[p]);
    const from = alongPositions(x, elementPositions(x), values, index.shape, axis, "takeAlongAxis");
    for (let i = 0; i < from.length; i++) out.data[i] = x.data[from[i]];
  },
  saves: { inputs: [1] },
  vjp: ([g], { inputs: [, index], inputTypes: [x], attrs: { axis } }) => [
    g && apply(scatterAlongOp, [index, g], { axis, size: x.shape[axis] }),
    null,
  ],
  jvp: ([, index], [t], _y, attrs) => [t && apply(takeAlongOp, [t, index], attrs)],
  batch: ([x, index], [bx, bi], { axis }, size) => ({
    outputs: [apply(takeAlongOp, [withBatch(x, bx, size), withBatch(index, bi, size)], { axis: axis + 1 })],
    axes: [0],
  }),
  samples: [
    {
      shapes: [
        [3, 4],
        [3, 2],
      ],
      attrs: { axis: 1 },
      dtypes: ["float64", "int32"],
      ranges: [
        [-2, 2],
        [0, 4],
      ],
    },
    {
      shapes: [
        [3, 2],
        [4, 2],
      ],
      attrs: { axis: 0 },
      dtypes: ["float64", "int32"],
      ranges: [
        [-2, 2],
        [0, 3],
      ],
    },
  ],
});

interface AlongAttrs extends AxisAttrs {
  readonly size: number;
}

export const scatterAlongOp: OpDef<AlongAttrs> = defineOp<AlongAttrs>({
  name: "scatterAddAlongAxis",
  type: ([index, x], { axis, size }) => {
    checkAxis(axis, x.shape.length, "scatterAddAlongAxis");
    checkAlong(x.shape, index.shape, axis, "scatterAddAlongAxis");
    return [{ shape: x.shape.map((dim, i) => (i === axis ? size : dim)), dtype: x.dtype }];
  },
  reference: ([index, x], [out], { axis }) => {
    out.data.fill(0);
    const values = Array.from(elementPositions(index), (p) => index.data[p]);
    const to = alongPositions(out, elementPositions(out), values, index.shape, axis, "scatterAddAlongAxis");
    const from = elementPositions(x);
    for (let i = 0; i < from.length; i++) out.data[to[i]] += x.data[from[i]];
  },
  saves: { inputs: [0] },
  vjp: ([g], { inputs: [index], attrs: { axis } }) => [null, g && apply(takeAlongOp, [g, index], { axis })],
  jvp: ([index], [, t], _y, attrs) => [t && apply(scatterAlongOp, [index, t], attrs)],
  batch: ([index, x], [bi, bx], attrs, size) => ({
    outputs: [
      apply(scatterAlongOp, [withBatch(index, bi, size), withBatch(x, bx, size)], {
        ...attrs,
        axis: attrs.axis + 1,
      }),
    ],
    axes: [0],
  }),
  samples: [
    {
      shapes: [
        [3, 2],
        [3, 2],
      ],
      attrs: { axis: 1, size: 4 },
      dtypes: ["int32", "float64"],
      ranges: [
        [0, 4],
        [-2, 2],
      ],
    },
  ],
});

/**
 * One element per index along `axis`: `y[i][j] = x[i][index[i][j]]` for axis 1.
 * @example takeAlongAxis([[1, 2, 3], [4, 5, 6]], [[2], [0]], 1) // [[3], [4]]
 */
export function takeAlongAxis(x: TensorLike, indices: TensorLike, axis: number): Tensor {
  const t = asTensor(x);
  return apply(takeAlongOp, [t, asIndices(indices, "takeAlongAxis")], {
    axis: normalizeAxis(axis, t.ndim, "takeAlongAxis"),
  });
}

/**
 * A row of `classes` numbers per index: 1 at the index, else 0.
 * @example oneHot([2, 0], 3) // [[0, 0, 1], [1, 0, 0]]
 */
export function oneHot(indices: TensorLike, classes: number, dtype: DType = DEFAULT_FLOAT): Tensor {
  return asIndices(indices, "oneHot").expandDims(-1).equal(arange(classes)).cast(dtype);
}

function triangle(x: TensorLike, keep: (rows: Tensor, columns: Tensor) => Tensor): Tensor {
  const t = asTensor(x);
  if (t.ndim < 2) throw new ShapeError(`tril/triu: a matrix is needed, got shape ${formatShape(t.shape)}`);
  const [n, m] = t.shape.slice(-2);
  return t.where(keep(arange(n).reshape([n, 1]), arange(m)), 0);
}

/**
 * The lower triangle (column − row ≤ k); zeros above.
 * @example tril([[1, 2], [3, 4]]) // [[1, 0], [3, 4]]
 */
export function tril(x: TensorLike, k = 0): Tensor {
  return triangle(x, (rows, columns) => columns.sub(rows).lessEqual(k));
}

/**
 * The upper triangle (column − row ≥ k); zeros below.
 * @example triu([[1, 2], [3, 4]]) // [[1, 2], [0, 4]]
 */
export function triu(x: TensorLike, k = 0): Tensor {
  return triangle(x, (rows, columns) => columns.sub(rows).greaterEqual(k));
}

declare module "../core/tensor.js" {
  interface Tensor {
    take(indices: TensorLike, axis?: number): Tensor;
    takeAlongAxis(indices: TensorLike, axis: number): Tensor;
  }
}

Tensor.prototype.take = function (indices, axis) {
  return take(this, indices, axis);
};
Tensor.prototype.takeAlongAxis = function (indices, axis) {
  return takeAlongAxis(this, indices, axis);
};
