/** From pixels to what networks take: scaled values, channels first, labels as vectors. */
import { ValueError } from "../../core/errors.js";
import type { PlainArray } from "../formats/array.js";
import { checkImage } from "./image.js";

/** Pixels as floats. */
export type FloatImage = PlainArray<"float32">;

/**
 * (x − mean) / std of each channel, float32.
 * @example data.normalize({ dtype: "uint8", shape: [1, 1, 3], data: new Uint8Array([110, 115, 51]) }, [100, 115, 121], [10, 68, 70]).data // [1, 0, -1]
 * @throws ValueError if there are not as many means and stds as channels, or a std is 0.
 */
export function normalize(
  image: PlainArray<"uint8"> | FloatImage,
  mean: readonly number[],
  std: readonly number[],
): FloatImage {
  const [, , channels] = checkImage(image, "normalize");
  if (mean.length !== channels || std.length !== channels || std.some((s) => s === 0 || !Number.isFinite(s)))
    throw new ValueError(
      `normalize: wants a mean and a std other than 0 for each of ${channels} channels, got ${mean.join(", ")} and ${std.join(", ")}`,
    );
  const { data } = image;
  const out = new Float32Array(data.length);
  for (let i = 0, c = 0; i < out.length; i++) {
    out[i] = (data[i] - mean[c]) / std[c];
    if (++c === channels) c = 0;
  }
  return { dtype: "float32", shape: image.shape, data: out };
}

/**
 * Channels first: (height, width, channels) becomes (channels, height, width).
 * @example data.hwc2chw({ dtype: "uint8", shape: [1, 2, 2], data: new Uint8Array([1, 2, 3, 4]) }).data // [1, 3, 2, 4]
 */
export function hwc2chw<T extends PlainArray<"uint8"> | FloatImage>(image: T): T {
  const [height, width, channels] = checkImage(image, "hwc2chw");
  return permuted(image, [channels, height, width], height * width, channels);
}

/**
 * Channels last: (channels, height, width) becomes (height, width, channels).
 * @example data.chw2hwc({ dtype: "uint8", shape: [2, 1, 2], data: new Uint8Array([1, 3, 2, 4]) }).data // [1, 2, 3, 4]
 */
export function chw2hwc<T extends PlainArray<"uint8"> | FloatImage>(image: T): T {
  const [channels, height, width] = checkImage(image, "chw2hwc");
  return permuted(image, [height, width, channels], channels, height * width);
}

/** The transpose of a matrix of `rows` × `columns`. */
function permuted<T extends PlainArray<"uint8"> | FloatImage>(
  { dtype, data }: T,
  shape: readonly number[],
  rows: number,
  columns: number,
): T {
  const out = dtype === "uint8" ? new Uint8Array(data.length) : new Float32Array(data.length);
  for (let c = 0, to = 0; c < columns; c++) for (let r = 0; r < rows; r++) out[to++] = data[r * columns + c];
  return { dtype, shape, data: out } as PlainArray as T;
}

/**
 * A label as a vector: 1 at its place.
 * @param options.smoothing takes so much from the 1 and spreads it over all (label smoothing). Default 0.
 * @example data.oneHotLabel(2, 4).data // [0, 0, 1, 0]
 * @throws ValueError for a label outside of 0 … classes − 1.
 */
export function oneHotLabel(label: number, classes: number, { smoothing = 0 } = {}): FloatImage {
  if (!Number.isInteger(label) || label < 0 || label >= classes)
    throw new ValueError(`oneHotLabel: labels are 0 to ${classes - 1}, got ${label}`);
  if (!(smoothing >= 0 && smoothing <= 1))
    throw new ValueError(`oneHotLabel: smoothing is 0 to 1, got ${smoothing}`);
  const out = new Float32Array(classes).fill(smoothing / classes);
  out[label] += 1 - smoothing;
  return { dtype: "float32", shape: [classes], data: out };
}
