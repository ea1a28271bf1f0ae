/**
 * Resizing by separable filters whose support grows with the reduction, so that nothing aliases: the arithmetic of Pillow's
 * Resample.c (8 bits, 22 bits of fraction); equal to the bit where both take their passes in the same order. torchvision's Resize on PIL images is the same.
 */
import { ValueError } from "../../core/errors.js";
import { checkImage, type Image } from "./codec.js";

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

/** One pass: `lines` lines of `size` positions, each of `channels` neighbours; strides in elements. */
function pass(
  data: Uint8Array,
  { from, count, weights, stride }: Taps,
  lines: number,
  channels: number,
  step: { line: number; at: number },
  out: Uint8Array,
  outStep: { line: number; at: number },
): void {
  for (let line = 0; line < lines; line++) {
    for (let to = 0; to < from.length; to++) {
      const [first, k, base] = [from[to], count[to], to * stride];
      for (let c = 0; c < channels; c++) {
        let sum = 1 << (FRACTION - 1);
        let at = line * step.line + first * step.at + c;
        for (let x = 0; x < k; x++, at += step.at) sum += Math.imul(data[at], weights[base + x]);
        const value = sum >> FRACTION;
        out[line * outStep.line + to * outStep.at + c] = Math.min(Math.max(value, 0), 255);
      }
    }
  }
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
    const out = new Uint8Array(rows * toWidth * channels);
    const [step, outStep] = [width, toWidth].map((w) => ({ line: w * channels, at: channels }));
    pass(data, taps(width, toWidth, interpolation), rows, channels, step, out, outStep);
    [data, columns] = [out, toWidth];
  };
  const down = (): void => {
    if (toHeight === height) return;
    const row = columns * channels; // a whole row is what lies at one position
    const out = new Uint8Array(toHeight * row);
    const step = { line: 0, at: row };
    pass(data, taps(height, toHeight, interpolation), 1, row, step, out, step);
    [data, rows] = [out, toHeight];
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

function byShorterSide(height: number, width: number, size: number): [number, number] {
  return height <= width
    ? [size, Math.max(1, Math.trunc((size * width) / height))]
    : [Math.max(1, Math.trunc((size * height) / width)), size];
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
