/** Optimizers, schedules, gradient clipping. */
export {
  Adadelta,
  type AdadeltaOptions,
  Adamax,
  type AdamaxOptions,
  Lion,
  type LionOptions,
} from "./adaptive.js";
export { clipByGlobalNorm, clipByValue, clipGradNorm, globalNorm } from "./clip.js";
export { GradScaler, type GradScalerOptions } from "./grad-scaler.js";
export { LAMB, type LAMBOptions } from "./lamb.js";
export {
  Optimizer,
  type OptimizerOptions,
  type OptimizerState,
  type RuleInput,
  type RuleOutput,
  type Schedule,
} from "./optimizer.js";
export {
  AdaGrad,
  type AdaGradOptions,
  Adam,
  type AdamOptions,
  AdamW,
  RMSProp,
  type RMSPropOptions,
  SGD,
  type SGDOptions,
} from "./rules.js";
export {
  constant,
  cosine,
  cosineRestarts,
  exponentialDecay,
  linear,
  oneCycle,
  piecewise,
  polynomial,
  stepDecay,
  warmup,
} from "./schedules.js";
