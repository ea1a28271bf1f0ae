/** Code generation: TypeScript to read and to check against, WebAssembly, C; and what each emits, as text. */
export {
  compileC,
  compileInBackground,
  cSource,
  type NativeProgram,
  nativeAvailable,
  nativeProgram,
} from "./c/compile.js";
export * from "./gpu/index.js";
export type { LoopProgram } from "./program.js";
export { type ElementArray, typescriptFunction, typescriptSource } from "./typescript/source.js";
export { compileWasm, type WasmOptions, wasmModule } from "./wasm/compile.js";
export { wasmText } from "./wasm/text.js";
