/** QR factors, and their derivatives (Walter & Lehmann, "Algorithmic differentiation of linear algebra functions", 2010). */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { bind } from "../bind.js";
import { asFloat, type TensorLike } from "../convert.js";
import { tril, triu } from "../gather.js";
import { matmul } from "../matmul.js";
import { defineOp, type OpDef } from "../registry.js";
import { concat } from "../shape.js";
import { qrFactors } from "./householder.js";
import { batchOf, checkMatrices, leadingBatch, matricesOf, transposed, writer } from "./matrices.js";
import { triangularSolve } from "./triangular.js";

interface QrAttrs {
  readonly complete: boolean;
}

const qrOp: OpDef<QrAttrs> = defineOp<QrAttrs>({
  name: "qr",
  type: ([x], { complete }) => {
    checkMatrices(x, "qr");
    const [m, n] = x.shape.slice(-2);
    const k = complete ? m : Math.min(m, n);
    const batch = batchOf(x.shape);
    return [
      { shape: [...batch, m, k], dtype: x.dtype },
      { shape: [...batch, k, n], dtype: x.dtype },
    ];
  },
  reference: ([x], [q, r], { complete }) => {
    const [writeQ, writeR] = [writer(q), writer(r)];
    for (const each of matricesOf(x)) {
      const factors = qrFactors(each, complete);
      writeQ(factors.q.values);
      writeR(factors.r.values);
    }
  },
  saves: { outputs: true },
  vjp: ([gq, gr], { outputs: [q, r] }) => {
    checkUnique(r);
    const [left, right] = columnsOf(r);
    if (!right) return [tallGradient(q, r, gq, gr)];
    // X = [Y Z], Y = Q·U, R = [U, QᵀZ], and Z = Q·QᵀZ because Q is square
    const [gu, gv] = gr ? columnsOf(gr) : [null, null];
    const fromRight = gv && matmul(matmul(q, right), transposed(gv));
    const gradient = tallGradient(q, left, gq && fromRight ? gq.add(fromRight) : (gq ?? fromRight), gu);
    const rest = gv ? matmul(q, gv) : right.mul(0);
    return [gradient && concat([gradient, rest], -1)];
  },
  jvp: (_x, [t], [q, r]) => {
    if (!t) return [null, null];
    checkUnique(r);
    const [left, right] = columnsOf(r);
    const [change, others] = right ? columnsOf(t) : [t, null];
    // dX·U⁻¹ = dQ + Q·dU·U⁻¹: QᵀdQ is antisymmetric, dU·U⁻¹ upper triangular
    const moved = rightSolve(change, left);
    const turned = matmul(transposed(q), moved);
    const below = tril(turned, -1);
    const spin = below.sub(transposed(below));
    const dq = moved.sub(matmul(q, turned)).add(matmul(q, spin));
    const du = matmul(triu(turned.sub(spin)), left);
    if (!right || !others) return [dq, du];
    const dv = matmul(transposed(dq), matmul(q, right)).add(matmul(transposed(q), others));
    return [dq, concat([du, dv], -1)];
  },
  batch: leadingBatch(() => qrOp),
  samples: [
    { shapes: [[3, 3]], diagonals: [3], attrs: { complete: false } },
    { shapes: [[4, 2]], diagonals: [3], attrs: { complete: false } },
    { shapes: [[2, 2, 3]], diagonals: [3], attrs: { complete: false } },
    { shapes: [[2, 3]], diagonals: [3], attrs: { complete: true } },
    { shapes: [[0, 2]], attrs: { complete: false } },
    { shapes: [[2, 0]], attrs: { complete: false } },
  ],
});

/** @throws ValueError where the columns that complete Q are any that fit, so that they have no derivative. */
function checkUnique(r: Tensor): void {
  const [k, n] = r.shape.slice(-2);
  if (k > n)
    throw new ValueError(
      `qr: the complete factors of matrices of ${k} × ${n} have no derivative: leave out \`complete: true\``,
    );
}

/** The first k columns of (…, k, n), and the others if there are any. */
function columnsOf(r: Tensor): [Tensor, Tensor | null] {
  const [k, n] = r.shape.slice(-2);
  return n === k ? [r, null] : [r.slice("...", [0, k]), r.slice("...", [k, n])];
}

/** X·R⁻¹ for upper triangular R. */
function rightSolve(x: Tensor, r: Tensor): Tensor {
  return transposed(triangularSolve(r, transposed(x), { transpose: true }));
}

function tallGradient(q: Tensor, r: Tensor, gq: Tensor | null, gr: Tensor | null): Tensor | null {
  const fromR = gr && matmul(r, transposed(gr));
  const fromQ = gq && matmul(transposed(gq), q).neg();
  const both = fromR && fromQ ? fromR.add(fromQ) : (fromR ?? fromQ);
  if (!both) return null;
  const mirrored = tril(both).add(transposed(tril(both, -1)));
  const inner = matmul(q, mirrored);
  return transposed(triangularSolve(r, transposed(gq ? inner.add(gq) : inner)));
}

export interface QrOptions {
  /** m columns of Q instead of min(m, n). Default: false. */
  readonly complete?: boolean;
}

/** What `qr` returns. */
export interface Qr {
  /** Orthonormal columns; shape (…, m, k), k = min(m, n), or m for complete factors. */
  readonly q: Tensor;
  /** Upper triangular; shape (…, k, n). */
  readonly r: Tensor;
}

/**
 * Factors X = Q·R of matrices (…, m, n), by Householder reflections. The signs are LAPACK's, which NumPy and PyTorch give
 * too: the diagonal of R is mostly negative.
 * Derivatives want the first min(m, n) columns to be independent, and are not defined for complete factors of tall matrices.
 * @throws ShapeError for fewer than two axes; ValueError from a derivative that does not exist.
 * @example linalg.qr([[3, 1], [4, 2]]).r // [[-5, -2.2], [0, 0.4]]
 */
export function qr(x: TensorLike, { complete = false }: QrOptions = {}): Qr {
  const [q, r] = bind(qrOp, [asFloat(x)], { complete });
  return { q, r };
}
