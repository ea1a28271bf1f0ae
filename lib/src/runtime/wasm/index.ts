/** The `wasm` device: SIMD kernels on shared memory and threads. Loading this registers it; a kernel is one line in the list. */
import { registerDevice, setDevice } from "../devices.js";
import { type DeviceKernel, registerKernel } from "../kernels.js";
import { getNumThreads } from "../pool/pool.js";
import { wasmFeatures } from "./features.js";
import { alongAxisKernels } from "./kernels/along-axis.js";
import { convKernels } from "./kernels/conv.js";
import { elementwiseKernels } from "./kernels/elementwise.js";
import { layoutKernels } from "./kernels/layout.js";
import { matmulKernel } from "./kernels/matmul.js";
import { reduceKernels } from "./kernels/reduce.js";
import { softmaxKernels } from "./kernels/softmax.js";

const KERNELS: readonly DeviceKernel<never>[] = [
  ...alongAxisKernels,
  ...convKernels,
  ...elementwiseKernels,
  ...layoutKernels,
  ...reduceKernels,
  ...softmaxKernels,
  matmulKernel,
];

registerDevice("wasm", () => {
  const { simd, threads, relaxed } = wasmFeatures();
  if (!simd || !threads) {
    return { available: false, detail: `this engine has no WebAssembly ${simd ? "threads" : "SIMD"}` };
  }
  const count = getNumThreads();
  return {
    available: true,
    detail: `WebAssembly SIMD128${relaxed ? " with relaxed multiply-add" : ""}, ${count} thread${count === 1 ? "" : "s"}`,
  };
});

for (const kernel of KERNELS) registerKernel("wasm", kernel as DeviceKernel<unknown>);

const { simd, threads } = wasmFeatures();
if (simd && threads) setDevice("wasm");
else
  process.emitWarning(
    "WebAssembly SIMD or shared memory is missing here; tensors are computed on the slow reference device",
  );
