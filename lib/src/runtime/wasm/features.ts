/** What this engine's WebAssembly can do, found out by validating small modules. */
import { setFlagsFromString } from "node:v8";
import { f32, ModuleBuilder, op } from "./assembler.js";

export interface WasmFeatures {
  /** 128-bit vectors and shared memory: without them the device is absent. */
  readonly simd: boolean;
  readonly threads: boolean;
  /** Fused multiply-add. */
  readonly relaxed: boolean;
}

let found: WasmFeatures | undefined;

/** Looks once. On engines that hide relaxed SIMD behind a flag (Node 20), the flag is set first. */
export function wasmFeatures(): WasmFeatures {
  if (found) return found;
  const simd = validates(false);
  if (simd && !validates(true)) {
    try {
      setFlagsFromString("--experimental-wasm-relaxed-simd");
    } catch {
      // An engine that does not know the flag simply goes without.
    }
  }
  const threads = typeof SharedArrayBuffer === "function";
  found = { simd, threads, relaxed: simd && validates(true) };
  return found;
}

function validates(relaxed: boolean): boolean {
  const module = new ModuleBuilder();
  module.func(null, [], null, (f) => {
    const x = f.let(op("f32x4.splat", f32(1)));
    f.set(x, relaxed ? op("f32x4.relaxed_madd", x, x, x) : op("f32x4.add", x, x));
  });
  return WebAssembly.validate(module.bytes());
}
