/**
 * The `cuda` device: products by cuBLAS, everything else by kernels that NVRTC compiles from text made here. Loading this
 * registers it; no library is opened before the device is asked for.
 */

import { registerRemoteFusion } from "../../graph/remote.js";
import type { Block } from "../../runtime/cuda/allocator.js";
import { describeCuda } from "../../runtime/cuda/machine.js";
import { memory } from "../../runtime/heap.js";
import { registerRemote, registerRemoteKernel } from "../../runtime/remote.js";
import { convOps } from "./conv.js";
import { cuda } from "./device.js";
import { elementwiseOps } from "./elementwise.js";
import { fuse } from "./fuse.js";
import { indexingOps } from "./indexing.js";
import { matmulOp } from "./matmul.js";
import { randomOps } from "./random.js";
import { reduceOps } from "./reduce.js";
import { rowOps } from "./rows.js";
import type { CudaOp } from "./types.js";

const DEVICE = "cuda";

registerRemote<Block>(
  {
    device: DEVICE,
    allocate: (bytes) => cuda().allocate(bytes),
    free: (block) => cuda().free(block),
    upload: (ptr, bytes, to) => cuda().upload(new Uint8Array(memory.buffer, ptr, bytes), to),
    download: (from, bytes, ptr) => cuda().download(from, new Uint8Array(memory.buffer, ptr, bytes)),
  },
  describeCuda,
);

const OPS: readonly CudaOp[] = [
  ...(elementwiseOps as readonly CudaOp[]),
  ...indexingOps,
  ...reduceOps,
  ...rowOps,
  ...convOps,
  ...randomOps,
  matmulOp as CudaOp,
];

for (const op of OPS) registerRemoteKernel<Block, never>(DEVICE, op);
registerRemoteFusion<Block>(DEVICE, fuse);

export { type Graphed, type GraphedOptions, graphed } from "./graphed.js";
export * as kernels from "./kernels/index.js";
export { type MatmulPrecision, setMatmulPrecision } from "./matmul.js";
export { measureProducts, type ProductSizes, type ProductTiming } from "./measure.js";
