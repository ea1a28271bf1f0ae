/** From assembled bytes to kernels that every thread can run. */
import { memory } from "../heap.js";
import { type PoolKernel, poolKernel } from "../pool/pool.js";
import type { ModuleBuilder } from "./assembler.js";

let modules = 0;

/**
 * Compiles a module and makes the named exports kernels.
 * @example
 * const module = new extend.wasm.ModuleBuilder();
 * module.func("nothing", ["i32", "i32"], null, () => {});
 * Object.keys(extend.compileKernels(module, ["nothing"])) // ["nothing"]
 */
export function compileKernels<N extends string>(
  module: ModuleBuilder,
  names: readonly N[],
): Record<N, PoolKernel> {
  const compiled = new WebAssembly.Module(module.bytes());
  const instance = new WebAssembly.Instance(compiled, { env: { memory } });
  const id = modules++;
  return Object.fromEntries(names.map((name) => [name, poolKernel(compiled, instance, id, name)])) as Record<
    N,
    PoolKernel
  >;
}
