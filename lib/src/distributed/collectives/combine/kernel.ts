/** Combining with WebAssembly's vectors: one small module per dtype and operation, made when it is first needed. */
import type { DType } from "../../../core/dtype.js";
import {
  type Expr,
  type Func,
  i32,
  type Local,
  load,
  ModuleBuilder,
  op,
} from "../../../runtime/wasm/assembler.js";
import type { CombineOp } from "../../transport/reduce-op.js";
import { FORMULAS, QUOTIENTS } from "./formulas.js";

/** `into[…] = op(own[…], message[…])` by addresses in the kernel's memory; `bytes` is a multiple of 16. */
export type CombineKernel = (into: number, own: number, message: number, bytes: number) => void;

/** Bytes of a vector. */
export const VECTOR = 16;

/** `at[…] /= by` for floating-point elements. */
export type DivideKernel = (at: number, bytes: number, by: number) => void;

const modules = new Map<string, WebAssembly.Module | null>();

/** The kernel over a shared memory. @returns null where the engine has no vectors or no shared memory */
export function combineKernel(
  memory: WebAssembly.Memory,
  dtype: DType,
  combineOp: CombineOp,
): CombineKernel | null {
  const formula = FORMULAS[dtype][combineOp];
  return instanceOf(memory, `${dtype} ${combineOp}`, (module) =>
    module.func("run", ["i32", "i32", "i32", "i32"], null, (f) => {
      const into = f.param<"i32">(0);
      const own = f.param<"i32">(1);
      const message = f.param<"i32">(2);
      forVectors(f, [into, own, message], f.param<"i32">(3), (offset) => {
        const a = f.let(load("v128.load", own, offset));
        const b = f.let(load("v128.load", message, offset));
        f.store("v128.store", into, formula(f, a, b), offset);
      });
    }),
  );
}

/** The kernel that divides. @returns null as `combineKernel` does, and for dtypes that are not floating-point */
export function divideKernel(memory: WebAssembly.Memory, dtype: DType): DivideKernel | null {
  const formula = QUOTIENTS[dtype];
  if (!formula) return null;
  return instanceOf(memory, `${dtype} quotient`, (module) =>
    module.func("run", ["i32", "i32", "f64"], null, (f) => {
      const at = f.param<"i32">(0);
      const by = f.param<"f64">(2);
      forVectors(f, [at], f.param<"i32">(1), (offset) => {
        f.store("v128.store", at, formula(f, f.let(load("v128.load", at, offset)), by), offset);
      });
    }),
  );
}

/** Runs `body` for each vector of as many bytes; `body` gets the vector's place behind the pointers. */
function forVectors(
  f: Func,
  pointers: readonly Local<"i32">[],
  bytes: Expr<"i32">,
  body: (offset: number) => void,
): void {
  const [first] = pointers;
  const end = f.let(op("i32.add", first, bytes));
  const step = (vectors: number): void => {
    for (let k = 0; k < vectors; k++) body(VECTOR * k);
    for (const pointer of pointers) f.set(pointer, op("i32.add", pointer, i32(VECTOR * vectors)));
  };
  const unrolled = 4;
  // from the start: behind the end minus a round there may be no address, where a short piece lies at 0
  const rounds = f.let(op("i32.add", first, op("i32.and", bytes, i32(-VECTOR * unrolled))));
  // addresses are compared without a sign: a memory may reach past 2 GiB
  f.while(op("i32.lt_u", first, rounds), () => step(unrolled));
  f.while(op("i32.lt_u", first, end), () => step(1));
}

function instanceOf<K>(
  memory: WebAssembly.Memory,
  key: string,
  build: (module: ModuleBuilder) => void,
): K | null {
  let module = modules.get(key);
  if (module === undefined) {
    const builder = new ModuleBuilder();
    build(builder);
    const bytes = builder.bytes();
    module = WebAssembly.validate(bytes) ? new WebAssembly.Module(bytes) : null;
    modules.set(key, module);
  }
  return module ? (new WebAssembly.Instance(module, { env: { memory } }).exports.run as K) : null;
}
