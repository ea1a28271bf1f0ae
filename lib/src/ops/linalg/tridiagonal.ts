/**
 * Eigenvalues of a symmetric matrix: Householder reflections make it tridiagonal, then QL steps with implicit shifts
 * make it diagonal (Golub & Van Loan, §8.3; Dubrulle, Martin & Wilkinson 1968).
 */
import { ValueError } from "../../core/errors.js";
import { makeReflector, reflect } from "./householder.js";

export interface EigenFactors {
  /** Ascending. */
  readonly values: Float64Array;
  /** n × n, row-major; column k belongs to value k. The largest component of each is positive. */
  readonly vectors: Float64Array;
}

const MAX_STEPS = 60;

/**
 * @param a symmetric, n × n; overwritten. With NaN or infinite elements, the factors are NaN.
 * @throws ValueError if the steps do not converge, which no finite matrix is known to cause
 */
export function symmetricEigen(a: Float64Array, n: number): EigenFactors {
  if (!a.every(Number.isFinite)) {
    const nan = (size: number): Float64Array => new Float64Array(size).fill(Number.NaN);
    return { values: nan(n), vectors: nan(n * n) };
  }
  const { diagonal, beside, rows } = tridiagonalize(a, n);
  diagonalize(diagonal, beside, rows, n);
  const order = Array.from({ length: n }, (_, i) => i).sort((i, j) => diagonal[i] - diagonal[j]);
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    // a vector's sign is free: this choice gives equal outputs for equal inputs
    let largest = 0;
    for (let k = 0; k < n; k++)
      if (Math.abs(rows[from * n + k]) > Math.abs(rows[from * n + largest])) largest = k;
    const sign = rows[from * n + largest] < 0 ? -1 : 1;
    for (let k = 0; k < n; k++) vectors[k * n + to] = sign * rows[from * n + k];
  });
  return { values: Float64Array.from(order, (i) => diagonal[i]), vectors };
}

interface Tridiagonal {
  readonly diagonal: Float64Array;
  /** beside[i] stands between places i and i + 1; the last is 0. */
  readonly beside: Float64Array;
  /** Row k is column k of the orthogonal Q with A = Q·T·Qᵀ. */
  readonly rows: Float64Array;
}

function tridiagonalize(a: Float64Array, n: number): Tridiagonal {
  const diagonal = new Float64Array(n);
  const beside = new Float64Array(n);
  const taus = new Float64Array(n);
  const p = new Float64Array(n);
  for (let k = 0; k + 1 < n; k++) {
    // the reflector lies in row k, which is column k too
    const [at, from, count] = [k * n + k + 1, k + 1, n - k - 1];
    const tau = makeReflector(a, at, count);
    beside[k] = a[at];
    taus[k] = tau;
    a[at] = 1;
    if (tau === 0) continue;
    let along = 0;
    for (let i = 0; i < count; i++) {
      const row = (from + i) * n + from;
      let sum = 0;
      for (let j = 0; j < count; j++) sum += a[row + j] * a[at + j];
      p[i] = tau * sum;
      along += p[i] * a[at + i];
    }
    const shift = (tau * along) / 2;
    for (let i = 0; i < count; i++) p[i] -= shift * a[at + i];
    for (let i = 0; i < count; i++) {
      const row = (from + i) * n + from;
      const v = a[at + i];
      const w = p[i];
      for (let j = 0; j < count; j++) a[row + j] -= v * p[j] + w * a[at + j];
    }
  }
  for (let i = 0; i < n; i++) diagonal[i] = a[i * n + i];
  const rows = new Float64Array(n * n);
  for (let i = 0; i < n; i++) rows[i * n + i] = 1;
  for (let k = n - 2; k >= 0; k--)
    for (let row = k + 1; row < n; row++)
      reflect(a, k * n + k + 1, taus[k], rows, row * n + k + 1, n - k - 1);
  return { diagonal, beside, rows };
}

/** Leaves the eigenvalues in `d`; `rows` takes the rotations. */
function diagonalize(d: Float64Array, e: Float64Array, rows: Float64Array, n: number): void {
  for (let low = 0; low < n; low++) {
    for (let step = 0; ; step++) {
      const high = blockEnd(d, e, low, n);
      if (high === low) break;
      if (step === MAX_STEPS)
        throw new ValueError(`eigh: eigenvalue ${low} of ${n} did not converge in ${MAX_STEPS} steps`);
      stepQl(d, e, rows, n, low, high);
    }
  }
}

/** The last place of the block that begins at `low`: behind it stands an element that is 0 to rounding. */
function blockEnd(d: Float64Array, e: Float64Array, low: number, n: number): number {
  let high = low;
  while (high < n - 1 && Math.abs(e[high]) > 2 ** -53 * (Math.abs(d[high]) + Math.abs(d[high + 1]))) high++;
  return high;
}

/** One step from the block's end to its beginning, shifted by the eigenvalue of the first 2 × 2 that is nearer (Wilkinson). */
function stepQl(
  d: Float64Array,
  e: Float64Array,
  rows: Float64Array,
  n: number,
  low: number,
  high: number,
): void {
  const half = (d[low + 1] - d[low]) / (2 * e[low]);
  const root = Math.hypot(half, 1);
  let g = d[high] - d[low] + e[low] / (half + (half < 0 ? -root : root));
  let [s, c, moved] = [1, 1, 0];
  for (let i = high - 1; i >= low; i--) {
    const f = s * e[i];
    const b = c * e[i];
    const r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      // the block falls apart here
      d[i + 1] -= moved;
      e[high] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = d[i + 1] - moved;
    const next = (d[i] - g) * s + 2 * c * b;
    moved = s * next;
    d[i + 1] = g + moved;
    g = c * next - b;
    const x = i * n;
    const y = x + n;
    for (let k = 0; k < n; k++) {
      const first = rows[x + k];
      const second = rows[y + k];
      rows[y + k] = s * first + c * second;
      rows[x + k] = c * first - s * second;
    }
  }
  d[low] -= moved;
  e[low] = g;
  e[high] = 0;
}
