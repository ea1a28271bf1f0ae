/** LU factors with row exchanges: determinants, solutions and inverses come from them (Golub & Van Loan, §3.4). */
import type { Matrix } from "./matrices.js";

export interface Lu {
  readonly n: number;
  /** L below the diagonal (its diagonal is 1), U on and above. */
  readonly factors: Float64Array;
  /** Row i of the product is row `order[i]` of the matrix. */
  readonly order: Int32Array;
  /** 1 or −1: parity of the exchanges. */
  readonly sign: number;
  readonly singular: boolean;
}

/** Factors a square matrix; the largest element of each column becomes the pivot. */
export function luFactors({ rows: n, values }: Matrix): Lu {
  const a = values.slice();
  const order = Int32Array.from({ length: n }, (_, i) => i);
  let sign = 1;
  let singular = false;
  for (let k = 0; k < n; k++) {
    let pivot = k;
    for (let i = k + 1; i < n; i++) if (Math.abs(a[i * n + k]) > Math.abs(a[pivot * n + k])) pivot = i;
    if (pivot !== k) {
      for (let j = 0; j < n; j++) [a[k * n + j], a[pivot * n + j]] = [a[pivot * n + j], a[k * n + j]];
      [order[k], order[pivot]] = [order[pivot], order[k]];
      sign = -sign;
    }
    if (a[k * n + k] === 0) {
      singular = true;
      continue;
    }
    for (let i = k + 1; i < n; i++) {
      a[i * n + k] /= a[k * n + k];
      const factor = a[i * n + k];
      for (let j = k + 1; j < n; j++) a[i * n + j] -= factor * a[k * n + j];
    }
  }
  return { n, factors: a, order, sign, singular };
}

/** Product of the pivots, with the sign of the exchanges. */
export function determinant({ n, factors, sign }: Lu): number {
  let product = sign;
  for (let k = 0; k < n; k++) product *= factors[k * n + k];
  return product;
}

/** X with A·X = B, by forward and back substitution. The factors must not be singular. */
export function substitute({ n, factors, order }: Lu, b: Matrix): Float64Array {
  const m = b.columns;
  const x = new Float64Array(n * m);
  for (let i = 0; i < n; i++) for (let j = 0; j < m; j++) x[i * m + j] = b.values[order[i] * m + j];
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) {
      const factor = factors[i * n + k];
      for (let j = 0; j < m; j++) x[i * m + j] -= factor * x[k * m + j];
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) {
      const factor = factors[i * n + k];
      for (let j = 0; j < m; j++) x[i * m + j] -= factor * x[k * m + j];
    }
    for (let j = 0; j < m; j++) x[i * m + j] /= factors[i * n + i];
  }
  return x;
}
