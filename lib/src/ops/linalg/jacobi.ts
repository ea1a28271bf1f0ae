/**
 * Singular values by one-sided Jacobi rotations (Hestenes 1958; Golub & Van Loan, §8.6.3): rows are turned against each
 * other in pairs until all are orthogonal; their lengths are then the singular values. Small ones come out as exact as
 * large ones, which bidiagonalization does not give.
 */
import { ValueError } from "../../core/errors.js";
import { qrFactors } from "./householder.js";
import { type Matrix, matrix } from "./matrices.js";

export interface SvdFactors {
  /** m × k with orthonormal columns, k = min(m, n). */
  readonly u: Matrix;
  /** k numbers from 0 on, descending. */
  readonly s: Float64Array;
  /** k × n with orthonormal rows. */
  readonly vt: Matrix;
}

const MAX_SWEEPS = 60;
const EPSILON = 2 ** -52;

/** X = U·diag(s)·Vᵀ. The largest component of each column of U is positive, which settles the signs. */
export function svdFactors(x: Matrix): SvdFactors {
  if (x.rows < x.columns) {
    const { u, s, vt } = tallSvd(transpose(x));
    return signed({ u: transpose(vt), s, vt: transpose(u) });
  }
  return signed(tallSvd(x));
}

/** m ≥ n. The rows of R in X = Q·R are turned: T·R = diag(s)·Vᵀ gives X = (Q·Tᵀ)·diag(s)·Vᵀ. */
function tallSvd(x: Matrix): SvdFactors {
  const n = x.columns;
  const largest = x.values.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  if (!Number.isFinite(largest)) return undefinedFactors(x);
  const scale = largest > 0 ? largest : 1; // squares neither overflow nor vanish
  const { q, r } = qrFactors({ ...x, values: x.values.map((v) => v / scale) });
  const turns = new Float64Array(n * n);
  for (let i = 0; i < n; i++) turns[i * n + i] = 1;
  orthogonalize(r.values, turns, n);
  const lengths = Array.from({ length: n }, (_, i) => Math.sqrt(product(r.values, i, i, n)));
  const order = lengths.map((_, i) => i).sort((i, j) => lengths[j] - lengths[i]);
  const s = Float64Array.from(order, (i) => lengths[i] * scale);
  const vt = matrix(n, n);
  order.forEach((from, to) => {
    for (let k = 0; k < n && lengths[from] > 0; k++)
      vt.values[to * n + k] = r.values[from * n + k] / lengths[from];
  });
  completeRows(vt.values, n, lengths.filter((length) => length > 0).length);
  const u = matrix(x.rows, n);
  for (let i = 0; i < x.rows; i++) {
    order.forEach((from, to) => {
      let sum = 0;
      for (let k = 0; k < n; k++) sum += q.values[i * n + k] * turns[from * n + k];
      u.values[i * n + to] = sum;
    });
  }
  return { u, s, vt };
}

/**
 * Turns pairs of rows of `a` (n × n) until all are orthogonal; `turns` takes the same rotations.
 * @throws ValueError if they do not become so, which no finite matrix is known to cause
 */
function orthogonalize(a: Float64Array, turns: Float64Array, n: number): void {
  const tolerance = EPSILON * Math.sqrt(Math.max(n, 1));
  const squares = new Float64Array(n);
  for (let sweep = 0; sweep < MAX_SWEEPS; sweep++) {
    for (let i = 0; i < n; i++) squares[i] = product(a, i, i, n);
    let turned = false;
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) {
        const together = product(a, p, q, n);
        if (!(Math.abs(together) > tolerance * Math.sqrt(squares[p]) * Math.sqrt(squares[q]))) continue;
        turned = true;
        const zeta = (squares[q] - squares[p]) / (2 * together);
        const t = (zeta < 0 ? -1 : 1) / (Math.abs(zeta) + Math.sqrt(1 + zeta * zeta));
        const c = 1 / Math.sqrt(1 + t * t);
        turnRows(a, p, q, n, c, c * t);
        turnRows(turns, p, q, n, c, c * t);
        squares[p] = Math.max(0, squares[p] - t * together);
        squares[q] += t * together;
      }
    }
    if (!turned) return;
  }
  throw new ValueError(`svd: the rows of a ${n} × ${n} factor are not orthogonal after ${MAX_SWEEPS} sweeps`);
}

/** Inner product of two rows. */
function product(a: Float64Array, p: number, q: number, n: number): number {
  const x = p * n;
  const y = q * n;
  // four sums, so that one addition does not wait for the other
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let k = 0;
  for (; k + 3 < n; k += 4) {
    s0 += a[x + k] * a[y + k];
    s1 += a[x + k + 1] * a[y + k + 1];
    s2 += a[x + k + 2] * a[y + k + 2];
    s3 += a[x + k + 3] * a[y + k + 3];
  }
  for (; k < n; k++) s0 += a[x + k] * a[y + k];
  return s0 + s1 + (s2 + s3);
}

function turnRows(a: Float64Array, p: number, q: number, n: number, c: number, s: number): void {
  const x = p * n;
  const y = q * n;
  for (let k = 0; k < n; k++) {
    const first = a[x + k];
    const second = a[y + k];
    a[x + k] = c * first - s * second;
    a[y + k] = s * first + c * second;
  }
}

/** Fills rows from `known` on with unit vectors orthogonal to all before (singular values of 0 leave them open). */
function completeRows(rows: Float64Array, n: number, known: number): void {
  let axis = 0;
  for (let row = known; row < n; row++) {
    for (; axis < n; axis++) {
      for (let k = 0; k < n; k++) rows[row * n + k] = k === axis ? 1 : 0;
      for (let pass = 0; pass < 2; pass++) {
        for (let other = 0; other < row; other++) {
          const along = product(rows, row, other, n);
          for (let k = 0; k < n; k++) rows[row * n + k] -= along * rows[other * n + k];
        }
      }
      const length = Math.sqrt(product(rows, row, row, n));
      if (length < 0.5 / Math.sqrt(n)) continue; // nearly a combination of the rows before
      for (let k = 0; k < n; k++) rows[row * n + k] /= length;
      break;
    }
  }
}

function signed({ u, s, vt }: SvdFactors): SvdFactors {
  const [m, k, n] = [u.rows, s.length, vt.columns];
  for (let j = 0; j < k; j++) {
    let largest = 0;
    for (let i = 0; i < m; i++)
      if (Math.abs(u.values[i * k + j]) > Math.abs(u.values[largest * k + j])) largest = i;
    if (u.values[largest * k + j] >= 0) continue;
    for (let i = 0; i < m; i++) u.values[i * k + j] *= -1;
    for (let i = 0; i < n; i++) vt.values[j * n + i] *= -1;
  }
  return { u, s, vt };
}

/** NaN or infinity in the matrix: there are no factors. */
function undefinedFactors({ rows, columns: n }: Matrix): SvdFactors {
  const nan = (size: number): Float64Array => new Float64Array(size).fill(Number.NaN);
  return { u: matrix(rows, n, nan(rows * n)), s: nan(n), vt: matrix(n, n, nan(n * n)) };
}

function transpose({ rows, columns, values }: Matrix): Matrix {
  const turned = matrix(columns, rows);
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) turned.values[j * rows + i] = values[i * columns + j];
  return turned;
}
