/** Optimizers and schedules. */
export { Optimizer, type OptimizerOptions, type OptimizerState, type Schedule } from "./optimizer.js";
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
export { constant, cosine, exponentialDecay, linear, stepDecay, warmup } from "./schedules.js";
