/** Crops, flips, rotations: pure functions; the random ones draw from a key, so that an element's augmentation can be repeated. */
import { ValueError } from "../../core/errors.js";
import { WordStream } from "../../core/random.js";
import { checkImage, type Image } from "./image.js";

/** What names a stream of random numbers: e.g. [seed, position of the element]. */
export type RandomKey = readonly [number, number];

type Size = readonly [height: number, width: number];

/**
 * A part of an image.
 * @example data.crop({ dtype: "uint8", shape: [2, 2, 1], data: new Uint8Array([1, 2, 3, 4]) }, [1, 0], [1, 2]).data // [3, 4]
 * @throws ValueError if it goes past the image.
 */
export function crop(image: Image, [top, left]: readonly [number, number], [height, width]: Size): Image {
  const [h, w, channels] = checkImage(image, "crop");
  const whole = [top, left, height, width].every((n) => Number.isInteger(n));
  if (!whole || top < 0 || left < 0 || height < 1 || width < 1 || top + height > h || left + width > w)
    throw new ValueError(
      `crop: ${height} × ${width} at (${top}, ${left}) goes past the image of ${h} × ${w}`,
    );
  const out = new Uint8Array(height * width * channels);
  for (let y = 0; y < height; y++) {
    const from = ((top + y) * w + left) * channels;
    out.set(image.data.subarray(from, from + width * channels), y * width * channels);
  }
  return { dtype: "uint8", shape: [height, width, channels], data: out };
}

/**
 * The middle of an image (torchvision's CenterCrop: the odd pixel by rounding half to even).
 * @example data.centerCrop({ dtype: "uint8", shape: [1, 3, 1], data: new Uint8Array([1, 2, 3]) }, [1, 1]).data // [2]
 */
export function centerCrop(image: Image, size: Size): Image {
  const half = (n: number): number => {
    const low = Math.floor(n / 2);
    return n % 2 === 0 || low % 2 === 0 ? low : low + 1;
  };
  const [h, w] = checkImage(image, "centerCrop");
  return crop(image, [half(h - size[0]), half(w - size[1])], size);
}

/**
 * An image with `by` pixels of `fill` around it.
 * @example data.padImage({ dtype: "uint8", shape: [1, 1, 1], data: new Uint8Array([7]) }, 1).shape // [3, 3, 1]
 */
export function padImage(image: Image, by: number, fill = 0): Image {
  const [h, w, channels] = checkImage(image, "padImage");
  if (!Number.isInteger(by) || by < 0) throw new ValueError(`padImage: a whole number from 0, got ${by}`);
  const width = w + 2 * by;
  const out = new Uint8Array((h + 2 * by) * width * channels).fill(fill);
  for (let y = 0; y < h; y++)
    out.set(
      image.data.subarray(y * w * channels, (y + 1) * w * channels),
      ((y + by) * width + by) * channels,
    );
  return { dtype: "uint8", shape: [h + 2 * by, width, channels], data: out };
}

/**
 * A part of this size from anywhere, `padding` pixels of 0 put around first.
 * @example data.randomCrop({ dtype: "uint8", shape: [4, 4, 1], data: new Uint8Array(16) }, [2, 3], [7, 0]).shape // [2, 3, 1]
 * @throws ValueError if the part is larger than the image.
 */
export function randomCrop(image: Image, size: Size, key: RandomKey, { padding = 0 } = {}): Image {
  const padded = padding > 0 ? padImage(image, padding) : image;
  const [h, w] = checkImage(padded, "randomCrop");
  if (size[0] > h || size[1] > w)
    throw new ValueError(`randomCrop: ${size[0]} × ${size[1]} from an image of ${h} × ${w}`);
  const random = new WordStream(key);
  const top = random.below(h - size[0] + 1);
  return crop(padded, [top, random.below(w - size[1] + 1)], size);
}

/**
 * Left and right exchanged.
 * @example data.flipHorizontal({ dtype: "uint8", shape: [1, 3, 1], data: new Uint8Array([1, 2, 3]) }).data // [3, 2, 1]
 */
export function flipHorizontal(image: Image): Image {
  const [h, w, channels] = checkImage(image, "flipHorizontal");
  const { data, shape } = image;
  const out = new Uint8Array(data.length);
  for (let y = 0, from = 0; y < h; y++)
    for (let to = (y * w + w - 1) * channels, x = 0; x < w; x++, to -= channels)
      for (let c = 0; c < channels; c++) out[to + c] = data[from++];
  return { dtype: "uint8", shape, data: out };
}

/**
 * Top and bottom exchanged.
 * @example data.flipVertical({ dtype: "uint8", shape: [3, 1, 1], data: new Uint8Array([1, 2, 3]) }).data // [3, 2, 1]
 */
