/** solveQp: the right solver for a problem's size. */
import { ValueError } from "../../../core/errors.js";
import { activeSet } from "./active-set.js";
import { type AdmmOptions, AdmmSolver } from "./admm.js";
import { interiorPoint, MAX_INTERIOR } from "./interior-point.js";
import { checkQp, type QpProblem, type QpResult, residuals } from "./problem.js";

export interface QpOptions extends AdmmOptions {
  /**
   * "admm" (default): any size, sparse, P may be semidefinite, proofs of infeasibility; "active-set": exact, for small
   * strictly convex problems; "interior-point": a steady dozen of iterations, but where no point exists it only gives up.
   */
  readonly method?: "admm" | "active-set" | "interior-point";
}

/**
 * Smallest ½·xᵀPx + qᵀx with lower ≤ A·x ≤ upper. Solve many that share P and A with one `AdmmSolver`.
 * @throws ShapeError for sizes that do not fit; ValueError if P is not positive semidefinite (active set: definite)
 * @example control.solveQp({ p: [[2, 0], [0, 2]], q: [-2, -6], a: [[1, 1]], upper: [2] }).x // [0, 2]
 */
export function solveQp(problem: QpProblem, { method = "admm", ...options }: QpOptions = {}): QpResult {
  if (method === "active-set") return activeSet(problem);
  if (method === "admm") return new AdmmSolver(problem, options).solve();
  if (method === "interior-point") {
    const checked = checkQp(problem, "solveQp");
    const found = interiorPoint(checked);
    const x = found?.x ?? new Float64Array(checked.q.length).fill(Number.NaN);
    const y = found?.y ?? new Float64Array(checked.A.rows);
    const { primal, dual, objective } = residuals(checked, x, y);
    return {
      status: found ? "solved" : "max-iterations",
      x,
      y,
      objective,
      iterations: found?.iterations ?? MAX_INTERIOR,
      primalResidual: primal,
      dualResidual: dual,
    };
  }
  throw new ValueError(
    `solveQp: method is "admm", "active-set" or "interior-point", got ${JSON.stringify(method)}`,
  );
}
