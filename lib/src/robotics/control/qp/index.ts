/** Quadratic programs. */
export { activeSet } from "./active-set.js";
export { type AdmmOptions, AdmmSolver } from "./admm.js";
export { type QpProblem, type QpResult, SparseRows } from "./problem.js";
export { type QpOptions, solveQp } from "./solve.js";
