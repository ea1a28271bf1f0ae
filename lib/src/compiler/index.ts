/** The compiler's back end, stage by stage: loop IR, schedules, code generation, search. */
export * as codegen from "./codegen/index.js";
export * as loop from "./loop/index.js";
export { nativeKernels } from "./native/index.js";
export * as schedule from "./schedule/index.js";
export * as search from "./tune/index.js";
