/** Schedules of kernels that work row by row: all stages of a row one after the other, while it is in the cache. */
import { layerNormRows, softmaxRows } from "../loop/definitions.js";
import type { LoopKernel, LoopType } from "../loop/ir.js";
import { Schedule } from "../schedule/schedule.js";

/**
 * Softmax over the rows of a matrix, M rows of N elements.
 * @param lanes elements of a vector.
 * @param scaled of the rows times a number (an input behind X)
 * @example softmaxSchedule(4).loops[0] // "im_0"
 */
export function softmaxSchedule(lanes: number, dtype: LoopType = "float32", scaled = false): Schedule {
  return rowwise(softmaxRows("M", "N", dtype, scaled), {
    rows: ["im_0", "im", "ie", "is_0", "is", "i"],
    sums: ["jm", "js"],
    plain: ["je", "j"],
    lanes,
  });
}

/**
 * Layer normalization over rows of a known number of columns.
 * @example layerNormSchedule(64, 4).loops[0] // "im_0"
 */
export function layerNormSchedule(columns: number, lanes: number, eps = 1e-5): Schedule {
  return rowwise(layerNormRows("M", columns, eps), {
    rows: ["im_0", "im", "iv_0", "iv", "i"],
    sums: ["jm", "jv"],
    plain: ["j"],
    lanes,
  });
}

interface RowLoops {
  /** Loops over rows, in order. */
  readonly rows: readonly string[];
  /** Loops that reduce a row: several partial results, in vectors. */
  readonly sums: readonly string[];
  readonly plain: readonly string[];
  readonly lanes: number;
}

const CHAINS = 4; // vectors of partial results: one alone waits for itself

function rowwise(kernel: LoopKernel, { rows, sums, plain, lanes }: RowLoops): Schedule {
  const s = new Schedule(kernel);
  for (const loop of sums) {
    s.split(loop, CHAINS * lanes, [`${loop}_block`, `${loop}_lane`]);
    s.rfactor(`${loop}_lane`, `${loop}_block`, `${loop}_part`);
    s.vectorize(`${loop}_lane`).vectorize(`${loop}_part_zero`);
  }
  for (const loop of plain) {
    s.split(loop, lanes, [`${loop}_block`, `${loop}_lane`]);
    s.vectorize(`${loop}_lane`);
  }
  const [first, ...others] = rows;
  return s.merge(first, ...others).parallel(first);
}
