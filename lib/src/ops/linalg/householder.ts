/** Householder reflections H = I − τ·v·vᵀ: the QR factors of a matrix (Golub & Van Loan, §5.2; signs as LAPACK's dgeqrf). */
import { type Matrix, matrix } from "./matrices.js";

export interface QrFactors {
  /** m × k with orthonormal columns, k = min(m, n), or m if complete. */
  readonly q: Matrix;
  /** k × n, upper triangular. */
  readonly r: Matrix;
}

/** The thin factors of an m × n matrix; the complete ones have m columns of Q, and rows of zeros below R. */
export function qrFactors({ rows: m, columns: n, values }: Matrix, complete = false): QrFactors {
  const k = Math.min(m, n);
  // columns lie one after the other, so that the loops below run through memory in order
  const a = new Float64Array(n * m);
  for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) a[j * m + i] = values[i * n + j];
  const taus = new Float64Array(k);
  for (let j = 0; j < k; j++) {
    taus[j] = makeReflector(a, j * m + j, m - j);
    const pivot = a[j * m + j];
    a[j * m + j] = 1;
    for (let c = j + 1; c < n; c++) reflect(a, j * m + j, taus[j], a, c * m + j, m - j);
    a[j * m + j] = pivot;
  }
  const size = complete ? m : k;
  const r = matrix(size, n);
  for (let i = 0; i < k; i++) for (let j = i; j < n; j++) r.values[i * n + j] = a[j * m + i];
  return { q: orthogonal(a, taus, m, size), r };
}

/**
 * Turns `count` elements from `at` on into β·e₁ by a reflection: leaves β in the first place and v (whose first element
 * is 1, not stored) in the others. Returns τ.
 */
export function makeReflector(x: Float64Array, at: number, count: number): number {
  let scale = 0;
  for (let i = 1; i < count; i++) scale = Math.max(scale, Math.abs(x[at + i]));
  if (scale === 0) return 0;
  const alpha = x[at];
  scale = Math.max(scale, Math.abs(alpha));
  let sum = 0;
  for (let i = 0; i < count; i++) sum += (x[at + i] / scale) ** 2;
  const norm = scale * Math.sqrt(sum);
  const beta = alpha < 0 ? norm : -norm;
  for (let i = 1; i < count; i++) x[at + i] /= alpha - beta;
  x[at] = beta;
  return (beta - alpha) / beta;
}

/** y ← (I − τ·v·vᵀ)·y, for `count` elements of each. */
export function reflect(
  v: Float64Array,
  from: number,
  tau: number,
  y: Float64Array,
  to: number,
  count: number,
): void {
  if (tau === 0) return;
  let sum = 0;
  for (let i = 0; i < count; i++) sum += v[from + i] * y[to + i];
  sum *= tau;
  for (let i = 0; i < count; i++) y[to + i] -= sum * v[from + i];
}

/** The first `size` columns of H₀·H₁ ⋯ */
function orthogonal(a: Float64Array, taus: Float64Array, m: number, k: number): Matrix {
  const columns = new Float64Array(k * m);
  for (let j = 0; j < k; j++) columns[j * m + j] = 1;
  for (let j = taus.length - 1; j >= 0; j--) {
    a[j * m + j] = 1;
    for (let c = j; c < k; c++) reflect(a, j * m + j, taus[j], columns, c * m + j, m - j);
  }
  const q = matrix(m, k);
  for (let i = 0; i < m; i++) for (let j = 0; j < k; j++) q.values[i * k + j] = columns[j * m + i];
  return q;
}
