/** Symmetric matrices: Cholesky factors and eigenvectors. Both read the symmetric part (x + xᵀ)/2 of what they get. */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { apply, bind } from "../bind.js";
import { asFloat, type TensorLike } from "../convert.js";
import { eye } from "../create.js";
import { tril } from "../gather.js";
import { matmul } from "../matmul.js";
import { defineOp, type OpDef } from "../registry.js";
import { checkSquare, leadingBatch, type Matrix, matricesOf, transposed, writer } from "./matrices.js";
import { inv } from "./solve.js";

const symmetrized = (x: Tensor): Tensor => x.add(transposed(x)).mul(0.5);

function symmetricPart({ rows: n, values }: Matrix): Float64Array {
  return values.map((_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    return (values[i * n + j] + values[j * n + i]) / 2;
  });
}

/** Lower triangle with half the diagonal: the derivative of A = L·Lᵀ is L·Φ(L⁻¹ dA L⁻ᵀ). */
function halved(x: Tensor): Tensor {
  const n = x.shape[x.shape.length - 1];
  return tril(x).sub(x.mul(eye(n, n, { dtype: x.dtype })).mul(0.5));
}

const choleskyOp: OpDef<object> = defineOp<object>({
  name: "cholesky",
  type: ([x]) => {
    checkSquare(x, "cholesky");
    return [x];
  },
  reference: ([x], [out]) => {
    const write = writer(out);
    for (const each of matricesOf(x)) write(choleskyFactor(symmetricPart(each), each.rows));
  },
  saves: { outputs: true },
  // Murray, "Differentiation of the Cholesky decomposition" (2016), eq. 10
  vjp: ([g], { outputs: [l] }) => {
    if (!g) return [null];
    const inverse = inv(l);
    const inner = halved(matmul(transposed(l), tril(g)));
    return [symmetrized(matmul(matmul(transposed(inverse), inner), inverse))];
  },
  jvp: (_x, [t], [l]) => {
    if (!t) return [null];
    const inverse = inv(l);
    return [matmul(l, halved(matmul(matmul(inverse, symmetrized(t)), transposed(inverse))))];
  },
  batch: leadingBatch(() => choleskyOp),
  samples: [
    { shapes: [[3, 3]], diagonals: [6] },
    { shapes: [[2, 2, 2]], diagonals: [6] },
  ],
});

function choleskyFactor(a: Float64Array, n: number): Float64Array {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = a[i * n + j];
      for (let k = 0; k < j; k++) rest -= l[i * n + k] * l[j * n + k];
      if (i !== j) l[i * n + j] = rest / l[j * n + j];
      else if (rest > 0) l[i * n + i] = Math.sqrt(rest);
      else
        throw new ValueError(
          `cholesky: the matrix of ${n} × ${n} is not positive definite (pivot ${i} is ${rest})`,
        );
    }
  }
  return l;
}

/**
 * The lower triangle L with L·Lᵀ = x, of positive definite matrices (…, n, n). @throws ValueError for others.
 * @example linalg.cholesky([[4, 2], [2, 5]]) // [[2, 0], [1, 2]]
 */
export function cholesky(x: TensorLike): Tensor {
  return apply(choleskyOp, [asFloat(x)], {});
}

const eighOp: OpDef<object> = defineOp<object>({
  name: "eigh",
  type: ([x]) => {
    checkSquare(x, "eigh");
    return [{ shape: x.shape.slice(0, -1), dtype: x.dtype }, x];
  },
  reference: ([x], [values, vectors]) => {
    const [writeValues, writeVectors] = [writer(values), writer(vectors)];
    for (const each of matricesOf(x)) {
      const found = jacobi(symmetricPart(each), each.rows);
      writeValues(found.values);
      writeVectors(found.vectors);
    }
  },
  saves: { outputs: true },
  // Giles, "Collected matrix derivative results" (2008), §3.1
  vjp: ([gw, gv], { outputs: [w, v] }) => {
    const n = w.shape[w.shape.length - 1];
    const identity = eye(n, n, { dtype: w.dtype });
    const diagonal = gw && gw.expandDims(-2).mul(identity);
    const mixed = gv && matmul(transposed(v), gv).mul(inverseGaps(w));
    const inner = diagonal && mixed ? diagonal.add(mixed) : (diagonal ?? mixed);
    return [inner && symmetrized(matmul(matmul(v, inner), transposed(v)))];
  },
  jvp: (_x, [t], [w, v]) => {
    if (!t) return [null, null];
    const n = w.shape[w.shape.length - 1];
    const turned = matmul(matmul(transposed(v), symmetrized(t)), v);
    return [turned.mul(eye(n, n, { dtype: w.dtype })).sum(-1), matmul(v, turned.mul(inverseGaps(w)))];
  },
  batch: leadingBatch(() => eighOp),
  samples: [{ shapes: [[3, 3]] }, { shapes: [[2, 2, 2]] }, { shapes: [[1, 1]] }],
});

/** 1/(wⱼ − wᵢ) off the diagonal, 0 on it. */
function inverseGaps(w: Tensor): Tensor {
  const n = w.shape[w.shape.length - 1];
  const identity = eye(n, n, { dtype: w.dtype });
  const gaps = w.expandDims(-2).sub(w.expandDims(-1)).add(identity);
  return gaps.reciprocal().mul(identity.neg().add(1));
}

/** Cyclic Jacobi rotations (Golub & Van Loan, §8.5): exact to rounding, and simple. */
function jacobi(a: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const total = Math.hypot(...a);
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) off = Math.max(off, Math.abs(a[p * n + q]));
    if (off <= 1e-17 * total) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
  }
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => a[i * n + i] - a[j * n + j]);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    // an eigenvector's sign is free: the largest component is made positive, so that equal inputs give equal outputs
    let largest = 0;
    for (let k = 0; k < n; k++) if (Math.abs(v[k * n + from]) > Math.abs(v[largest * n + from])) largest = k;
    const sign = v[largest * n + from] < 0 ? -1 : 1;
    for (let k = 0; k < n; k++) vectors[k * n + to] = sign * v[k * n + from];
  });
  return { values: Float64Array.from(order, (i) => a[i * n + i]), vectors };
}

/** Turns the plane of axes p and q so that a[p][q] becomes 0. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q];
  if (apq === 0) return;
  const theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (let k = 0; k < n; k++) {
    const [x, y] = [a[k * n + p], a[k * n + q]];
    a[k * n + p] = c * x - s * y;
    a[k * n + q] = s * x + c * y;
  }
  for (let k = 0; k < n; k++) {
    const [x, y] = [a[p * n + k], a[q * n + k]];
    a[p * n + k] = c * x - s * y;
    a[q * n + k] = s * x + c * y;
  }
  for (let k = 0; k < n; k++) {
    const [x, y] = [v[k * n + p], v[k * n + q]];
    v[k * n + p] = c * x - s * y;
    v[k * n + q] = s * x + c * y;
  }
}

/** What `eigh` returns. */
export interface Eigen {
  /** Ascending; shape (…, n). */
  readonly values: Tensor;
  /** Columns are the unit eigenvectors, the largest component positive; shape (…, n, n). */
  readonly vectors: Tensor;
}

/**
 * Eigenvalues and eigenvectors of symmetric matrices (…, n, n).
 * Derivatives of the vectors are infinite where two eigenvalues are equal.
 * @example eigh([[2, 1], [1, 2]]).values // [1, 3]
 */
export function eigh(x: TensorLike): Eigen {
  const [values, vectors] = bind(eighOp, [asFloat(x)], {});
  return { values, vectors };
}
