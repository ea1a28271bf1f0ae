/** Schedules of products with few rows: B is read once and not packed. */

import { Schedule } from "../schedule/schedule.js";
import { type GemmLayout, gemmDefinition } from "./gemm.js";

/**
 * A row of accumulators along n; or, where B is contiguous along k, a vector of partial sums along k.
 * @param lanes elements of a vector.
 * @example rowsSchedule(4).loops.includes("jb") // true
 */
export function rowsSchedule(lanes: number, layout: GemmLayout = {}): Schedule {
  const s = new Schedule(gemmDefinition(layout));
  if (layout.transposeB && !layout.transposeA) {
    s.split("j", 4, ["jb", "jj"]);
    s.split("k", 4 * lanes, ["kb", "ki"]);
    s.reorder("b", "jb", "i", "jj", "kb", "ki");
    s.rfactor("ki", "kb", "part").vectorize("ki").vectorize("part_zero");
  } else {
    s.split("j", 4 * lanes, ["jb", "jj"]);
    s.reorder("b", "jb", "i", "k", "jj");
    s.cacheWrite("C", "i", { name: "acc" });
    s.vectorize("acc_zero2").vectorize("jj").vectorize("acc_out2");
  }
  s.parallel("b").parallel("jb");
  return s;
}

/**
 * Some rows, B contiguous along n: accumulators for `rows` × two vectors, and B is read once, as it lies. (Packing it would
 * cost more than it saves: measured, 8 × 2048 × 2048 three times as fast as packed.)
 * @param lanes elements of a vector.
 * @example thinSchedule(4, 4).loops.includes("jb") // true
 */
export function thinSchedule(lanes: number, rows: number, layout: GemmLayout = {}): Schedule {
  const s = new Schedule(gemmDefinition(layout));
  s.split("i", rows, ["ib", "ir"]);
  s.split("j", 2 * lanes, ["jb", "jv"]);
  s.reorder("b", "jb", "ib", "k", "ir", "jv");
  s.cacheRead("A", null, { name: "Ap", pack: { axis: layout.transposeA ? 2 : 1, by: rows } });
  s.cacheWrite("C", "ib", { name: "acc" });
  s.pad("ir").unroll("ir").vectorize("jv");
  s.unroll("acc_zero1").vectorize("acc_zero2").unroll("acc_out1").vectorize("acc_out2");
  return s.parallel("b").parallel("jb");
}