export function flipVertical(image: Image): Image {
  const [h, w, channels] = checkImage(image, "flipVertical");
  const row = w * channels;
  const out = new Uint8Array(image.data.length);
  for (let y = 0; y < h; y++) out.set(image.data.subarray(y * row, (y + 1) * row), (h - 1 - y) * row);
  return { dtype: "uint8", shape: image.shape, data: out };
}

/** Uniform in [0, 1). */
const uniform = (random: WordStream): number => random.next() / 2 ** 32;

/**
 * `flipHorizontal` with this probability.
 * @example data.randomHorizontalFlip({ dtype: "uint8", shape: [1, 2, 1], data: new Uint8Array([1, 2]) }, [7, 0], 1).data // [2, 1]
 */
export function randomHorizontalFlip(image: Image, key: RandomKey, probability = 0.5): Image {
  return uniform(new WordStream(key)) < probability ? flipHorizontal(image) : image;
}

/**
 * `flipVertical` with this probability.
 * @example data.randomVerticalFlip({ dtype: "uint8", shape: [2, 1, 1], data: new Uint8Array([1, 2]) }, [7, 0], 0).data // [1, 2]
 */
export function randomVerticalFlip(image: Image, key: RandomKey, probability = 0.5): Image {
  return uniform(new WordStream(key)) < probability ? flipVertical(image) : image;
}

export interface RotateOptions {
  /** Default "nearest". */
  readonly interpolation?: "nearest" | "bilinear";
  /** Value of pixels that come from outside. Default 0. */
  readonly fill?: number;
}

/**
 * Turned about its centre by degrees, counter-clockwise, in a frame of the same size (Pillow's `Image.rotate`).
 * @example data.rotate({ dtype: "uint8", shape: [2, 2, 1], data: new Uint8Array([1, 2, 3, 4]) }, 90).data // [2, 4, 1, 3]
 */
export function rotate(
  image: Image,
  degrees: number,
  { interpolation = "nearest", fill = 0 }: RotateOptions = {},
): Image {
  const [h, w, channels] = checkImage(image, "rotate");
  if (!Number.isFinite(degrees)) throw new ValueError(`rotate: degrees are a number, got ${degrees}`);
  const angle = (-(((degrees % 360) + 360) % 360) * Math.PI) / 180;
  const round = (x: number): number => Number(x.toFixed(15)); // else 90° would not be quite straight
  const [cos, sin] = [round(Math.cos(angle)), round(Math.sin(angle))];
  const [cx, cy] = [w / 2, h / 2];
  const { data } = image;
  const out = new Uint8Array(data.length).fill(fill);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < w; x++) {
      // where the pixel's centre comes from
      const fromX = cos * (x + 0.5 - cx) + sin * (y + 0.5 - cy) + cx;
      const fromY = -sin * (x + 0.5 - cx) + cos * (y + 0.5 - cy) + cy;
      if (fromX < 0 || fromX >= w || fromY < 0 || fromY >= h) continue;
      const to = (y * w + x) * channels;
      if (interpolation === "nearest") {
        const from = (Math.floor(fromY) * w + Math.floor(fromX)) * channels;
        for (let c = 0; c < channels; c++) out[to + c] = data[from + c];
      } else between(data, [h, w, channels], fromX - 0.5, fromY - 0.5, out, to);
    }
  return { dtype: "uint8", shape: image.shape, data: out };
}

/** Bilinear between the four neighbours, those of the border standing for what is outside; rounded down, as Pillow does. */
function between(
  data: Uint8Array,
  [h, w, channels]: readonly [number, number, number],
  x: number,
  y: number,
  out: Uint8Array,
  to: number,
): void {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [dx, dy] = [x - left, y - top];
  const column = (i: number): number => Math.min(Math.max(i, 0), w - 1) * channels;
  const row = (i: number): number => Math.min(Math.max(i, 0), h - 1) * w * channels;
  const [x0, x1, y0, y1] = [column(left), column(left + 1), row(top), row(top + 1)];
  for (let c = 0; c < channels; c++) {
    const above = data[y0 + x0 + c] + (data[y0 + x1 + c] - data[y0 + x0 + c]) * dx;
    const below = data[y1 + x0 + c] + (data[y1 + x1 + c] - data[y1 + x0 + c]) * dx;
    out[to + c] = above + (below - above) * dy;
  }
}

/**
 * `rotate` by an angle drawn evenly from this range of degrees.
 * @example data.randomRotation({ dtype: "uint8", shape: [1, 1, 1], data: new Uint8Array([5]) }, [0, 15], [7, 0]).data // [5]
 */
export function randomRotation(
  image: Image,
  [least, most]: readonly [number, number],
  key: RandomKey,
  options: RotateOptions = {},
): Image {
  return rotate(image, least + (most - least) * uniform(new WordStream(key)), options);
}
