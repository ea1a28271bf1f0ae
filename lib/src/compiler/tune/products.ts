/** Tiles of the matrix product by search, kept on disk, where the native device looks for them. */
import { type GemmLayout, gemmDefinition, gemmSketch } from "../kernels/gemm.js";
import type { LoopKernel } from "../loop/ir.js";
import { fromCache, type Tuned, type TuneOptions, tune } from "./tune.js";

const N = 768; // larger than the caches, small enough to measure often

/** Square: strides are the same in every layout. */
const SIZES = {
  batch: 1,
  M: N,
  N,
  K: N,
  A_batch: N * N,
  lda: N,
  B_batch: N * N,
  ldb: N,
  C_batch: N * N,
  ldc: N,
};

/**
 * Searches the tiles of a product on this machine. The native device uses them in processes that are started afterwards.
 * @example typeof tuneProduct // "function"
 */
export function tuneProduct(
  layout: GemmLayout = {},
  options: Omit<TuneOptions, "sizes" | "sketches"> = {},
): Promise<Tuned> {
  const { target = "c" } = options;
  return tune(gemmDefinition(layout), {
    ...options,
    target,
    sizes: SIZES,
    sketches: [gemmSketch(layout)],
  });
}

/** The product with the tiles that were found before; `null` if none were searched here. */
export function tunedProduct(layout: GemmLayout, target: "wasm" | "c"): LoopKernel | null {
  return fromCache(gemmDefinition(layout), target, SIZES)?.kernel ?? null;
}
