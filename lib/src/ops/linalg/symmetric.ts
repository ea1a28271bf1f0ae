/** Symmetric matrices: Cholesky factors and eigenvectors. Both read the symmetric part (x + xᵀ)/2 of what they get. */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { apply, bind } from "../bind.js";
import { asFloat, type TensorLike } from "../convert.js";
import { eye } from "../create.js";
import { tril } from "../gather.js";
import { matmul } from "../matmul.js";
import { defineOp, type OpDef } from "../registry.js";
import {
  checkSquare,
  leadingBatch,
  type Matrix,
  matricesOf,
  nameOf,
  transposed,
  writer,
} from "./matrices.js";
import { inv } from "./solve.js";
import { symmetricEigen } from "./tridiagonal.js";

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
    let index = 0;
    for (const each of matricesOf(x)) {
      const { factor, failed, pivot } = choleskyFactor(symmetricPart(each), each.rows);
      if (failed >= 0)
        throw new ValueError(
          `cholesky: ${nameOf(x, index)} is not positive definite (pivot ${failed} is ${pivot}); a small multiple of the identity added to it may help`,
        );
      write(factor);
      index++;
    }
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

/** The factor, or the place of the first pivot that is not positive. */
function choleskyFactor(a: Float64Array, n: number): { factor: Float64Array; failed: number; pivot: number } {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = a[i * n + j];
      for (let k = 0; k < j; k++) rest -= l[i * n + k] * l[j * n + k];
      if (i !== j) l[i * n + j] = rest / l[j * n + j];
      else if (rest > 0) l[i * n + i] = Math.sqrt(rest);
      else return { factor: l, failed: i, pivot: rest };
    }
  }
  return { factor: l, failed: -1, pivot: 0 };
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
      const found = symmetricEigen(symmetricPart(each), each.rows);
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

/** What `eigh` returns. */
export interface Eigen {
  /** Ascending; shape (…, n). */
  readonly values: Tensor;
  /** Columns are the unit eigenvectors, the largest component positive; shape (…, n, n). */
  readonly vectors: Tensor;
}

/**
 * Eigenvalues and eigenvectors of symmetric matrices (…, n, n). Matrices with NaN or infinite elements have NaN for both.
 * Derivatives of the vectors are infinite where two eigenvalues are equal; those of the values alone are not.
 * @example eigh([[2, 1], [1, 2]]).values // [1, 3]
 */
export function eigh(x: TensorLike): Eigen {
  const [values, vectors] = bind(eighOp, [asFloat(x)], {});
  return { values, vectors };
}

/**
 * Eigenvalues of symmetric matrices (…, n, n), ascending: shape (…, n).
 * @example linalg.eigvalsh([[0, 3], [3, 0]]) // [-3, 3]
 */
export function eigvalsh(x: TensorLike): Tensor {
  return eigh(x).values;
}
