/**
 * The `native` device: kernels compiled by the system's C compiler, on the same memory as the `wasm` device, whose kernels
 * run while a native one is being compiled and where there is none. Loading this registers it.
 */
import { registerDevice } from "../../runtime/devices.js";
import { findKernel, kernelOps, registerKernel } from "../../runtime/kernels.js";
import { nativeSupport } from "../../runtime/native/library.js";
import { getNumThreads } from "../../runtime/pool/pool.js";
import "../../runtime/wasm/index.js";
import { registerProduct } from "../../runtime/wasm/kernels/gemm.js";
import { nativeProduct } from "./product.js";

registerDevice("native", () => {
  const tools = nativeSupport();
  if (typeof tools === "string") return { available: false, detail: tools };
  const count = getNumThreads();
  return {
    available: true,
    detail: `${tools.version}, vectors of ${tools.vectorBytes * 8} bits, ${count} thread${count === 1 ? "" : "s"}`,
  };
});

// matmul and the convolutions are the WebAssembly device's, with the native product inside.
for (const op of kernelOps("wasm")) {
  const kernel = findKernel("wasm", op);
  if (kernel) registerKernel("native", kernel);
}
registerProduct("native", nativeProduct);
