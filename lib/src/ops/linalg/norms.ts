/** Norms, traces and diagonals. */
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { asFloat, asTensor, type TensorLike } from "../convert.js";
import { arange } from "../create.js";
import { svdvals } from "./svd.js";

/** Order of a vector norm: 2 by default; 1: sum of |x|; Infinity: largest |x|; 0: number of nonzeros; p: (Σ|x|ᵖ)^(1/p). */
export interface NormOptions {
  readonly ord?: number;
}

/**
 * Vector norm over `axis`, or of all elements. The gradient at 0 is 0.
 * @throws ValueError for a negative order.
 * @example norm([3, 4]) // 5
 */
export function norm(
  x: TensorLike,
  axis?: number | readonly number[] | null,
  keepDims = false,
  { ord = 2 }: NormOptions = {},
): Tensor {
  const t = asFloat(x);
  if (!(ord >= 0)) throw new ValueError(`norm: the order is a number from 0, got ${ord}`);
  if (ord === Number.POSITIVE_INFINITY) return t.abs().max(axis, keepDims);
  if (ord === 0) return t.notEqual(0).cast(t.dtype).sum(axis, keepDims);
  if (ord === 1) return t.abs().sum(axis, keepDims);
  const powers = (ord === 2 ? t.square() : t.abs().pow(ord)).sum(axis, keepDims);
  // a root has no finite slope at 0: there it is taken of 1 instead, which cuts the gradient off
  const zero = powers.equal(0);
  const safe = asTensor(1, powers.dtype).where(zero, powers);
  return asTensor(0, powers.dtype).where(zero, ord === 2 ? safe.sqrt() : safe.pow(1 / ord));
}

/**
 * Matrix norms over the last two axes: shape (…). `"fro"`: √Σx²; `"nuc"`: sum of the singular values; 2 and −2: the largest and the
 * smallest of them; 1 and −1: the largest and smallest sum of a column's |x|; ±Infinity: of a row's.
 * @example linalg.matrixNorm([[1, -2], [3, 4]], 1) // 6
 */
export function matrixNorm(x: TensorLike, ord: MatrixNormOrder = "fro"): Tensor {
  const t = asFloat(x);
  matrixSize(t, "matrixNorm");
  if (ord === "fro") return norm(t, [-2, -1]);
  if (ord === "nuc") return svdvals(t).sum(-1);
  if (!MATRIX_ORDERS.includes(ord))
    throw new ValueError(
      `matrixNorm: the order is one of "fro", "nuc", ${MATRIX_ORDERS.join(", ")}, got ${ord}`,
    );
  const sizes = Math.abs(ord) === 2 ? svdvals(t) : t.abs().sum(Math.abs(ord) === 1 ? -2 : -1);
  return ord > 0 ? sizes.max(-1) : sizes.min(-1);
}

/** `"fro"`, `"nuc"`, 1, −1, 2, −2, Infinity or −Infinity. */
export type MatrixNormOrder = "fro" | "nuc" | number;

const MATRIX_ORDERS: readonly number[] = [1, -1, 2, -2, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

/**
 * Elements (i, i + k) of matrices (…, n, m): shape (…, length).
 * @example diagonal([[1, 2], [3, 4]]) // [1, 4]
 */
export function diagonal(x: TensorLike, k = 0): Tensor {
  const t = asTensor(x);
  const [n, m] = matrixSize(t, "diagonal");
  const [row, column] = [Math.max(0, -k), Math.max(0, k)];
  const length = Math.max(0, Math.min(n - row, m - column));
  const flat = t.reshape([...t.shape.slice(0, -2), n * m]);
  if (length === 0) return flat.slice("...", [0, 0]);
  const start = row * m + column;
  return flat.slice("...", [start, start + (length - 1) * (m + 1) + 1, m + 1]);
}

/**
 * Matrices with the vectors (…, n) on their diagonals: shape (…, n, n).
 * @example diag([1, 2]) // [[1, 0], [0, 2]]
 */
export function diag(x: TensorLike): Tensor {
  const t = asTensor(x);
  if (t.ndim === 0) throw new ShapeError("diag: vectors (…, n) wanted, got a number");
  const index = arange(t.shape[t.ndim - 1]);
  return t.expandDims(-1).where(index.expandDims(1).equal(index), 0);
}

/**
 * Sum of the diagonal of matrices (…, n, m): shape (…).
 * @example trace([[1, 2], [3, 4]]) // 5
 */
export function trace(x: TensorLike): Tensor {
  return diagonal(x).sum(-1);
}

function matrixSize(t: Tensor, where: string): [number, number] {
  if (t.ndim < 2) throw new ShapeError(`${where}: matrices (…, n, m) wanted, got ${formatShape(t.shape)}`);
  return [t.shape[t.ndim - 2], t.shape[t.ndim - 1]];
}
