/** The compiler's back end: memory, kernels, measurement. */
export * from "./memory/index.js";
export * from "./profile/index.js";
