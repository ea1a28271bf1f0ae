/** solveQp: the right solver for a problem's size. */
import { ValueError } from "../../../core/errors.js";
import { activeSet } from "./active-set.js";
import { type AdmmOptions, AdmmSolver } from "./admm.js";
import type { QpProblem, QpResult } from "./problem.js";

export interface QpOptions extends AdmmOptions {
  /** "active-set": exact, for small strictly convex problems; "admm": any size, sparse, P may be semidefinite. Default. */
  readonly method?: "admm" | "active-set";
}

/**
 * Smallest ½·xᵀPx + qᵀx with lower ≤ A·x ≤ upper. Solve many that share P and A with one `AdmmSolver`.
 * @throws ShapeError for sizes that do not fit; ValueError if P is not positive semidefinite (active set: definite)
 * @example control.solveQp({ p: [[2, 0], [0, 2]], q: [-2, -6], a: [[1, 1]], upper: [2] }).x // [0, 2]
 */
export function solveQp(problem: QpProblem, { method = "admm", ...options }: QpOptions = {}): QpResult {
  if (method === "active-set") return activeSet(problem);
  if (method === "admm") return new AdmmSolver(problem, options).solve();
  throw new ValueError(`solveQp: method is "admm" or "active-set", got ${JSON.stringify(method)}`);
}
