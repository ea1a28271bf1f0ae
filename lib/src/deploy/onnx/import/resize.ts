/** Resize: along each axis a product with the matrix of what each output takes from each input. (ONNX, operator Resize.) */
import type { Tensor } from "../../../core/tensor.js";
import * as ops from "../../../ops/index.js";
import { OnnxError } from "../schema.js";
import type { ImportRow, RowContext } from "./row.js";
import { int64 } from "./shapes.js";

/** Where output `i` lies in the input, from the sizes and the scale. */
const PLACES: Readonly<Record<string, (i: number, from: number, to: number, scale: number) => number>> = {
  half_pixel: (i, _from, _to, scale) => (i + 0.5) / scale - 0.5,
  half_pixel_symmetric: (i, from, to, scale) => {
    const centre = from / 2;
    return centre * (1 - to / (scale * from)) + (i + 0.5) / scale - 0.5;
  },
  pytorch_half_pixel: (i, _from, to, scale) => (to > 1 ? (i + 0.5) / scale - 0.5 : 0),
  align_corners: (i, from, to) => (to > 1 ? (i * (from - 1)) / (to - 1) : 0),
  asymmetric: (i, _from, _to, scale) => i / scale,
};

const NEAREST: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

/** Keys' cubic kernel at a distance. */
function cubic(distance: number, a: number): number {
  const d = Math.abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

function chosen<T>(table: Readonly<Record<string, T>>, name: string, what: string): T {
  const found = Object.hasOwn(table, name) ? table[name] : null;
  if (found === null)
    throw new OnnxError(`${what} is "${name}"; supported: ${Object.keys(table).join(", ")}`);
  return found;
}

function resize(c: RowContext): Tensor {
  const { attributes } = c;
  let x = c.input(0);
  if (attributes.int("antialias", 0)) throw new OnnxError("antialias is on");
  if (attributes.string("keep_aspect_ratio_policy", "stretch") !== "stretch")
    throw new OnnxError("keep_aspect_ratio_policy is not stretch");
  const axes = c.axes(attributes.ints("axes") ?? x.shape.map((_, i) => i), x.ndim);
  const [scalesAt, sizesAt] = c.inputs.length === 2 ? [1, 3] : [2, 3]; // two inputs: Upsample, with scales
  const given = c.optional(sizesAt)?.size ? c.numbers(sizesAt, "sizes") : null;
  const scales = given ? given.map((size, k) => size / x.shape[axes[k]]) : c.numbers(scalesAt, "scales");
  const sizes = given ?? scales.map((scale, k) => Math.floor(x.shape[axes[k]] * scale));
  if (sizes.length !== axes.length) throw new OnnxError(`${sizes.length} sizes for ${axes.length} axes`);
  c.room(x.shape.map((dim, i) => (axes.includes(i) ? sizes[axes.indexOf(i)] : dim)));
  const mode = attributes.string("mode", "nearest");
  const place = chosen(
    PLACES,
    c.inputs.length === 2 ? "asymmetric" : attributes.string("coordinate_transformation_mode", "half_pixel"),
    "coordinate_transformation_mode",
  );
  axes.forEach((axis, k) => {
    const [before, to] = [x.shape[axis], sizes[k]];
    if (before === to && scales[k] === 1) return;
    const at = Array.from({ length: to }, (_, i) => place(i, before, to, scales[k]));
    if (mode === "nearest") {
      const round = chosen(
        NEAREST,
        c.inputs.length === 2 ? "floor" : attributes.string("nearest_mode", "round_prefer_floor"),
        "nearest_mode",
      );
      x = ops.take(x, int64(at.map((p) => Math.min(Math.max(round(p), 0), before - 1))), axis);
      return;
    }
    const weights = weightsOf(c, mode, at, before);
    const matrix = ops.tensor(weights, { shape: [before, to], dtype: x.dtype });
    const last = x.ndim - 1;
    x = axis === last ? x.matmul(matrix) : x.swapAxes(axis, last).matmul(matrix).swapAxes(axis, last);
  });
  return x;
}

function weightsOf(c: RowContext, mode: string, at: readonly number[], before: number): Float64Array {
  if (mode !== "linear" && mode !== "cubic") throw new OnnxError(`mode is "${mode}"`);
  const a = c.attributes.float("cubic_coeff_a", -0.75);
  const outside = c.attributes.int("exclude_outside", 0) !== 0;
  const weights = new Float64Array(before * at.length);
  at.forEach((given, i) => {
    const p = mode === "linear" ? Math.min(Math.max(given, 0), before - 1) : given;
    const first = Math.floor(p);
    const reach = mode === "linear" ? [0, 1] : [-1, 0, 1, 2];
    const parts = reach.map((d) => ({
      from: first + d,
      weight: mode === "linear" ? (d === 0 ? 1 - (p - first) : p - first) : cubic(p - first - d, a),
    }));
    const kept = outside ? parts.filter(({ from }) => from >= 0 && from < before) : parts;
    const total = outside ? kept.reduce((sum, { weight }) => sum + weight, 0) : 1;
    for (const { from, weight } of kept)
      weights[Math.min(Math.max(from, 0), before - 1) * at.length + i] += weight / total;
  });
  return weights;
}

export const RESIZE: readonly ImportRow[] = [
  { op: "Resize", run: resize },
  { op: "Upsample", run: resize },
];
