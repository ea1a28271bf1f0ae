/** Determinants, their logarithms, and cofactors, which are their derivatives. */
import type { Tensor } from "../../core/tensor.js";
import { apply, bind } from "../bind.js";
import { asFloat, asTensor, type TensorLike } from "../convert.js";
import { arange, eye } from "../create.js";
import { matmul } from "../matmul.js";
import { prod } from "../reduce.js";
import { defineOp, type OpDef } from "../registry.js";
import { stopGradient } from "../shape.js";
import { svdFactors } from "./jacobi.js";
import { determinant, luFactors } from "./lu.js";
import {
  batchOf,
  checkSquare,
  leadingBatch,
  type Matrix,
  matricesOf,
  transposed,
  writer,
} from "./matrices.js";
import { diag, diagonal } from "./norms.js";
import { inv } from "./solve.js";
import { svd } from "./svd.js";

const detOp: OpDef<object> = defineOp<object>({
  name: "det",
  type: ([x]) => {
    checkSquare(x, "det");
    return [{ shape: batchOf(x.shape), dtype: x.dtype }];
  },
  reference: ([x], [out]) => {
    const write = writer(out);
    for (const each of matricesOf(x)) write([determinant(luFactors(each))]);
  },
  saves: { inputs: "all" },
  vjp: ([g], { inputs: [x] }) => [g && cofactors(x).mul(g.expandDims(-1).expandDims(-1))],
  jvp: ([x], [t]) => [t && cofactors(x).mul(t).sum([-2, -1])],
  batch: leadingBatch(() => detOp),
  samples: [{ shapes: [[3, 3]] }, { shapes: [[2, 2, 2]] }, { shapes: [[1, 1]] }, { shapes: [[0, 0]] }],
});

/**
 * Determinants of matrices (…, n, n): shape (…). Those of large matrices leave the range of numbers: see `slogdet`.
 * @example det([[1, 2], [3, 4]]) // -2
 */
export function det(x: TensorLike): Tensor {
  return apply(detOp, [asFloat(x)], {});
}

/** From X = U·S·Vᵀ: the cofactors of S are products of the other singular values, and U and V only turn them. */
const cofactorsOp: OpDef<object> = defineOp<object>({
  name: "cofactors",
  type: ([x]) => {
    checkSquare(x, "cofactors");
    return [x];
  },
  reference: ([x], [out]) => {
    const write = writer(out);
    for (const each of matricesOf(x)) write(cofactorsOf(each));
  },
  saves: { inputs: "all" },
  // linear in the change and symmetric, so that both rules are one
  vjp: ([g], { inputs: [x] }) => [g && cofactorChange(x, g)],
  jvp: ([x], [t]) => [t && cofactorChange(x, t)],
  batch: leadingBatch(() => cofactorsOp),
  samples: [{ shapes: [[3, 3]] }, { shapes: [[2, 2, 2]] }, { shapes: [[1, 1]] }, { shapes: [[0, 0]] }],
});

function cofactorsOf(x: Matrix): Float64Array {
  const n = x.rows;
  const { u, s, vt } = svdFactors(x);
  const sign = Math.sign(determinant(luFactors(u)) * determinant(luFactors(vt)));
  const others = productsOfOthers(s);
  const found = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let k = 0; k < n; k++)
      for (let j = 0; j < n; j++)
        found[i * n + j] += sign * u.values[i * n + k] * others[k] * vt.values[k * n + j];
  return found;
}

/** For each number the product of all others, without a division. */
function productsOfOthers(s: Float64Array): Float64Array {
  const products = new Float64Array(s.length);
  let before = 1;
  for (let i = 0; i < s.length; i++) {
    products[i] = before;
    before *= s[i];
  }
  let behind = 1;
  for (let i = s.length - 1; i >= 0; i--) {
    products[i] *= behind;
    behind *= s[i];
  }
  return products;
}

/**
 * The change of the cofactors with x, along t. For diagonal matrices S it is diag(P·diag t) − P∘tᵀ, where Pᵢⱼ is the product of
 * all singular values but the i-th and the j-th; right for singular matrices too, where det·x⁻ᵀ is not.
 */
function cofactorChange(x: Tensor, t: Tensor): Tensor {
  const { u, s, vt } = svd(x);
  const sign = stopGradient(det(u).mul(det(vt)))
    .expandDims(-1)
    .expandDims(-1);
  const products = productsWithoutPairs(s);
  const turned = matmul(matmul(transposed(u), t), transposed(vt));
  const onDiagonal = diag(matmul(products, diagonal(turned).expandDims(-1)).squeeze(-1));
  const change = onDiagonal.sub(products.mul(transposed(turned)));
  return matmul(matmul(u, change), vt).mul(sign);
}

function productsWithoutPairs(s: Tensor): Tensor {
  const n = s.shape[s.ndim - 1];
  const index = arange(n);
  const [i, j] = [index.reshape([n, 1, 1]), index.reshape([n, 1])];
  const left = i.equal(index).logicalOr(j.equal(index));
  const kept = asTensor(1, s.dtype).where(left, s.expandDims(-2).expandDims(-2));
  return prod(kept, -1).mul(eye(n, n, { dtype: s.dtype }).neg().add(1));
}

/**
 * Cofactors of matrices (…, n, n): (−1)^(i+j) times the determinant without row i and column j. They are the derivative of the
 * determinant, and for regular matrices det(x)·x⁻ᵀ.
 * @example linalg.cofactors([[1, 2], [3, 4]]) // [[4, -3], [-2, 1]]
 */
export function cofactors(x: TensorLike): Tensor {
  return apply(cofactorsOp, [asFloat(x)], {});
}

const slogdetOp: OpDef<object> = defineOp<object>({
  name: "slogdet",
  type: ([x]) => {
    checkSquare(x, "slogdet");
    const type = { shape: batchOf(x.shape), dtype: x.dtype };
    return [type, type];
  },
  reference: ([x], [signs, logs]) => {
    const [writeSign, writeLog] = [writer(signs), writer(logs)];
    for (const each of matricesOf(x)) {
      const { n, factors, sign } = luFactors(each);
      let [product, sum] = [sign, 0];
      for (let k = 0; k < n; k++) {
        product *= Math.sign(factors[k * n + k]);
        sum += Math.log(Math.abs(factors[k * n + k]));
      }
      writeSign([product]);
      writeLog([sum]);
    }
  },
  saves: { inputs: "all" },
  vjp: ([, g], { inputs: [x] }) => [g && transposed(inv(x)).mul(g.expandDims(-1).expandDims(-1))],
  jvp: ([x], [t], [sign]) => [t && sign.mul(0), t && transposed(inv(x)).mul(t).sum([-2, -1])],
  batch: leadingBatch(() => slogdetOp),
  samples: [
    { shapes: [[3, 3]], diagonals: [3] },
    { shapes: [[2, 2, 2]], diagonals: [-3] },
    { shapes: [[0, 0]] },
  ],
});

/** What `slogdet` returns, both of shape (…). */
export interface SignedLogDet {
  /** 1, −1, or 0 for singular matrices. */
  readonly sign: Tensor;
  /** ln |det|; −∞ for singular matrices. */
  readonly logAbsDet: Tensor;
}

/**
 * Sign and logarithm of the determinants of matrices (…, n, n), which neither overflow nor vanish.
 * @throws ValueError from a derivative, if a matrix is singular.
 * @example linalg.slogdet([[0, 2], [3, 0]]).sign // -1
 */
export function slogdet(x: TensorLike): SignedLogDet {
  const [sign, logAbsDet] = bind(slogdetOp, [asFloat(x)], {});
  return { sign, logAbsDet };
}
