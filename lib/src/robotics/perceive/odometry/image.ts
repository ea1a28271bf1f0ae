/** Grey images of floating point, their pyramids and gradients: what feature detection and tracking work on. */
import { ShapeError } from "../../../core/errors.js";

export interface GrayImage {
  readonly width: number;
  readonly height: number;
  /** Row-major, 0 … 255. */
  readonly data: Float32Array;
}

/**
 * A grey image of bytes: one channel as it is, of three or four channels the luma of ITU-R BT.601.
 * @param data height × width × channels, row-major
 * @throws ShapeError if the number of bytes is not that of 1, 3 or 4 channels.
 * @example robotics.perceive.toGray([255, 0, 0], 1, 1).data // [76.245]
 */
export function toGray(data: ArrayLike<number>, width: number, height: number): GrayImage {
  const channels = data.length / (width * height);
  if (![1, 3, 4].includes(channels))
    throw new ShapeError(
      `toGray: ${width} × ${height} pixels of 1, 3 or 4 channels wanted, got ${data.length} values`,
    );
  const out = new Float32Array(width * height);
  for (let i = 0; i < out.length; i++)
    out[i] =
      channels === 1
        ? data[i]
        : 0.299 * data[i * channels] + 0.587 * data[i * channels + 1] + 0.114 * data[i * channels + 2];
  return { width, height, data: out };
}

/** Value between pixels, bilinear; the border continues outside. */
export function sample({ width, height, data }: GrayImage, x: number, y: number): number {
  const cx = Math.min(Math.max(x, 0), width - 1.001);
  const cy = Math.min(Math.max(y, 0), height - 1.001);
  const [i, j] = [Math.floor(cx), Math.floor(cy)];
  const [a, b] = [cx - i, cy - j];
  const at = j * width + i;
  return (
    (1 - b) * ((1 - a) * data[at] + a * data[at + 1]) +
    b * ((1 - a) * data[at + width] + a * data[at + width + 1])
  );
}

/** Smoothed by the binomial filter (1 4 6 4 1)/16 both ways. */
export function smooth({ width, height, data }: GrayImage): GrayImage {
  const across = new Float32Array(data.length);
  const out = new Float32Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const row = y * width;
      const [a, b, c, d] = [
        Math.max(0, x - 2),
        Math.max(0, x - 1),
        Math.min(width - 1, x + 1),
        Math.min(width - 1, x + 2),
      ];
      across[row + x] =
        (data[row + a] + data[row + d] + 4 * (data[row + b] + data[row + c]) + 6 * data[row + x]) / 16;
    }
  for (let y = 0; y < height; y++) {
    const [a, b, c, d] = [
      Math.max(0, y - 2),
      Math.max(0, y - 1),
      Math.min(height - 1, y + 1),
      Math.min(height - 1, y + 2),
    ].map((r) => r * width);
    for (let x = 0; x < width; x++)
      out[y * width + x] =
        (across[a + x] + across[d + x] + 4 * (across[b + x] + across[c + x]) + 6 * across[y * width + x]) /
        16;
  }
  return { width, height, data: out };
}

/** The image and smaller ones, each half as wide and high as the one before. */
export function pyramid(image: GrayImage, levels: number): GrayImage[] {
  const out = [image];
  while (out.length < levels) {
    const { width, height, data } = smooth(out[out.length - 1]);
    const [w, h] = [width >> 1, height >> 1];
    if (w < 16 || h < 16) break;
    const small = new Float32Array(w * h);
    for (let y = 0; y < h; y++) for (let x = 0; x < w; x++) small[y * w + x] = data[2 * y * width + 2 * x];
    out.push({ width: w, height: h, data: small });
  }
  return out;
}
