/** Combining with WebAssembly's vectors: one small module per dtype and operation, made when it is first needed. */
import type { DType } from "../../../core/dtype.js";
import { i32, load, ModuleBuilder, op } from "../../../runtime/wasm/assembler.js";
import type { CombineOp } from "../../transport/reduce-op.js";
import { FORMULAS } from "./formulas.js";

/** `into[…] = op(own[…], message[…])` by addresses in the kernel's memory; `bytes` is a multiple of 16. */
export type CombineKernel = (into: number, own: number, message: number, bytes: number) => void;

/** Bytes of a vector. */
export const VECTOR = 16;

const modules = new Map<string, WebAssembly.Module | null>();

/** The kernel over a shared memory. @returns null where the engine has no vectors or no shared memory */
export function combineKernel(
  memory: WebAssembly.Memory,
  dtype: DType,
  combineOp: CombineOp,
): CombineKernel | null {
  const key = `${dtype} ${combineOp}`;
  let module = modules.get(key);
  if (module === undefined) {
    const bytes = moduleOf(dtype, combineOp);
    module = WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
    modules.set(key, module);
  }
  if (!module) return null;
  return new WebAssembly.Instance(module, { env: { memory } }).exports.combine as CombineKernel;
}

function moduleOf(dtype: DType, combineOp: CombineOp): Uint8Array<ArrayBuffer> {
  const formula = FORMULAS[dtype][combineOp];
  const module = new ModuleBuilder();
  module.func("combine", ["i32", "i32", "i32", "i32"], null, (f) => {
    const into = f.param<"i32">(0);
    const own = f.param<"i32">(1);
    const message = f.param<"i32">(2);
    const end = f.let(op("i32.add", into, f.param<"i32">(3)));
    const step = (vectors: number): void => {
      for (let k = 0; k < vectors; k++) {
        const a = f.let(load("v128.load", own, VECTOR * k));
        const b = f.let(load("v128.load", message, VECTOR * k));
        f.store("v128.store", into, formula(f, a, b), VECTOR * k);
      }
      f.set(into, op("i32.add", into, i32(VECTOR * vectors)));
      f.set(own, op("i32.add", own, i32(VECTOR * vectors)));
      f.set(message, op("i32.add", message, i32(VECTOR * vectors)));
    };
    const unrolled = 4;
    const lastRound = f.let(op("i32.sub", end, i32(VECTOR * unrolled - 1)));
    // addresses are compared without a sign: a memory may reach past 2 GiB
    f.while(op("i32.lt_u", into, lastRound), () => step(unrolled));
    f.while(op("i32.lt_u", into, end), () => step(1));
  });
  return module.bytes();
}
