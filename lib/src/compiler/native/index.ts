/**
 * The `native` device: kernels compiled by the system's C compiler, on the same memory as the `wasm` device, whose kernels
 * run while a native one is being compiled and where there is none. Loading this registers it.
 */
import { registerDevice } from "../../runtime/devices.js";
import { type DeviceKernel, findKernel, kernelOps, registerKernel } from "../../runtime/kernels.js";
import { nativeSupport } from "../../runtime/native/library.js";
import { getNumThreads } from "../../runtime/pool/pool.js";
import "../../runtime/wasm/index.js";
import { registerElementwise } from "../../runtime/wasm/elementwise/compile.js";
import { registerAttention } from "../../runtime/wasm/kernels/attention.js";
import { registerBetterConv } from "../../runtime/wasm/kernels/conv.js";
import { registerProduct } from "../../runtime/wasm/kernels/gemm.js";
import { registerReduction } from "../../runtime/wasm/kernels/reduce.js";
import { convByAlgorithm, prefers } from "../convolution/kernel.js";
import { quantizedKernels } from "../quantized/kernel.js";
import { nativeAttention } from "./attention.js";
import { directInputGrad } from "./conv.js";
import { nativeElementwise } from "./elementwise.js";
import { nativeProduct } from "./product.js";
import { allNativePrograms, nativeKernelsReady } from "./programs.js";
import { nativeReduction } from "./reduce.js";
import { nativeSoftmax } from "./softmax.js";

registerDevice("native", () => {
  const tools = nativeSupport();
  if (typeof tools === "string") return { available: false, detail: tools };
  const count = getNumThreads();
  return {
    available: true,
    detail: `${tools.version}, vectors of ${tools.vectorBytes * 8} bits, ${count} thread${count === 1 ? "" : "s"}`,
  };
});

/** Ops that call native code: it runs at once, on the calling thread, and not on a stream. */
const runsAtOnce = (op: string): boolean => op === "matmul" || op === "softmax" || op.startsWith("conv");

/** Native kernels by op, each in front of the WebAssembly one. */
const OWN: Readonly<Record<string, (spare: never) => DeviceKernel<never>>> = {
  softmax: nativeSoftmax,
  conv2d: (spare) => convByAlgorithm("native", spare),
  conv2dInputGrad: directInputGrad as (spare: never) => DeviceKernel<never>,
};

// matmul and the convolutions are the WebAssembly device's, with the native product inside.
for (const op of kernelOps("wasm")) {
  const kernel = findKernel("wasm", op);
  if (!kernel) continue;
  const own = (OWN[op]?.(kernel as never) as typeof kernel | undefined) ?? kernel;
  registerKernel("native", runsAtOnce(op) ? { ...own, launches: false } : own);
}
registerProduct("native", nativeProduct);
registerAttention("native", nativeAttention);
registerElementwise("native", nativeElementwise);
registerReduction("native", nativeReduction);
// The WebAssembly device takes the loop compiler's convolutions too.
registerKernel("wasm", convByAlgorithm("wasm", findKernel("wasm", "conv2d") as never));
for (const device of ["wasm", "native"] as const)
  for (const kernel of quantizedKernels(device)) registerKernel(device, kernel);
registerBetterConv((x, w, attrs) => prefers("wasm", x.shape, w.shape, attrs));

/**
 * How many native kernels were asked for so far, how many of them run by now, and when all do: until then, and where the
 * compiler failed, their WebAssembly forms run.
 * @example nativeKernels().compiled <= nativeKernels().count // true
 */
export function nativeKernels(): {
  readonly count: number;
  readonly compiled: number;
  readonly ready: Promise<void>;
} {
  const all = allNativePrograms();
  return {
    count: all.length,
    compiled: all.filter((p) => p.current() !== null).length,
    ready: nativeKernelsReady(),
  };
}
