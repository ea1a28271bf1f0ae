/** Singular value decomposition, and its derivatives (Townsend, "Differentiating the singular value decomposition", 2016). */
import type { Tensor } from "../../core/tensor.js";
import { bind } from "../bind.js";
import { asFloat, type TensorLike } from "../convert.js";
import { eye } from "../create.js";
import { matmul } from "../matmul.js";
import { defineOp, type OpDef } from "../registry.js";
import { concat, stopGradient } from "../shape.js";
import { svdFactors } from "./jacobi.js";
import { batchOf, checkMatrices, leadingBatch, matricesOf, transposed, writer } from "./matrices.js";
import { qr } from "./qr.js";

const svdOp: OpDef<object> = defineOp<object>({
  name: "svd",
  type: ([x]) => {
    checkMatrices(x, "svd");
    const [m, n] = x.shape.slice(-2);
    const k = Math.min(m, n);
    const batch = batchOf(x.shape);
    return [
      { shape: [...batch, m, k], dtype: x.dtype },
      { shape: [...batch, k], dtype: x.dtype },
      { shape: [...batch, k, n], dtype: x.dtype },
    ];
  },
  reference: ([x], [u, s, vt]) => {
    const [writeU, writeS, writeVt] = [writer(u), writer(s), writer(vt)];
    for (const each of matricesOf(x)) {
      const factors = svdFactors(each);
      writeU(factors.u.values);
      writeS(factors.s);
      writeVt(factors.vt.values);
    }
  },
  saves: { outputs: true },
  vjp: ([gu, gs, gvt], { outputs: [u, s, vt] }) => {
    const [m, k, n] = [u.shape[u.ndim - 2], s.shape[s.ndim - 1], vt.shape[vt.ndim - 1]];
    const terms: Tensor[] = [];
    const across = (inner: Tensor): Tensor => matmul(matmul(u, inner), vt);
    if (gs) terms.push(matmul(u.mul(gs.expandDims(-2)), vt));
    if (gu) {
      const turned = matmul(transposed(u), gu);
      terms.push(across(antisymmetric(turned).mul(inverseGaps(s)).mul(s.expandDims(-2))));
      // what moves U out of the space that its columns span
      if (m > k) terms.push(matmul(gu.sub(matmul(u, turned)).div(s.expandDims(-2)), vt));
    }
    if (gvt) {
      const turned = matmul(vt, transposed(gvt));
      terms.push(across(antisymmetric(turned).mul(inverseGaps(s)).mul(s.expandDims(-1))));
      if (n > k) terms.push(matmul(u, gvt.sub(matmul(transposed(turned), vt)).div(s.expandDims(-1))));
    }
    return [terms.length > 0 ? terms.reduce((a, b) => a.add(b)) : null];
  },
  jvp: (_x, [t], [u, s, vt]) => {
    if (!t) return [null, null, null];
    const [m, k, n] = [u.shape[u.ndim - 2], s.shape[s.ndim - 1], vt.shape[vt.ndim - 1]];
    const [left, right] = [matmul(transposed(u), t), matmul(t, transposed(vt))];
    const turned = matmul(left, transposed(vt));
    const scaled = turned.mul(s.expandDims(-2));
    const other = turned.mul(s.expandDims(-1));
    const gaps = inverseGaps(s);
    let du = matmul(u, scaled.add(transposed(scaled)).mul(gaps));
    if (m > k) du = du.add(right.sub(matmul(u, turned)).div(s.expandDims(-2)));
    let dvt = matmul(other.add(transposed(other)).mul(gaps).neg(), vt);
    if (n > k) dvt = dvt.add(left.sub(matmul(turned, vt)).div(s.expandDims(-1)));
    return [du, turned.mul(eye(k, k, { dtype: s.dtype })).sum(-1), dvt];
  },
  batch: leadingBatch(() => svdOp),
  samples: [
    { shapes: [[3, 3]] },
    { shapes: [[4, 2]] },
    { shapes: [[2, 2, 3]] },
    { shapes: [[1, 1]], ranges: [[1, 2]] },
    { shapes: [[0, 2]] },
    { shapes: [[3, 0]] },
  ],
});

const antisymmetric = (x: Tensor): Tensor => x.sub(transposed(x));

/** 1/(sⱼ² − sᵢ²) off the diagonal, 0 on it. */
function inverseGaps(s: Tensor): Tensor {
  const identity = eye(s.shape[s.ndim - 1], undefined, { dtype: s.dtype });
  const [across, down] = [s.expandDims(-2), s.expandDims(-1)];
  // as a product of sum and difference: squares of near values would cancel
  const gaps = across.sub(down).mul(across.add(down)).add(identity);
  return gaps.reciprocal().mul(identity.neg().add(1));
}

export interface SvdOptions {
  /** Square U and Vᵀ. The vectors that are added for this are any that fit: constants to derivatives. Default: false. */
  readonly fullMatrices?: boolean;
}

/** What `svd` returns. */
export interface Svd {
  /** Orthonormal columns, the largest component of each positive; shape (…, m, k), k = min(m, n). */
  readonly u: Tensor;
  /** Singular values from 0 on, descending; shape (…, k). */
  readonly s: Tensor;
  /** Orthonormal rows; shape (…, k, n). */
  readonly vt: Tensor;
}

/**
 * Singular value decomposition X = U·diag(s)·Vᵀ of matrices (…, m, n), the thin one unless `fullMatrices`.
 * Matrices with NaN or infinite elements have NaN for factors.
 * Derivatives of u and vt are infinite where two singular values are equal (or one is 0 and the matrix not square);
 * those of s alone are not.
 * @throws ShapeError for fewer than two axes.
 * @example linalg.svd([[3, 0], [0, -2]]).s // [3, 2]
 */
export function svd(x: TensorLike, { fullMatrices = false }: SvdOptions = {}): Svd {
  const [u, s, vt] = bind(svdOp, [asFloat(x)], {});
  return fullMatrices ? { u: completed(u), s, vt: transposed(completed(transposed(vt))) } : { u, s, vt };
}

/** Orthonormal columns (…, m, k) with m − k more. */
function completed(columns: Tensor): Tensor {
  const [m, k] = columns.shape.slice(-2);
  if (k === m) return columns;
  const { q } = qr(stopGradient(columns), { complete: true });
  return concat([columns, q.slice("...", [k, m])], -1);
}

/**
 * Singular values of matrices (…, m, n), descending: shape (…, min(m, n)).
 * @example linalg.svdvals([[0, 2], [1, 0]]) // [2, 1]
 */
export function svdvals(x: TensorLike): Tensor {
  return svd(x).s;
}
