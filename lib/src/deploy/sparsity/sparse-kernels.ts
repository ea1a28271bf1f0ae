/**
 * Sparse products on the shared memory: by C where the tensors are on the `native` device and the compiler is done, else by
 * WebAssembly. Addresses are bytes, strides elements.
 */

import { loadKernel, type NativeRun, nativeSupport, POOL_LIBRARY } from "../../runtime/native/library.js";
import { buildLibrary } from "../../runtime/native/toolchain.js";
import { launch } from "../../runtime/pool/pool.js";
import { wasmFeatures } from "../../runtime/wasm/features.js";
import { compileKernels } from "../../runtime/wasm/module.js";
import { BLOCK, BLOCK_ROWS, blockSource, CSR_ROWS, csrSource } from "./native-source.js";
import { sparseModule, WASM_COLUMNS, WASM_ROWS } from "./wasm-code.js";

/** Multiplications that are worth another thread. */
const WORTH_A_THREAD = 200_000;

interface Native {
  readonly run: () => NativeRun | null;
  readonly ready: Promise<void>;
}

function inBackground(source: (vectorBytes: number) => string): () => Native {
  let started: Native | null = null;
  return () => {
    if (started) return started;
    const tools = nativeSupport();
    let run: NativeRun | null = null;
    const ready =
      typeof tools === "string"
        ? Promise.resolve()
        : Promise.all([buildLibrary(POOL_LIBRARY, tools), buildLibrary(source(tools.vectorBytes), tools)])
            .then(([, path]) => {
              run = loadKernel(path);
            })
            .catch((error: Error) =>
              process.emitWarning(`a sparse product stays WebAssembly: ${error.message}`),
            );
    started = { run: () => run, ready };
    return started;
  };
}

const csrNative = inBackground(csrSource);
const blockNative = inBackground(blockSource);

let compiled: ReturnType<typeof compile> | undefined;
const compile = () => compileKernels(sparseModule(wasmFeatures().relaxed), ["csr", "blocks"]);
const wasm = () => {
  compiled ??= compile();
  return compiled;
};

/**
 * Settles when the compiler is done with the sparse kernels of a device; until then, those of WebAssembly run.
 * @example await deploy.prune.sparseKernelsReady("wasm")
 */
export async function sparseKernelsReady(device: string): Promise<void> {
  if (device === "native") await Promise.all([csrNative().ready, blockNative().ready]);
}

/** Where a packed matrix lies. */
export interface Packed {
  readonly starts: number;
  readonly columns: number;
  readonly values: number;
  readonly stored: number;
}

const grainOf = (work: number, items: number): number =>
  Math.max(1, Math.ceil((WORTH_A_THREAD * items) / Math.max(1, work)));

/** c (rows, p) = a (CSR) · b (any, p). */
export function csrProduct(
  device: string,
  a: Packed,
  [rows, p]: readonly [number, number],
  [b, ldb]: readonly [number, number],
  [c, ldc]: readonly [number, number],
): void {
  if (rows === 0 || p === 0) return;
  const work = a.stored * p;
  const native = device === "native" ? csrNative().run() : null;
  const { starts, columns, values } = a;
  if (native) {
    const tools = nativeSupport();
    const wide = typeof tools === "string" ? 1 : tools.vectorBytes;
    const items = Math.ceil(p / wide) * Math.ceil(rows / CSR_ROWS); // a vector of bytes holds 4 vectors' columns
    native([starts, columns, values, b, c, rows, p, ldb, ldc, items, grainOf(work, items)]);
    return;
  }
  const items = rows * Math.ceil(p / WASM_COLUMNS);
  launch(wasm().csr, [starts, columns, values, b, c, rows, p, ldb * 4, ldc * 4], items, grainOf(work, items));
}

/** y (rows, outputs) = x (rows, any) · w (blocks of 16 outputs). */
export function blockProduct(
  device: string,
  w: Packed,
  [rows, outputs]: readonly [number, number],
  [x, ldx]: readonly [number, number],
  [y, ldy]: readonly [number, number],
): void {
  if (rows === 0 || outputs === 0) return;
  const blocks = Math.ceil(outputs / BLOCK);
  const work = w.stored * rows;
  const native = device === "native" ? blockNative().run() : null;
  const { starts, columns, values } = w;
  if (native) {
    const items = blocks * Math.ceil(rows / BLOCK_ROWS);
    native([starts, columns, values, x, y, blocks, rows, outputs, ldx, ldy, items, grainOf(work, items)]);
    return;
  }
  const items = blocks * Math.ceil(rows / WASM_ROWS);
  const args = [starts, columns, values, x, y, blocks, rows, outputs, ldx * 4, ldy * 4];
  launch(wasm().blocks, args, items, grainOf(work, items));
}
