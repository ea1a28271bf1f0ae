/** Matrix products of the native device: a kernel for each dtype and layout, compiled when first met. */
import { nativeSupport } from "../../runtime/native/library.js";
import type { Matrix, Product } from "../../runtime/wasm/kernels/gemm.js";
import type { GemmType } from "../../runtime/wasm/kernels/gemm-code.js";
import { compileInBackground } from "../codegen/c/compile.js";
import { type GemmTiles, gemmSchedule } from "../kernels/gemm.js";
import { rowsSchedule, thinSchedule } from "../kernels/gemv.js";
import { tunedProduct } from "../tune/products.js";
import { nativePrograms } from "./programs.js";

const FEW_ROWS = 4; // with so few rows nothing is kept in registers but sums
const THIN_ROWS = 24; // with so few, packing B costs more than it saves

/**
 * The register tile for a processor: as many accumulators as leave room for a row of B and an element of A. With
 * AVX-512 12 × 2 vectors (measured: 161 GFLOP/s of OpenBLAS's 161 on one thread), with AVX2 6 × 2.
 */
export function tilesFor(type: GemmType, vectorBytes: number, registers: number): GemmTiles {
  const lanes = vectorBytes / (type === "float32" ? 4 : 8);
  const rows = registers >= 32 ? 12 : vectorBytes >= 32 ? 6 : 4;
  return { rows, columns: 2 * lanes, down: Math.max(1, Math.floor(96 / rows)), across: 16, depth: 256 };
}

/** Uses a native kernel if it is compiled; the WebAssembly one otherwise. */
export const nativeProduct: Product = (type, [m, n, k], a, b, c, count, accumulate) => {
  const transposeA = a.columns !== 1;
  const transposeB = b.columns !== 1;
  if ((transposeA && a.rows !== 1) || (transposeB && b.rows !== 1) || c.columns !== 1 || k === 0)
    return false;
  const few = m <= FEW_ROWS && !accumulate;
  const thin = !few && m <= THIN_ROWS && !accumulate && !transposeB;
  const key = `matmul ${type} ${transposeA} ${transposeB} ${few} ${thin} ${accumulate}`;
  const tools = nativeSupport();
  if (typeof tools === "string") return false;
  const native = nativePrograms(key, () =>
    compileInBackground(() => {
      const layout = { dtype: type, transposeA, transposeB } as const;
      const lanes = tools.vectorBytes / (type === "float32" ? 4 : 8);
      if (few) return rowsSchedule(lanes, layout).kernel;
      if (thin) return thinSchedule(lanes, tools.registers >= 32 ? 8 : 4, layout).kernel;
      const kernel =
        tunedProduct(layout, "c") ??
        gemmSchedule(tilesFor(type, tools.vectorBytes, tools.registers), layout).kernel;
      return accumulate ? { ...kernel, body: kernel.body.slice(1) } : kernel; // without the nest that sets zeros
    }),
  ).current();
  if (!native) return false;
  const lead = (x: Matrix, transposed: boolean): number => (transposed ? x.columns : x.rows);
  native.run(
    [a.ptr, b.ptr, c.ptr],
    [count, m, n, k, a.batch, lead(a, transposeA), b.batch, lead(b, transposeB), c.batch, c.rows],
  );
  return true;
};
