/** Hand-scheduled CUDA kernels, as text for NVRTC. */

export { attentionKernel } from "./attention.js";
export { type AttentionBackwardCall, attentionBackwardKernels } from "./attention-backward.js";
export type { AttentionCall, AttentionVariant } from "./attention-call.js";
export { mmaGemmKernel } from "./gemm-mma.js";
export { sgemmKernel } from "./gemm-simt.js";
export { type TmaGemmCall, tensorMap, wgmmaGemmKernel } from "./gemm-wgmma.js";
export { wmmaGemmKernel } from "./gemm-wmma.js";
export { HOPPER_PRELUDE, HOPPER_PRELUDE_NAME } from "./hopper-prelude.js";
export type { CudaKernel, GemmCall, HalfStorage, Storage } from "./kernel.js";
export { castKernel, unscaleKernel } from "./mixed.js";
export { PRELUDE, PRELUDE_NAME } from "./prelude.js";
