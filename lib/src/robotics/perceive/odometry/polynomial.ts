/** Real roots of polynomials: between the extrema, which are the roots of the derivative, there is at most one each. */

/** Value at x; coefficients from the constant term up. */
export function evaluate(p: ArrayLike<number>, x: number): number {
  let sum = 0;
  for (let i = p.length - 1; i >= 0; i--) sum = sum * x + p[i];
  return sum;
}

/** a·b. */
export function multiplyPolynomials(a: ArrayLike<number>, b: ArrayLike<number>): Float64Array {
  const out = new Float64Array(a.length + b.length - 1);
  for (let i = 0; i < a.length; i++) for (let j = 0; j < b.length; j++) out[i + j] += a[i] * b[j];
  return out;
}

/** Real roots, ascending; a double root is found if rounding leaves a change of sign. */
export function realRoots(coefficients: ArrayLike<number>): number[] {
  let n = coefficients.length - 1;
  const largest = Array.from(coefficients).reduce((most, c) => Math.max(most, Math.abs(c)), 0);
  while (n > 0 && Math.abs(coefficients[n]) <= 1e-14 * largest) n--;
  if (n < 1) return [];
  const p = Array.from({ length: n + 1 }, (_, i) => coefficients[i] / coefficients[n]);
  const bound = 1 + p.slice(0, n).reduce((most, c) => Math.max(most, Math.abs(c)), 0); // Cauchy's
  return rootsWithin(p, bound);
}

function rootsWithin(p: readonly number[], bound: number): number[] {
  const n = p.length - 1;
  if (n === 1) return [-p[0] / p[1]];
  const slope = p.slice(1).map((c, i) => c * (i + 1));
  const edges = [-bound, ...rootsWithin(slope, bound), bound];
  const roots: number[] = [];
  for (let i = 0; i + 1 < edges.length; i++) {
    let [low, high] = [edges[i], edges[i + 1]];
    let below = evaluate(p, low);
    const above = evaluate(p, high);
    if (below === 0) {
      if (roots.at(-1) !== low) roots.push(low);
      continue;
    }
    if (below * above > 0) continue;
    // Newton's steps that stay in the bracket, halves where they don't
    let x = (low + high) / 2;
    for (let k = 0; k < 200; k++) {
      const value = evaluate(p, x);
      if (value === 0) break;
      if (value * below < 0) high = x;
      else [low, below] = [x, value];
      const step = x - value / evaluate(slope, x);
      const next = step > low && step < high ? step : (low + high) / 2;
      if (Math.abs(next - x) <= 1e-15 * Math.max(1, Math.abs(x))) break;
      x = next;
    }
    roots.push(x);
  }
  return roots;
}
