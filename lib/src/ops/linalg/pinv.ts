/** Pseudo-inverses, and what follows from singular values: ranks, condition numbers, least squares. */
import type { DType } from "../../core/dtype.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { apply } from "../bind.js";
import { asFloat, promote, type TensorLike } from "../convert.js";
import { matmul } from "../matmul.js";
import { defineOp, type OpDef } from "../registry.js";
import { svdFactors } from "./jacobi.js";
import {
  batchOf,
  checkMatrices,
  leadingBatch,
  type Matrix,
  matricesOf,
  transposed,
  writer,
} from "./matrices.js";
import { svdvals } from "./svd.js";

export interface RankOptions {
  /** Singular values up to rtol times the largest count as 0. Default: max(m, n) times the dtype's precision. */
  readonly rtol?: number;
}

/** Distance of 1 to the next number. */
const PRECISION: Partial<Record<DType, number>> = { float64: 2 ** -52, float16: 2 ** -10, bfloat16: 2 ** -7 };

function tolerance(x: Tensor, rtol: number | undefined, where: string): number {
  checkMatrices(x, where);
  if (rtol !== undefined && !(rtol >= 0))
    throw new ValueError(`${where}: rtol is a number from 0, got ${rtol}`);
  return rtol ?? Math.max(...x.shape.slice(-2)) * (PRECISION[x.dtype] ?? 2 ** -23);
}

const pinvOp: OpDef<{ readonly rtol: number }> = defineOp<{ readonly rtol: number }>({
  name: "pinv",
  type: ([x]) => {
    checkMatrices(x, "pinv");
    const [m, n] = x.shape.slice(-2);
    return [{ shape: [...batchOf(x.shape), n, m], dtype: x.dtype }];
  },
  reference: ([x], [out], { rtol }) => {
    const write = writer(out);
    for (const each of matricesOf(x)) write(pseudoInverse(each, rtol));
  },
  saves: { inputs: "all", outputs: true },
  // Golub & Pereyra, "The differentiation of pseudo-inverses" (1973), eq. 4.12: for changes that keep the rank
  vjp: ([g], { inputs: [x], outputs: [p] }) => {
    if (!g) return [null];
    const [pt, gt] = [transposed(p), transposed(g)];
    const inner = matmul(matmul(pt, g), pt).neg();
    const fromLeft = matmul(gt, matmul(p, pt));
    const fromRight = matmul(matmul(pt, p), gt);
    const outside = fromLeft.sub(matmul(x, matmul(p, fromLeft)));
    return [inner.add(outside).add(fromRight.sub(matmul(matmul(fromRight, p), x)))];
  },
  jvp: ([x], [t], [p]) => {
    if (!t) return [null];
    const [pt, tt] = [transposed(p), transposed(t)];
    const inner = matmul(matmul(p, t), p).neg();
    const left = matmul(matmul(p, pt), tt);
    const right = matmul(matmul(tt, pt), p);
    return [inner.add(left.sub(matmul(matmul(left, x), p))).add(right.sub(matmul(p, matmul(x, right))))];
  },
  batch: leadingBatch(() => pinvOp),
  samples: [
    { shapes: [[3, 3]], diagonals: [3], attrs: { rtol: 1e-12 } },
    { shapes: [[4, 2]], diagonals: [3], attrs: { rtol: 1e-12 } },
    { shapes: [[2, 2, 3]], diagonals: [3], attrs: { rtol: 1e-12 } },
    { shapes: [[0, 2]], attrs: { rtol: 1e-12 } },
  ],
});

function pseudoInverse(x: Matrix, rtol: number): Float64Array {
  const [m, n] = [x.rows, x.columns];
  const { u, s, vt } = svdFactors(x);
  const k = s.length;
  const found = new Float64Array(n * m);
  for (let r = 0; r < k; r++) {
    if (s[r] <= rtol * s[0]) continue; // NaN goes on
    for (let i = 0; i < n; i++)
      for (let j = 0; j < m; j++) found[i * m + j] += (vt.values[r * n + i] / s[r]) * u.values[j * k + r];
  }
  return found;
}

/**
 * Moore–Penrose inverses of matrices (…, m, n): shape (…, n, m). Its derivative holds for changes that keep the rank.
 * @example linalg.pinv([[2, 0], [0, 0]]) // [[0.5, 0], [0, 0]]
 */
export function pinv(x: TensorLike, { rtol }: RankOptions = {}): Tensor {
  const t = asFloat(x);
  return apply(pinvOp, [t], { rtol: tolerance(t, rtol, "pinv") });
}

/**
 * Ranks of matrices (…, m, n): how many singular values are not 0; int32 (…).
 * @example linalg.matrixRank([[1, 2], [2, 4]]) // 1
 */
export function matrixRank(x: TensorLike, { rtol }: RankOptions = {}): Tensor {
  const t = asFloat(x);
  const limit = tolerance(t, rtol, "matrixRank");
  const s = svdvals(t);
  return s.greater(s.slice("...", [0, 1]).mul(limit)).sum(-1);
}

/**
 * Condition numbers of matrices (…, m, n): the largest singular value over the smallest; infinite for singular ones.
 * @throws ShapeError for matrices without elements.
 * @example linalg.cond([[4, 0], [0, 2]]) // 2
 */
export function cond(x: TensorLike): Tensor {
  const t = asFloat(x);
  checkMatrices(t, "cond");
  if (t.shape.slice(-2).includes(0))
    throw new ShapeError(`cond: matrices without elements have none, got ${formatShape(t.shape)}`);
  const s = svdvals(t);
  return s.take(0, -1).div(s.take(-1, -1));
}

/** What `lstsq` returns. */
export interface LeastSquares {
  /** The shortest X of those with the smallest |A·X − B|: (…, n, k), or (…, n) for a vector. */
  readonly solution: Tensor;
  /** Σ (A·X − B)² of each column: (…, k), or (…) for a vector. */
  readonly residuals: Tensor;
  /** int32 (…). */
  readonly rank: Tensor;
  /** Descending: (…, min(m, n)). */
  readonly singularValues: Tensor;
}

/**
 * Least squares: the X that comes nearest to A·X = B, for matrices of any shape and rank. Leading axes are a batch.
 * @param a (…, m, n)
 * @param b (…, m, k), or one vector (m,)
 * @example linalg.lstsq([[1, 0], [1, 1], [1, 2]], [1, 3, 5]).solution // [1, 2]
 */
export function lstsq(a: TensorLike, b: TensorLike, options: RankOptions = {}): LeastSquares {
  const [x, y] = promote(asFloat(a), asFloat(b));
  checkMatrices(x, "lstsq");
  const m = x.shape[x.ndim - 2];
  if (y.ndim === 0 || y.shape[Math.max(0, y.ndim - 2)] !== m)
    throw new ShapeError(
      `lstsq: matrices ${formatShape(x.shape)} want right-hand sides (…, ${m}, k) or (${m},), got ${formatShape(y.shape)}`,
    );
  const right = y.ndim === 1 ? y.expandDims(1) : y;
  const found = matmul(pinv(x, options), right);
  const residuals = matmul(x, found).sub(right).square().sum(-2);
  const vector = y.ndim === 1;
  return {
    solution: vector ? found.squeeze(-1) : found,
    residuals: vector ? residuals.squeeze(-1) : residuals,
    rank: matrixRank(x, options),
    singularValues: svdvals(x),
  };
}
