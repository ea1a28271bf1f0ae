/** Sparsity: pruning with masks, schedules, tables; smaller layers; sparse kernels. */
export { blocks, nOfMVectors } from "./blocks.js";
export {
  apply,
  customFromMask,
  isPruned,
  loadMasks,
  maskState,
  type Parameter,
  remove,
  removeAll,
  weights,
} from "./mask.js";
export {
  globalUnstructured,
  l1Unstructured,
  lnStructured,
  nOfM,
  type PatternOptions,
  type RandomPruning,
  randomStructured,
  randomUnstructured,
  type ScoreOptions,
  type SliceOptions,
  sparsityOf,
  toSparsity,
} from "./prune.js";
export {
  report,
  Sensitivity,
  type SensitivityOptions,
  type SensitivityRow,
  SparsityReport,
  type SparsityRow,
  sensitivity,
} from "./report.js";
export {
  type GradualOptions,
  gradually,
  type IterativeOptions,
  iteratively,
  type PolynomialOptions,
  polynomialSparsity,
  rewind,
} from "./schedule.js";
export type { Amount } from "./select.js";
export { type ShrinkOptions, type ShrinkReport, type Shrunk, shrink } from "./shrink.js";
export { sparseKernelsReady } from "./sparse-kernels.js";
export {
  SparseConv2d,
  SparseDense,
  type SparseFormat,
  type SparsifiedLayer,
  type SparsifyOptions,
  SparsifyReport,
  sparsify,
} from "./sparse-layers.js";
export { BlockMatrix, CsrMatrix } from "./sparse-matrix.js";
