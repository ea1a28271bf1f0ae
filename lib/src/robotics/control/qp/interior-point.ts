/**
 * A primal-dual interior-point method with Mehrotra's (1992) predictor and corrector: a new factorization each iteration, but few of
 * them, whatever constraints are active and however they depend on each other.
 */
import { largest } from "../dense.js";
import { BandedCholesky } from "./banded.js";
import type { CheckedQp } from "./problem.js";

export const MAX_INTERIOR = 60;
/** Weight 1/δ of equations in the factors; refinement takes its effect out again. */
const DELTA = 1e-8;
const REFINEMENTS = 4;
const ACCURACY = 1e-9;

/** A bound of a row: sign·(A·x) + slack = sign·bound. */
interface Side {
  readonly row: number;
  readonly sign: 1 | -1;
  readonly bound: number;
}

/** x and multipliers y, or `null` if the iterations don't converge: there may be no point. */
export function interiorPoint(
  qp: CheckedQp,
): { x: Float64Array; y: Float64Array; iterations: number } | null {
  const { P, q, A, lower, upper } = qp;
  const [n, m] = [P.rows, A.rows];
  const equation = Array.from({ length: m }, (_, i) => lower[i] === upper[i]);
  const sides: Side[] = [];
  for (let row = 0; row < m; row++) {
    if (equation[row]) continue;
    if (Number.isFinite(upper[row])) sides.push({ row, sign: 1, bound: upper[row] });
    if (Number.isFinite(lower[row])) sides.push({ row, sign: -1, bound: lower[row] });
  }
  const count = sides.length;
  const x = new Float64Array(n);
  const free = new Float64Array(m); // multipliers of equations
  const slack = new Float64Array(count).fill(1);
  const force = new Float64Array(count).fill(1);
  for (const [i, { bound }] of sides.entries()) slack[i] = Math.max(1, Math.abs(bound));
  const factors = new BandedCholesky(P, A);
  const weights = new Float64Array(m);
  /** Multipliers of all rows. */
  const whole = (): Float64Array => {
    const y = free.slice();
    sides.forEach(({ row, sign }, i) => {
      y[row] += sign * force[i];
    });
    return y;
  };
  const [sizeQ, sizeB] = [1 + largest(q), 1 + largest(sides.map((side) => side.bound))];

  for (let iteration = 0; iteration < MAX_INTERIOR; iteration++) {
    const [Px, Ax, Ay] = [P.times(x), A.times(x), A.transposeTimes(whole())];
    const down = Float64Array.from(q, (v, j) => -(Px[j] + v + Ay[j]));
    const off = Float64Array.from(equation, (is, i) => (is ? lower[i] - Ax[i] : 0));
    const gap = sides.map(({ row, sign, bound }, i) => sign * Ax[row] + slack[i] - sign * bound);
    const mu = count === 0 ? 0 : slack.reduce((sum, s, i) => sum + s * force[i], 0) / count;
    const primal = Math.max(largest(off), largest(gap));
    if (primal <= ACCURACY * sizeB && largest(down) <= ACCURACY * sizeQ && mu <= ACCURACY * ACCURACY ** 0.25)
      return { x, y: whole(), iterations: iteration };
    weights.fill(0);
    sides.forEach(({ row }, i) => {
      weights[row] += force[i] / slack[i];
    });
    const inequality = weights.slice();
    for (let i = 0; i < m; i++) if (equation[i]) weights[i] = 1 / DELTA;
    try {
      factors.factor(DELTA, weights);
    } catch {
      return null;
    }

    /** The Newton step towards slack·force = target. */
    const step = (target: (i: number) => number) => {
      const pull = new Float64Array(m);
      sides.forEach(({ row, sign }, i) => {
        pull[row] += (sign * (target(i) - slack[i] * force[i] + force[i] * gap[i])) / slack[i];
      });
      const goal = A.transposeTimes(pull).map((v, j) => down[j] - v);
      const [dx, dy] = [new Float64Array(n), new Float64Array(m)];
      for (let round = 0; round < REFINEMENTS; round++) {
        const Adx = A.times(dx);
        const back = A.transposeTimes(Adx.map((v, i) => inequality[i] * v + dy[i]));
        const Pdx = P.times(dx);
        const first = goal.map((v, j) => v - Pdx[j] - back[j]);
        const second = off.map((v, i) => (equation[i] ? v - Adx[i] : 0));
        const lift = A.transposeTimes(second.map((v) => v / DELTA));
        const change = factors.solve(first.map((v, j) => v + lift[j]));
        const Achange = A.times(change);
        for (let j = 0; j < n; j++) dx[j] += change[j];
        for (let i = 0; i < m; i++) if (equation[i]) dy[i] += (Achange[i] - second[i]) / DELTA;
      }
      const Adx = A.times(dx);
      const ds = sides.map(({ row, sign }, i) => -gap[i] - sign * Adx[row]);
      const df = sides.map((_, i) => (target(i) - slack[i] * force[i] - force[i] * ds[i]) / slack[i]);
      return { dx, dy, ds, df };
    };
    const longest = (values: Float64Array, change: readonly number[]): number =>
      change.reduce((most, v, i) => (v < 0 ? Math.min(most, -values[i] / v) : most), 1);
    const guess = step(() => 0);
    const reach = [longest(slack, guess.ds), longest(force, guess.df)];
    const left = sides.reduce(
      (sum, _, i) => sum + (slack[i] + reach[0] * guess.ds[i]) * (force[i] + reach[1] * guess.df[i]),
      0,
    );
    const centring = count === 0 || mu === 0 ? 0 : (left / count / mu) ** 3;
    const { dx, dy, ds, df } = count === 0 ? guess : step((i) => centring * mu - guess.ds[i] * guess.df[i]);
    const length = count === 0 ? 1 : Math.min(1, 0.995 * Math.min(longest(slack, ds), longest(force, df)));
    for (let j = 0; j < n; j++) x[j] += length * dx[j];
    for (let i = 0; i < m; i++) free[i] += length * dy[i];
    for (let i = 0; i < count; i++) {
      slack[i] += length * ds[i];
      force[i] += length * df[i];
    }
    if (!x.every(Number.isFinite)) return null;
  }
  return null;
}
