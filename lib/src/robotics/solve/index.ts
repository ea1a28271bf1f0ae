/** Sparse nonlinear least squares: the solver under pose graphs, bundle adjustment and calibration. */
export { BlockCholesky, SingularError } from "./cholesky.js";
export { type CovarianceOptions, covariance } from "./covariance.js";
export { cauchy, huber, type RobustLoss, tukey } from "./loss.js";
export { euclidean, type Manifold, SE2, SE3, SO3, wrapAngle } from "./manifold.js";
export { RankDeficiencyError } from "./normal-equations.js";
export { minimumDegree } from "./ordering.js";
export {
  ParameterGroup,
  type ParameterOptions,
  Problem,
  type ResidualSet,
  type Slot,
} from "./problem.js";
export {
  analyticResidual,
  autodiffResidual,
  type ResidualBatch,
  type ResidualKind,
  type ResidualOutput,
  type ResidualShape,
} from "./residual.js";
export {
  type IterationReport,
  minimize,
  minimizeSync,
  type SolveOptions,
  type SolveSummary,
} from "./solver.js";
