/**
 * What code outside the library needs to add to it: an op of its own (`defineOp`, applied by `apply`), kernels for it on a
 * device, and an assembler for WebAssembly kernels that work on tensors in place.
 */
export { isContiguous, type Layout } from "./core/layout.js";
export { type RemoteStep, registerRemoteFusion } from "./graph/remote.js";
export { apply, bind, onDispatch } from "./ops/bind.js";
export type {
  Attrs,
  BatchRule,
  JvpRule,
  OpDef,
  OpSample,
  VjpContext,
  VjpRule,
} from "./ops/registry.js";
export { elementwiseBatch, loopedBatch, mapReference, shiftedBatch, withBatch } from "./ops/rules.js";
export { registerDevice } from "./runtime/devices.js";
export { memory } from "./runtime/heap.js";
export { elementPositions, type HostArray } from "./runtime/host-array.js";
export { type DeviceKernel, findKernel, type Kernel, kernelOps, registerKernel } from "./runtime/kernels.js";
export { launch, type PoolKernel } from "./runtime/pool/pool.js";
export {
  type DeviceArray,
  type DeviceMemory,
  type RemoteKernel,
  type RemoteType,
  registerRemote,
  registerRemoteKernel,
} from "./runtime/remote.js";
export { useTfjs } from "./runtime/tfjs/index.js";
export * as wasm from "./runtime/wasm/assembler.js";
export { compileKernels } from "./runtime/wasm/module.js";
