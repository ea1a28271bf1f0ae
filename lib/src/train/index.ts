/** Training: the loop, its history, metrics. */
export {
  type CheckpointOptions,
  checkpoints,
  type EarlyStoppingOptions,
  earlyStopping,
} from "./callbacks.js";
export { loadCheckpoint, saveCheckpoint, type Training } from "./checkpoint.js";
export {
  type Batch,
  type Callback,
  evaluate,
  type FitEvent,
  type FitOptions,
  fit,
  type Metric,
  type Model,
} from "./fit.js";
export { History } from "./history.js";
export { accuracy } from "./metrics.js";
export {
  decodeSafetensors,
  encodeSafetensors,
  loadSafetensors,
  type NamedTensors,
  readSafetensorsHeader,
  type SafetensorsHeader,
  saveSafetensors,
} from "./safetensors.js";
