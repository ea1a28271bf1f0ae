/** Newton steps within limits: the smallest ½·sᵀHs + gᵀs with lower ≤ s ≤ upper, by projected Newton (Bertsekas 1982). */
import { apply, type Matrix, matrix } from "./dense.js";

export interface BoxStep {
  readonly step: Float64Array;
  /** (m, n): −H⁻¹·C on the elements that are free, zero rows elsewhere. */
  readonly gain: Matrix;
}

const MAX_ROUNDS = 50;

/**
 * @param H (m, m), symmetric
 * @param C (m, n): how the gradient moves with the state
 * @returns `null` if H is not positive definite on the free elements
 */
export function boxStep(
  H: Matrix,
  g: Float64Array,
  C: Matrix,
  limits?: { readonly lower: Float64Array; readonly upper: Float64Array },
): BoxStep | null {
  const m = g.length;
  const lower = limits?.lower ?? new Float64Array(m).fill(Number.NEGATIVE_INFINITY);
  const upper = limits?.upper ?? new Float64Array(m).fill(Number.POSITIVE_INFINITY);
  const clamp = (v: number, i: number): number => Math.min(upper[i], Math.max(lower[i], v));
  let step = new Float64Array(m).map((_, i) => clamp(0, i));
  const value = (s: Float64Array): number =>
    apply(H, s).reduce((sum, v, i) => sum + s[i] * (0.5 * v + g[i]), 0);
  let free: number[] = [];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const slope = apply(H, step).map((v, i) => v + g[i]);
    free = Array.from({ length: m }, (_, i) => i).filter(
      (i) => !((step[i] <= lower[i] && slope[i] > 0) || (step[i] >= upper[i] && slope[i] < 0)),
    );
    const L = choleskyOf(H, free);
    if (L === null) return null;
    if (free.length === 0) break;
    const newton = solved(
      L,
      Float64Array.from(free, (i) => -slope[i]),
    );
    if (newton.every((v) => Math.abs(v) < 1e-12 * (1 + Math.abs(v)))) break;
    const before = value(step);
    let moved = step;
    for (let fraction = 1; fraction > 1e-10; fraction *= 0.5) {
      moved = step.slice();
      free.forEach((i, at) => {
        moved[i] = clamp(step[i] + fraction * newton[at], i);
      });
      if (value(moved) <= before) break;
    }
    const change = moved.reduce((most, v, i) => Math.max(most, Math.abs(v - step[i])), 0);
    step = moved;
    if (change < 1e-14) break;
  }
  const gain = matrix(m, C.columns);
  const L = choleskyOf(H, free);
  if (L === null) return null;
  for (let j = 0; j < C.columns && free.length > 0; j++) {
    const column = solved(
      L,
      Float64Array.from(free, (i) => -C.values[i * C.columns + j]),
    );
    free.forEach((i, at) => {
      gain.values[i * C.columns + j] = column[at];
    });
  }
  return { step, gain };
}

/** The factor of some rows and columns; `null` if they are not positive definite. */
function choleskyOf(H: Matrix, rows: readonly number[]): Matrix | null {
  const k = rows.length;
  const L = matrix(k, k);
  for (let i = 0; i < k; i++) {
    for (let j = 0; j <= i; j++) {
      let rest = H.values[rows[i] * H.columns + rows[j]];
      for (let s = 0; s < j; s++) rest -= L.values[i * k + s] * L.values[j * k + s];
      if (j < i) L.values[i * k + j] = rest / L.values[j * k + j];
      else if (rest > 1e-14) L.values[i * k + i] = Math.sqrt(rest);
      else return null;
    }
  }
  return L;
}

function solved({ rows: k, values }: Matrix, b: Float64Array): Float64Array {
  for (let i = 0; i < k; i++) {
    for (let j = 0; j < i; j++) b[i] -= values[i * k + j] * b[j];
    b[i] /= values[i * k + i];
  }
  for (let i = k - 1; i >= 0; i--) {
    for (let j = i + 1; j < k; j++) b[i] -= values[j * k + i] * b[j];
    b[i] /= values[i * k + i];
  }
  return b;
}
