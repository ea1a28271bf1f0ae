/**
 * Schedules of reductions, for sizes and strides that are given with each call: along runs of neighbours in several partial
 * results, or across rows in accumulators side by side.
 */
import { Definition } from "../loop/compute.js";
import type { LoopType, Reduction } from "../loop/ir.js";
import { identity } from "../schedule/cache-write.js";
import { Schedule } from "../schedule/schedule.js";

/** Sizes of the kernel, in the order in which they are given; strides are those of the input. */
export const REDUCE_SIZES = ["K0", "K1", "R0", "R1", "k0", "k1", "r0", "r1"] as const;

/**
 * Y[K0, K1] from X[K0, K1, R0, R1].
 * @param along the elements of R1 are neighbours; else those of K1
 * @param lanes elements of a vector
 * @example reduceSchedule("add", true, 4).loops.includes("part_out") // true
 */
export function reduceSchedule(
  reduction: Reduction,
  along: boolean,
  lanes: number,
  dtype: LoopType = "float32",
): Schedule {
  const d = new Definition("reduce", REDUCE_SIZES);
  const strides = ["k0", along ? "k1" : 1, "r0", along ? 1 : "r1"];
  const x = d.input("X", dtype, ["K0", "K1", "R0", "R1"], strides);
  const y = d.output("Y", dtype, ["K0", "K1"]);
  const first = identity(reduction, dtype);
  d.reduce(y, { i: "K0", j: "K1" }, { q: "R0", r: "R1" }, reduction, first, ({ i, j, q, r }) => [
    [i, j],
    x.at(i, j, q, r),
  ]);
  const s = new Schedule(d.kernel());
  if (along) {
    s.split("r", 4 * lanes, ["rb", "rv"]);
    s.rfactor("rv", "q", "part").vectorize("rv").vectorize("part_zero");
    s.parallel("i").parallel("j");
  } else {
    s.split("j", 4 * lanes, ["jb", "jv"]);
    s.reorder("i", "jb", "q", "r", "jv");
    s.cacheWrite("Y", "jb", { name: "acc" });
    s.unroll("acc_zero0").vectorize("acc_zero1").vectorize("jv").unroll("acc_out0").vectorize("acc_out1");
    s.parallel("i").parallel("jb");
  }
  return s;
}
