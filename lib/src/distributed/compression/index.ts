/** Gradient compression: communication hooks of data parallelism, and small float formats. */
export { castHook, formatHook } from "./cast.js";
export { CompactAdam, type CompactAdamOptions } from "./compact-adam.js";
export { type FloatFormat, floatFormat } from "./float-format.js";
export { decodeFloat, encodeFloat } from "./float-ops.js";
export type { CompressionHook, CompressionStatistics } from "./hook.js";
export { type PowerSGDOptions, powerSGDHook } from "./power-sgd.js";
export { type OneBitOptions, oneBitHook } from "./sign.js";
export { type TopKOptions, topKHook } from "./top-k.js";
