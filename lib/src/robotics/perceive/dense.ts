/** Small dense matrices in double precision, row-major: what filters and RANSAC compute many of. */

/** out ← a·b, (m × k)·(k × n). */
export function multiply(
  a: Float64Array,
  b: Float64Array,
  m: number,
  k: number,
  n: number,
  out = new Float64Array(m * n),
): Float64Array {
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += a[i * k + l] * b[l * n + j];
      out[i * n + j] = sum;
    }
  return out;
}

/** a·bᵀ, (m × k)·(n × k)ᵀ. */
export function multiplyTransposed(
  a: Float64Array,
  b: Float64Array,
  m: number,
  k: number,
  n: number,
): Float64Array {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let sum = 0;
      for (let l = 0; l < k; l++) sum += a[i * k + l] * b[j * k + l];
      out[i * n + j] = sum;
    }
  return out;
}

export function identity(n: number): Float64Array {
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) out[i * n + i] = 1;
  return out;
}

/** Lower factor L with a = L·Lᵀ, or `null` if `a` is not positive definite. Only the lower triangle is read. */
export function cholesky(a: Float64Array, n: number): Float64Array | null {
  const l = new Float64Array(n * n);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j];
      for (let k = 0; k < j; k++) sum -= l[i * n + k] * l[j * n + k];
      if (i !== j) l[i * n + j] = sum / l[j * n + j];
      else if (sum > 0) l[i * n + i] = Math.sqrt(sum);
      else return null;
    }
  return l;
}

/** x ← (L·Lᵀ)⁻¹·x. */
export function choleskySolve(l: Float64Array, n: number, x: Float64Array): void {
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= l[i * n + k] * x[k];
    x[i] /= l[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= l[k * n + i] * x[k];
    x[i] /= l[i * n + i];
  }
}

/** vᵀ·(L·Lᵀ)⁻¹·v: the squared Mahalanobis distance. */
export function mahalanobis(l: Float64Array, n: number, v: ArrayLike<number>): number {
  const y = new Float64Array(n);
  let sum = 0;
  for (let i = 0; i < n; i++) {
    let value = v[i];
    for (let k = 0; k < i; k++) value -= l[i * n + k] * y[k];
    y[i] = value / l[i * n + i];
    sum += y[i] * y[i];
  }
  return sum;
}

/** Inverse of a symmetric positive definite matrix, or `null`. */
export function symmetricInverse(a: Float64Array, n: number): Float64Array | null {
  const l = cholesky(a, n);
  if (!l) return null;
  const out = new Float64Array(n * n);
  const column = new Float64Array(n);
  for (let j = 0; j < n; j++) {
    column.fill(0);
    column[j] = 1;
    choleskySolve(l, n, column);
    for (let i = 0; i < n; i++) out[i * n + j] = column[i];
  }
  return out;
}
