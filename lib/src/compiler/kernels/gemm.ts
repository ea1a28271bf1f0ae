/**
 * Schedules of matrix products. Blocked as in Goto & van de Geijn (2008): B is packed into panels as wide as the register
 * tile, A block by block; the tile's accumulators stay in registers while k runs.
 */

import { type MatmulOptions, matmul } from "../loop/definitions.js";
import type { LoopKernel } from "../loop/ir.js";
import { Schedule } from "../schedule/schedule.js";
import type { Sketch } from "../tune/sketch.js";

export interface GemmTiles {
  /** Rows and columns of the register tile. */
  readonly rows: number;
  readonly columns: number;
  /** Register tiles in a block of A, below each other. */
  readonly down: number;
  /** Register tiles that one thread's block is wide. */
  readonly across: number;
  /** Steps of k for which packed parts are kept. */
  readonly depth: number;
}

/** How operands lie: A as (m, k) or (k, m), B as (k, n) or (n, k); the inner axis is contiguous, the others have strides. */
export type GemmLayout = Pick<MatmulOptions, "dtype" | "transposeA" | "transposeB">;

/** Sizes of the kernel, in the order in which they are given. */
export const GEMM_SIZES = [
  "batch",
  "M",
  "N",
  "K",
  "A_batch",
  "lda",
  "B_batch",
  "ldb",
  "C_batch",
  "ldc",
] as const;

/**
 * Batched C = A · B for sizes that are given with each call.
 * @example gemmDefinition({ transposeB: true }).sizes.length // 10
 */
export function gemmDefinition(layout: GemmLayout = {}): LoopKernel {
  const strides = { A: ["A_batch", "lda", 1], B: ["B_batch", "ldb", 1], C: ["C_batch", "ldc", 1] };
  return { ...matmul("M", "N", "K", { ...layout, batch: "batch", strides }), sizes: GEMM_SIZES };
}

/**
 * The packed, tiled product.
 * @example gemmSchedule({ rows: 2, columns: 16, down: 8, across: 8, depth: 64 }).loops.includes("kb") // true
 */
export function gemmSchedule(tiles: GemmTiles, layout: GemmLayout = {}): Schedule {
  const { rows, columns, down, across, depth } = tiles;
  const s = new Schedule(gemmDefinition(layout));
  s.split("i", rows * down, ["ib", "ii"]);
  s.split("ii", rows, ["it", "ir"]);
  s.split("j", columns * across, ["jb", "jj"]);
  s.split("jj", columns, ["jt", "jv"]);
  s.split("k", depth, ["kb", "ki"]);
  s.reorder("b", "ib", "jb", "kb", "jt", "it", "ki", "ir", "jv");
  const as = layout.dtype === "bfloat16" ? ({ as: "float32" } as const) : {}; // widened once, when packed
  s.cacheRead("B", null, { name: "Bp", ...as, pack: { axis: layout.transposeB ? 1 : 2, by: columns } });
  s.cacheRead("A", "kb", { name: "Ap", ...as, pack: { axis: layout.transposeA ? 2 : 1, by: rows } });
  s.cacheWrite("C", "it", { name: "acc" });
  s.pad("ir").pad("jv").unroll("ir").vectorize("jv");
  s.unroll("acc_zero1").vectorize("acc_zero2").unroll("acc_out1").vectorize("acc_out2");
  s.split("j_0", 4 * columns, ["z_o", "z_i"]);
  s.parallel("b")
    .parallel("ib")
    .parallel("jb")
    .parallel("Bp_axis0")
    .parallel("Bp_axis1")
    .parallel("b_0")
    .parallel("i_0");
  s.vectorize("z_i");
  if (layout.transposeB) {
    // Columns of a panel lie apart: whole vectors of k are read instead, and their elements spread.
    s.split("Bp_axis2", 16, ["Bp_ko", "Bp_kv"]);
    s.reorder("Bp_ko", "Bp_axis3", "Bp_kv").vectorize("Bp_kv");
  } else s.vectorize("Bp_axis3");
  if (layout.transposeA) s.unroll("Ap_axis3");
  else {
    s.split("Ap_axis2", 16, ["Ap_ko", "Ap_kv"]);
    s.reorder("Ap_ko", "Ap_axis3", "Ap_kv").vectorize("Ap_kv");
  }
  return s;
}

/**
 * The tiles of the packed product as open numbers, for `tune(gemmDefinition(layout), { sketches: [gemmSketch(layout)] })`.
 * @example gemmSketch().choices.rows.includes(12) // true
 */
export function gemmSketch(layout: GemmLayout = {}): Sketch {
  return {
    name: "gemm",
    choices: {
      rows: [1, 2, 3, 4, 6, 8, 12, 14],
      columns: [4, 8, 12, 16, 24, 32, 48],
      down: [4, 8, 16, 32],
      across: [4, 8, 16, 32],
      depth: [64, 128, 256, 512],
    },
    build: (n) =>
      gemmSchedule(
        { rows: n.rows, columns: n.columns, down: n.down, across: n.across, depth: n.depth },
        layout,
      ),
  };
}
