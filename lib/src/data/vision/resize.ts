/**
 * Resizing by separable filters whose support grows with the reduction, so that nothing aliases: the arithmetic of Pillow's
 * Resample.c (8 bits, 22 bits of fraction); equal to the bit where both take their passes in the same order. torchvision's Resize on PIL images is the same.
 */
import { ValueError } from "../../core/errors.js";
import { byShorterSide, checkImage, type Image } from "./image.js";

export type Interpolation = "nearest" | "bilinear" | "bicubic";

const FILTERS: Record<
  Exclude<Interpolation, "nearest">,
  { support: number; weight: (x: number) => number }
> = {
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  bicubic: {
    support: 2,
    weight(x) {
      const a = -0.5;
      const t = Math.abs(x);
      if (t < 1) return ((a + 2) * t - (a + 3)) * t * t + 1;
      return t < 2 ? (((t - 5) * t + 8) * t - 4) * a : 0;
    },
  },
};

const FRACTION = 22; // bits

interface Taps {
  /** First input position of each output, how many follow, and their weights in fixed point. */
  readonly from: Int32Array;
  readonly count: Int32Array;
  readonly weights: Int32Array;
  readonly stride: number;
}

function taps(size: number, toSize: number, kind: Exclude<Interpolation, "nearest">): Taps {
  const { support: base, weight } = FILTERS[kind];
  const scale = size / toSize;
  const wide = Math.max(scale, 1);
  const narrow = 1 / wide; // products and their order as there, since they round
  const support = base * wide;
  const stride = Math.ceil(support) * 2 + 1;
  const out: Taps = {
    from: new Int32Array(toSize),
    count: new Int32Array(toSize),
    weights: new Int32Array(toSize * stride),
    stride,
  };
  for (let to = 0; to < toSize; to++) {
    const centre = (to + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const count = Math.min(size, Math.trunc(centre + support + 0.5)) - from;
    const raw = Array.from({ length: count }, (_, x) => weight((x + from - centre + 0.5) * narrow));
    const inverse = 1 / raw.reduce((a, b) => a + b, 0);
    out.from[to] = from;
    out.count[to] = count;
    for (const [x, w] of raw.entries())
      out.weights[to * stride + x] = Math.trunc(w * inverse * 2 ** FRACTION + (w < 0 ? -0.5 : 0.5));
  }
  return out;
}

/** Taps of the sizes that came last: the pictures of a dataset are often of few sizes. */
const remembered = new Map<string, Taps>();

function tapsFor(size: number, toSize: number, kind: Exclude<Interpolation, "nearest">): Taps {
  const key = `${size} ${toSize} ${kind}`;
  const known = remembered.get(key);
  if (known) return known;
  const made = taps(size, toSize, kind);
  if (remembered.size >= 64) remembered.clear();
  remembered.set(key, made);
  return made;
}

const HALF = 1 << (FRACTION - 1);
const byte = (sum: number): number => Math.max(0, Math.min(sum >> FRACTION, 255));

/** Along the rows. Three channels at a time have each weight read once; up to three taps, of small reductions, without a loop. */
function passAcross(
  data: Uint8Array,
  { from, count, weights, stride }: Taps,
  rows: number,
  width: number,
  channels: number,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(rows * from.length * channels);
  let to = 0;
  for (let row = 0; row < rows; row++) {
    const start = row * width * channels;
    for (let column = 0; column < from.length; column++) {
      const first = start + from[column] * channels;
      const base = column * stride;
      const end = base + count[column];
      if (channels === 3 && end - base <= 3) {
        const [w0, w1, w2] = [
          weights[base],
          end - base > 1 ? weights[base + 1] : 0,
          end - base > 2 ? weights[base + 2] : 0,
        ];
        const [second, third] = [end - base > 1 ? first + 3 : first, end - base > 2 ? first + 6 : first];
        for (let c = 0; c < 3; c++)
          out[to++] = byte(
            HALF +
              Math.imul(data[first + c], w0) +
              Math.imul(data[second + c], w1) +
              Math.imul(data[third + c], w2),
          );
        continue;
      }
      if (channels === 3) {
        let [r, g, b, at] = [HALF, HALF, HALF, first];
        for (let x = base; x < end; x++, at += 3) {
          const weight = weights[x];
          r += Math.imul(data[at], weight);
          g += Math.imul(data[at + 1], weight);
          b += Math.imul(data[at + 2], weight);
        }
        out[to++] = byte(r);
        out[to++] = byte(g);
        out[to++] = byte(b);
        continue;
      }
      for (let c = 0; c < channels; c++) {
        let [sum, at] = [HALF, first + c];
        for (let x = base; x < end; x++, at += channels) sum += Math.imul(data[at], weights[x]);
        out[to++] = byte(sum);
      }
    }
  }
  return out;
}

/** Along the columns: whole rows of `row` bytes are added up, in the order in which they lie. */
function passDown(
  data: Uint8Array,
  { from, count, weights, stride }: Taps,
  row: number,
): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(from.length * row);
  const sums = new Int32Array(row);
  for (let line = 0; line < from.length; line++) {
    if (count[line] <= 3) {
      // a weight of 0 in the place of a tap that is not there
      const [base, first] = [line * stride, from[line] * row];
      const [w0, w1, w2] = [
        weights[base],
        count[line] > 1 ? weights[base + 1] : 0,
        count[line] > 2 ? weights[base + 2] : 0,
      ];
      const [second, third] = [
        count[line] > 1 ? first + row : first,
        count[line] > 2 ? first + 2 * row : first,
      ];
      for (let k = 0, to = line * row; k < row; k++)
        out[to++] = byte(
          HALF +
            Math.imul(data[first + k], w0) +
            Math.imul(data[second + k], w1) +
            Math.imul(data[third + k], w2),
        );
      continue;
    }
    sums.fill(HALF);
    for (let x = 0; x < count[line]; x++) {
      const weight = weights[line * stride + x];
      const start = (from[line] + x) * row;
      for (let k = 0; k < row; k++) sums[k] += Math.imul(data[start + k], weight);
    }
    const to = line * row;
    for (let k = 0; k < row; k++) out[to + k] = byte(sums[k]);
  }
  return out;
}

