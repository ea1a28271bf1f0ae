/** GPU code from loop IR with blocks and threads: WGSL and CUDA C++. */
export {
  GPU_DIALECTS,
  type GpuDialect,
  type GpuLaunch,
  type GpuOptions,
  type GpuProgram,
  gpuProgram,
} from "./program.js";
