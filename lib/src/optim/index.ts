/** Optimizers and schedules. */
export { Optimizer, type OptimizerOptions, type OptimizerState, type Schedule } from "./optimizer.js";
export { AdaGrad, Adam, AdamW, RMSProp, SGD } from "./rules.js";
export { constant, cosine, stepDecay, warmup } from "./schedules.js";
