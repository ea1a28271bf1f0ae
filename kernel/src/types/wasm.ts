/** Declarations of WebAssembly modules, from their exports: `add.wasm` is typed by a virtual `add.d.wasm.ts`. */
import { readFileSync } from "node:fs";

const DECLARATIONS = /\.d\.wasm\.ts$/;

/** The module that a virtual file of declarations stands for. */
export function wasmFile(file: string): string | undefined {
  return DECLARATIONS.test(file) ? file.replace(DECLARATIONS, ".wasm") : undefined;
}

const KINDS: Readonly<Record<string, string>> = {
  // The JavaScript interface does not tell the signature.
  function: "(...args: (number | bigint)[]) => any",
  memory: "{ readonly buffer: ArrayBuffer; grow(pages: number): number }",
  table: "{ readonly length: number; get(index: number): any }",
  global: "{ value: any }",
};

export function wasmDeclarations(file: string): string | undefined {
  const wasm = wasmFile(file);
  if (wasm === undefined) return undefined;
  try {
    const lines = wasmInterface(readFileSync(wasm)).exports.map(
      ({ name, kind }, index) =>
        `declare const e${index}: ${KINDS[kind] ?? "unknown"};\nexport { e${index} as ${JSON.stringify(name)} };\n`,
    );
    return `${lines.join("")}export {};\n`;
  } catch {
    return undefined;
  }
}

interface WasmApi {
  Module: {
    new (bytes: Uint8Array): object;
    exports(module: object): { name: string; kind: string }[];
    imports(module: object): { module: string }[];
  };
}

/** What a module exports, and the modules that it imports from. @throws CompileError */
export function wasmInterface(bytes: Uint8Array): {
  exports: { name: string; kind: string }[];
  imports: string[];
} {
  const { Module } = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
  const module = new Module(bytes);
  return {
    exports: Module.exports(module),
    imports: [...new Set(Module.imports(module).map(({ module: name }) => name))],
  };
}
