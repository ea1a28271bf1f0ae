/** Matrix products, batched and broadcast as NumPy's matmul. */
import { ShapeError } from "../core/errors.js";
import { broadcastLayout } from "../core/layout.js";
import { broadcastShapes, formatShape, sizeOf } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { elementPositions, type HostArray } from "../runtime/host-array.js";
import { apply } from "./bind.js";
import { promote, type TensorLike } from "./convert.js";
import { defineOp, type OpDef } from "./registry.js";
import { elementwiseBatch } from "./rules.js";

/** Positions of the matrices' elements, batch by batch, each row-major. */
function matrixPositions(x: HostArray, batch: readonly number[]): Int32Array {
  const rank = x.shape.length;
  return elementPositions(broadcastLayout(x, [...batch, x.shape[rank - 2], x.shape[rank - 1]], "matmul"));
}

export const matmulOp: OpDef<object> = defineOp<object>({
  name: "matmul",
  kind: "contraction",
  type: ([a, b]) => {
    const [m, k] = a.shape.slice(-2);
    const [k2, n] = b.shape.slice(-2);
    if (k !== k2) {
      throw new ShapeError(
        `matmul: ${formatShape(a.shape)} times ${formatShape(b.shape)}: the first has ${k} columns, the second ${k2} rows`,
      );
    }
    const batch = broadcastShapes([a.shape.slice(0, -2), b.shape.slice(0, -2)], "matmul");
    return [{ shape: [...batch, m, n], dtype: a.dtype }];
  },
  reference: ([a, b], [out]) => {
    const batch = out.shape.slice(0, -2);
    const [m, n] = out.shape.slice(-2);
    const k = a.shape[a.shape.length - 1];
    const p = matrixPositions(a, batch);
    const q = matrixPositions(b, batch);
    const count = sizeOf(batch);
    for (let i = 0; i < count; i++) {
      for (let row = 0; row < m; row++) {
        for (let column = 0; column < n; column++) {
          let sum = 0;
          for (let j = 0; j < k; j++)
            sum += a.data[p[(i * m + row) * k + j]] * b.data[q[(i * k + j) * n + column]];
          out.data[(i * m + row) * n + column] = sum;
        }
      }
    }
  },
  saves: { inputs: "all" },
  vjp: ([g], { inputs: [a, b], inputTypes: [at, bt], needs }) => [
    g && needs[0] ? matmul(g, b.swapAxes(-1, -2)).sumTo(at.shape) : null,
    g && needs[1] ? matmul(a.swapAxes(-1, -2), g).sumTo(bt.shape) : null,
  ],
  jvp: ([a, b], [ta, tb]) => {
    const p = ta && matmul(ta, b);
    const q = tb && matmul(a, tb);
    return [p && q ? p.add(q) : (p ?? q)];
  },
  batch: elementwiseBatch(() => matmulOp),
  samples: [
    {
      shapes: [
        [2, 3],
        [3, 4],
      ],
    },
    {
      shapes: [
        [2, 1, 2, 3],
        [3, 3, 1],
      ],
    },
    {
      shapes: [
        [2, 0],
        [0, 3],
      ],
    },
  ],
});

/**
 * Matrix product. Two axes: rows times columns; one axis: a row before, a column behind, dropped from the result;
 * more: the leading axes are a batch and broadcast.
 * @example matmul([[1, 2], [3, 4]], [[5], [6]]) // [[17], [39]]
 */
export function matmul(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote(a, b);
  if (x.ndim === 0 || y.ndim === 0) {
    throw new ShapeError(
      `matmul: ${formatShape(x.shape)} times ${formatShape(y.shape)}: both need at least one axis; for scalars use mul`,
    );
  }
  const left = x.ndim === 1 ? x.expandDims(0) : x;
  const right = y.ndim === 1 ? y.expandDims(1) : y;
  const product = apply(matmulOp, [left, right], {});
  if (x.ndim > 1 && y.ndim > 1) return product;
  const shape = [...product.shape];
  if (y.ndim === 1) shape.splice(-1, 1);
  if (x.ndim === 1) shape.splice(y.ndim === 1 ? -1 : -2, 1);
  return product.reshape(shape);
}

/**
 * Σ aᵢbᵢ over the last axis of both.
 * @example dot([1, 2, 3], [4, 5, 6]) // 32
 */
export function dot(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote(a, b);
  return x.mul(y).sum(-1);
}

/**
 * aᵢbⱼ of two vectors: shape (m, n).
 * @example outer([1, 2], [3, 4]) // [[3, 4], [6, 8]]
 */
export function outer(a: TensorLike, b: TensorLike): Tensor {
  const [x, y] = promote(a, b);
  return x.reshape([-1, 1]).mul(y.reshape([1, -1]));
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** Matrix product, batched over leading axes. */
    matmul(other: TensorLike): Tensor;
    dot(other: TensorLike): Tensor;
  }
}

Tensor.prototype.matmul = function (other) {
  return matmul(this, other);
};
Tensor.prototype.dot = function (other) {
  return dot(this, other);
};
