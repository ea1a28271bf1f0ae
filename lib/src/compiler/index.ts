/** The compiler's back end: memory, kernels, measurement. */
export * from "./memory/index.js";
export * from "./plan/index.js";
export * from "./profile/index.js";
export * from "./select/index.js";
