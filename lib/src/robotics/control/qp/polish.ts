/** The optimum of a quadratic program from a rough one: active rows become equations (Stellato et al. 2020, §5.2). */
import { largest } from "../dense.js";
import { BandedCholesky } from "./banded.js";
import type { CheckedQp } from "./problem.js";

const DELTA = 1e-7;
/** Rounds of refinement against the system without its regularization. */
const REFINEMENTS = 25;
/** Rows that come or go when the first guess is wrong. */
const GUESSES = 20;

/**
 * x and y that meet the optimality conditions, or `null` if no guess of the active rows does.
 * @param z rough values of the rows, within their bounds
 * @param y rough multipliers
 */
export function polish(
  qp: CheckedQp,
  z: Float64Array,
  y: Float64Array,
): { x: Float64Array; y: Float64Array } | null {
  const { A, lower, upper } = qp;
  // −1: at the lower bound, 1: at the upper, 2: an equation, 0: free
  const active = Int8Array.from(z, (v, i) =>
    lower[i] === upper[i] ? 2 : v - lower[i] < -y[i] ? -1 : upper[i] - v < y[i] ? 1 : 0,
  );
  const factors = new BandedCholesky(qp.P, A);
  for (let guess = 0; guess < GUESSES; guess++) {
    const found = onActive(qp, active, factors);
    if (!found) return null;
    const Ax = A.times(found.x);
    const scale = 1e-9 * (1 + largest(Ax));
    const signs = 1e-9 * (1 + largest(found.y));
    let worst = 0;
    let added = false;
    for (let i = 0; i < A.rows; i++) {
      if (active[i] === 0 && Ax[i] < lower[i] - scale) active[i] = -1;
      else if (active[i] === 0 && Ax[i] > upper[i] + scale) active[i] = 1;
      else {
        if (active[i] !== 0 && active[i] !== 2) worst = Math.max(worst, -found.y[i] * active[i]);
        continue;
      }
      added = true;
    }
    if (added) continue;
    if (worst <= signs) return found;
    // where rows depend on each other the sign of one multiplier tells little: only the worst go
    for (let i = 0; i < A.rows; i++)
      if (active[i] !== 0 && active[i] !== 2 && -found.y[i] * active[i] > 0.7 * worst) active[i] = 0;
  }
  return null;
}

/** Solves P·x + Gᵀ·λ = −q, G·x = b for the active rows G. */
function onActive(
  { P, A, q, lower, upper }: CheckedQp,
  active: Int8Array,
  factors: BandedCholesky,
): { x: Float64Array; y: Float64Array } | null {
  const weights = Float64Array.from(active, (side) => (side === 0 ? 0 : 1 / DELTA));
  try {
    factors.factor(DELTA, weights);
  } catch {
    return null;
  }
  const x = new Float64Array(P.rows);
  const y = new Float64Array(A.rows);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < REFINEMENTS; round++) {
    const [Px, Ax, Ay] = [P.times(x), A.times(x), A.transposeTimes(y)];
    const down = Float64Array.from(q, (v, j) => -v - Px[j] - Ay[j]);
    const off = Float64Array.from(active, (side, i) =>
      side === 0 ? 0 : (side < 0 ? lower[i] : upper[i]) - Ax[i],
    );
    const size = Math.max(largest(down), largest(off));
    if (!(size < 0.9 * best) || size < 1e-14) return size < 1e-6 ? { x, y } : null;
    best = size;
    const side = A.transposeTimes(off.map((v) => v / DELTA));
    const dx = factors.solve(side.map((v, j) => v + down[j]));
    const Adx = A.times(dx);
    for (let j = 0; j < x.length; j++) x[j] += dx[j];
    for (let i = 0; i < y.length; i++) if (active[i] !== 0) y[i] += (Adx[i] - off[i]) / DELTA;
  }
  return { x, y };
}
