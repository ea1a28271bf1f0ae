/**
 * Schedules of convolutions without columns: a copy of the images with zeros around, filters packed, and a register tile of
 * filters × neighbouring pixels, so that each vector of pixels is read once for several filters.
 */
import { type Conv2dShape, conv2d, conv2dInputGrad, depthwise } from "../loop/definitions.js";
import { Schedule } from "../schedule/schedule.js";

export interface ConvTiles {
  /** Filters (of depthwise: lines) of the register tile. */
  readonly rows: number;
  /** Neighbouring pixels of the register tile. */
  readonly columns: number;
  /** Elements of a vector: lines are padded to a multiple. */
  readonly lanes: number;
}

/**
 * Convolution (NCHW, OIHW), or its gradient by the images.
 * @example convSchedule({ n: "N", channels: 4, filters: 8, height: 8, width: 8, kernel: 3, padding: 1 }, { rows: 4, columns: 8, lanes: 4 }).loops.includes("Xp_axis0") // true
 */
export function convSchedule(
  shape: Conv2dShape,
  { rows, columns, lanes }: ConvTiles,
  of: "output" | "input gradient" = "output",
): Schedule {
  const s = new Schedule(of === "output" ? conv2d(shape) : conv2dInputGrad(shape));
  const tile = largestDivisor(of === "output" ? shape.filters : shape.channels, rows); // all tiles are whole
  s.split("f", tile, ["fb", "fi"]);
  s.split("x", columns, ["xb", "xi"]);
  s.reorder("b", "y", "fb", "xb", "c", "r", "q", "fi", "xi");
  padImages(s, columns, lanes);
  s.cacheRead("W", null, { name: "Wp", pack: { axis: of === "output" ? 0 : 1, by: tile } });
  s.unroll("fi").vectorize("xi");
  for (const part of ["zero", "out"])
    s.unroll(`acc_${part}1`).unroll(`acc_${part}2`).vectorize(`acc_${part}3`);
  s.parallel("b").parallel("y");
  copyInVectors(s, lanes);
  return s;
}

/**
 * Convolution of each channel with its own filter.
 * @example depthwiseSchedule({ n: "N", channels: 4, height: 8, width: 8, kernel: 3, padding: 1 }, { rows: 2, columns: 8, lanes: 4 }).loops.includes("Xp_axis0") // true
 */
export function depthwiseSchedule(
  shape: Omit<Conv2dShape, "filters">,
  { rows, columns, lanes }: ConvTiles,
): Schedule {
  const s = new Schedule(depthwise(shape));
  const lines =
    Math.floor((shape.height + 2 * (shape.padding ?? 0) - shape.kernel) / (shape.stride ?? 1)) + 1;
  s.split("y", largestDivisor(lines, rows), ["yb", "yi"]);
  s.split("x", columns, ["xb", "xi"]);
  s.reorder("b", "c", "yb", "xb", "r", "q", "yi", "xi");
  padImages(s, columns, lanes);
  s.unroll("yi").vectorize("xi");
  for (const part of ["zero", "out"])
    s.unroll(`acc_${part}1`).unroll(`acc_${part}2`).vectorize(`acc_${part}3`);
  s.parallel("b").parallel("c");
  copyInVectors(s, lanes);
  return s;
}

/** Lines of the output run to a multiple of the tile (a shorter one: of the vector), over images with as many zeros behind their lines. */
function padImages(s: Schedule, columns: number, lanes: number): void {
  const [x, , y] = s.source.params;
  const width = y.shape[3].constant;
  const round = width > columns ? columns : lanes;
  const beyond = Math.ceil(width / round) * round - width;
  const stride = Math.max(1, Math.round(x.shape[3].constant / width));
  s.cacheRead("X", null, { name: "Xp", room: [0, 0, 0, beyond * stride] });
  s.cacheWrite("Y", "xb", { name: "acc" });
  s.pad("xi", lanes);
}

function copyInVectors(s: Schedule, lanes: number): void {
  s.split("Xp_axis3", lanes, ["Xp_block", "Xp_lane"]);
  s.vectorize("Xp_lane").parallel("Xp_axis0").parallel("Xp_axis1");
}

const largestDivisor = (n: number, most: number): number => {
  let d = Math.min(n, most);
  while (n % d !== 0) d--;
  return d;
};
