/**
 * The dual active-set method of Goldfarb & Idnani (1983) for small, strictly convex programs: it starts at the free
 * optimum and takes up one violated constraint after the other. Exact after finitely many steps, and it knows when no point exists.
 */
import { ValueError } from "../../../core/errors.js";
import { apply, identity, largest, type Matrix, matrix, solveLinear } from "../dense.js";
import { checkQp, type QpProblem, type QpResult, residuals } from "./problem.js";

/** A row of A with its sign: aᵀx ≥ b. */
interface Side {
  readonly row: number;
  readonly sign: 1 | -1;
  readonly bound: number;
  readonly equation: boolean;
}

/**
 * Solves a small strictly convex program exactly, as `solveQp` with method "active-set".
 * @throws ValueError if P is not positive definite
 * @example control.activeSet({ p: [[1]], q: [-3], a: [[1]], upper: [1] }).y // [2]
 */
export function activeSet(problem: QpProblem): QpResult {
  const qp = checkQp(problem, "activeSet");
  const { q, lower, upper } = qp;
  const [n, m] = [q.length, qp.A.rows];
  const P = matrix(n, n, qp.P.toDense());
  const A = qp.A.toDense();
  const inverse = solveLinear(P, identity(n), "activeSet: P must be positive definite");
  if (
    !inverse.values.every(Number.isFinite) ||
    largest(inverse.values) > 1e14 / Math.max(1e-12, largest(P.values))
  )
    throw new ValueError("activeSet: P must be positive definite; admm takes semidefinite ones");
  const x = apply(inverse, q).map((v) => -v);
  const rowOf = ({ row, sign }: Side): Float64Array => A.slice(row * n, (row + 1) * n).map((v) => sign * v);
  const held: Side[] = [];
  const forces: number[] = [];
  const met = new Set<number>();
  const finish = (status: QpResult["status"], iterations: number, y = multipliers()): QpResult => {
    const { primal, dual, objective } = residuals(qp, x, y);
    return { status, x, y, objective, iterations, primalResidual: primal, dualResidual: dual };
  };
  const multipliers = (): Float64Array => {
    const y = new Float64Array(m);
    held.forEach((side, i) => {
      y[side.row] -= side.sign * forces[i];
    });
    return y;
  };
  const tolerance = (side: Side, normal: Float64Array): number =>
    1e-11 * (1 + Math.abs(side.bound) + largest(normal) * largest(x));

  for (let iterations = 0; iterations < 50 * (n + m + 1); iterations++) {
    // the most violated side, equations first
    let next: Side | null = null;
    let worst = 0;
    for (let row = 0; row < m && !(next && next.equation); row++) {
      const value = dot(A.subarray(row * n, (row + 1) * n), x);
      const equation = lower[row] === upper[row];
      if (equation && (met.has(row) || held.some((side) => side.row === row))) continue;
      for (const sign of [1, -1] as const) {
        const bound = sign * (sign === 1 ? lower[row] : upper[row]);
        const slack = sign * value - bound;
        if (!Number.isFinite(bound) || held.some((side) => side.row === row && side.sign === sign)) continue;
        const side: Side = { row, sign, bound, equation };
        if ((equation && slack <= 0) || (slack < worst && slack < -tolerance(side, rowOf(side)))) {
          next = side;
          worst = slack;
          if (equation) break;
        }
      }
    }
    if (next === null) return finish("solved", iterations);
    const normal = rowOf(next);
    let force = 0;
    for (;;) {
      const { direction, response } = directions(inverse, held.map(rowOf), normal);
      const slack = dot(normal, x) - next.bound;
      const rise = dot(direction, normal);
      // how far until a held side lets go
      let [limit, leaving] = [Number.POSITIVE_INFINITY, -1];
      response.forEach((r, i) => {
        if (held[i].equation || r <= 1e-14) return;
        if (forces[i] / r < limit) [limit, leaving] = [forces[i] / r, i];
      });
      const independent = rise > 1e-13 * (1 + dot(normal, apply(inverse, normal)));
      if (!independent && next.equation && Math.abs(slack) <= tolerance(next, normal)) {
        met.add(next.row); // it follows from those held
        break;
      }
      const full = independent ? -slack / rise : Number.POSITIVE_INFINITY;
      const step = Math.min(full, limit);
      if (step === Number.POSITIVE_INFINITY) {
        const y = new Float64Array(m);
        held.forEach((side, i) => {
          y[side.row] += side.sign * response[i];
        });
        y[next.row] -= next.sign;
        return { ...finish("infeasible", iterations, y), objective: Number.POSITIVE_INFINITY };
      }
      response.forEach((r, i) => {
        forces[i] -= step * r;
      });
      force += step;
      if (independent) for (let j = 0; j < n; j++) x[j] += step * direction[j];
      if (step === full) {
        held.push(next);
        forces.push(force);
        break;
      }
      held.splice(leaving, 1);
      forces.splice(leaving, 1);
    }
  }
  return finish("max-iterations", 50 * (n + m + 1));
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** z = H·n, H the inverse of P on the space that the held sides leave free, and r with n ≈ N·r (in the metric of P⁻¹). */
function directions(
  inverse: Matrix,
  held: readonly Float64Array[],
  normal: Float64Array,
): { readonly direction: Float64Array; readonly response: number[] } {
  const moved = apply(inverse, normal);
  if (held.length === 0) return { direction: moved, response: [] };
  const columns = held.map((row) => apply(inverse, row));
  const k = held.length;
  const gram = matrix(
    k,
    k,
    Float64Array.from({ length: k * k }, (_, i) => dot(held[Math.floor(i / k)], columns[i % k])),
  );
  const right = matrix(
    k,
    1,
    Float64Array.from(held, (row) => dot(row, moved)),
  );
  const response = Array.from(solveLinear(gram, right, "activeSet: held rows").values);
  const direction = moved.map(
    (v, j) => v - columns.reduce((sum, column, i) => sum + response[i] * column[j], 0),
  );
  return { direction, response };
}
