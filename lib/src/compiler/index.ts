/** The compiler's back end, stage by stage: memory, fusion, measurement; loop IR, schedules, code generation, search. */

export * as codegen from "./codegen/index.js";
export * as convolution from "./convolution/index.js";
export * as cuda from "./cuda/index.js";
export * as gpu from "./gpu-model/index.js";
export { type GpuScheduleOptions, gpuSchedule } from "./kernels/gpu.js";
export { LADDER_TILES, type LadderStep, type LadderTiles, ladder } from "./kernels/ladder.js";
export * as loop from "./loop/index.js";
export * from "./memory/index.js";
export { nativeKernels } from "./native/index.js";
export * as npu from "./npu/index.js";
export * from "./plan/index.js";
export * as product from "./product/index.js";
export * from "./profile/index.js";
export * as schedule from "./schedule/index.js";
export * from "./select/index.js";
export * as search from "./tune/index.js";

export * as webgpu from "./webgpu/index.js";
