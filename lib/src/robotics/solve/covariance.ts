/** How sure a solution is: blocks of (JᵀWJ)⁻¹ (Triggs et al. 2000, §9; exact to first order if residuals are whitened). */
import { ValueError } from "../../core/errors.js";
import { NormalEquations } from "./normal-equations.js";
import type { ParameterGroup, Problem } from "./problem.js";

export interface CovarianceOptions {
  /**
   * "unit" (default): residuals have been divided by their standard deviations. "residual": all have one unknown variance,
   * which is estimated as 2·cost/(residuals − degrees of freedom), as SciPy's curve_fit does.
   */
  readonly variance?: "unit" | "residual";
}

/**
 * Joint covariance of some blocks, in their tangent spaces, at the present values: n × n, row-major, n their degrees of
 * freedom together. Constant blocks have none.
 * @throws RankDeficiencyError if the residuals leave a direction undetermined, as a pose graph does of which no pose is
 * held; ValueError for a block that is constant.
 * @example
 * const problem = new robotics.solve.Problem();
 * const x = problem.addParameters("x", [1]);
 * const kind = robotics.solve.autodiffResidual({ name: "twice", size: 1, parameters: [1] }, (x) => x.mul(2));
 * problem.addResiduals(kind, [[x, [0]]]);
 * robotics.solve.covariance(problem, [[x, 0]]) // [0.25]
 */
export function covariance(
  problem: Problem,
  wanted: readonly (readonly [group: ParameterGroup, block: number])[],
  { variance = "unit" }: CovarianceOptions = {},
): Float64Array {
  const equations = new NormalEquations(problem);
  const { blocks } = equations;
  const cost = equations.linearize();
  const rows = wanted.flatMap(([group, i]) => {
    const id = blocks.id(group, i);
    if (id < 0) throw new ValueError(`covariance: ${group.name}[${i}] is constant, or no block`);
    const { offset, dim } = blocks.all[id];
    return Array.from({ length: dim }, (_, k) => offset + k);
  });
  equations.factor();
  const n = rows.length;
  const out = new Float64Array(n * n);
  let scale = 1;
  if (variance === "residual") {
    const count = problem.sets.reduce((sum, set) => sum + set.count * set.kind.size, 0);
    if (count <= blocks.size)
      throw new ValueError(
        `covariance: ${count} residuals do not tell the variance of ${blocks.size} degrees of freedom`,
      );
    scale = (2 * cost) / (count - blocks.size);
  }
  rows.forEach((row, j) => {
    const column = new Float64Array(blocks.size);
    column[row] = 1;
    equations.cholesky.solve(column);
    rows.forEach((other, i) => {
      out[i * n + j] = column[other] * scale;
    });
  });
  return out;
}