/**
 * An image in another size. A single number is the shorter side's, the other follows (as torchvision's Resize).
 * @example data.resize({ dtype: "uint8", shape: [1, 4, 1], data: new Uint8Array([0, 100, 200, 100]) }, [1, 2]).data // [71, 143]
 * @throws ValueError if the size is none.
 */
export function resize(
  image: Image,
  size: number | readonly [height: number, width: number],
  { interpolation = "bilinear" }: { readonly interpolation?: Interpolation } = {},
): Image {
  const [height, width, channels] = checkImage(image, "resize");
  const [toHeight, toWidth] = typeof size === "number" ? byShorterSide(height, width, size) : size;
  if (
    ![toHeight, toWidth].every((n) => Number.isInteger(n) && n >= 1) ||
    toHeight * toWidth * channels > 2 ** 31
  )
    throw new ValueError(`resize: a size is two whole numbers from 1, got ${toHeight} × ${toWidth}`);
  if (interpolation === "nearest") return nearest(image, toHeight, toWidth);
  if (!Object.hasOwn(FILTERS, interpolation))
    throw new ValueError(
      `resize: interpolations are nearest, bilinear, bicubic; got ${String(interpolation)}`,
    );
  let { data } = image;
  let [rows, columns] = [height, width];
  const across = (): void => {
    if (toWidth === width) return;
    data = passAcross(data, tapsFor(width, toWidth, interpolation), rows, width, channels);
    columns = toWidth;
  };
  const down = (): void => {
    if (toHeight === height) return;
    data = passDown(data, tapsFor(height, toHeight, interpolation), columns * channels);
    rows = toHeight;
  };
  // the pass that shrinks comes first where the other one grows
  const passes = toHeight < height && toWidth > width ? [down, across] : [across, down];
  for (const one of passes) one();
  return {
    dtype: "uint8",
    shape: [toHeight, toWidth, channels],
    data: data === image.data ? data.slice() : data,
  };
}

function nearest({ data, shape }: Image, toHeight: number, toWidth: number): Image {
  const [height, width, channels] = shape;
  const out = new Uint8Array(toHeight * toWidth * channels);
  const [columns, rows] = [positions(width, toWidth), positions(height, toHeight)];
  for (let y = 0; y < toHeight; y++) {
    const row = rows[y] * width;
    for (let x = 0; x < toWidth; x++) {
      const [from, to] = [(row + columns[x]) * channels, (y * toWidth + x) * channels];
      for (let c = 0; c < channels; c++) out[to + c] = data[from + c];
    }
  }
  return { dtype: "uint8", shape: [toHeight, toWidth, channels], data: out };
}

/** Input position of each output, by repeated addition as in Pillow's Geometry.c: it rounds where a product wouldn't. */
function positions(size: number, toSize: number): Int32Array {
  const step = size / toSize;
  let at = step * 0.5;
  return Int32Array.from({ length: toSize }, () => {
    const position = Math.min(Math.floor(at), size - 1);
    at += step;
    return position;
  });
}
