/** Image transforms on plain arrays, so that they run the same on any thread. */
import { ValueError } from "../core/errors.js";

/**
 * Resizes images by bilinear interpolation, pixel centres aligned (as OpenCV and PyTorch's `align_corners=False`).
 * @param images n images of height × width, row-major
 * @returns float32, n images of `toHeight` × `toWidth`
 * @example data.resizeBilinear([0, 1], [1, 2], [1, 4]) // [0, 0.25, 0.75, 1]
 */
export function resizeBilinear(
  images: ArrayLike<number>,
  [height, width]: readonly [number, number],
  [toHeight, toWidth]: readonly [number, number],
): Float32Array {
  const count = images.length / (height * width);
  if (!Number.isInteger(count))
    throw new ValueError(`resizeBilinear: ${images.length} numbers are not images of ${height} × ${width}`);
  const rows = samples(height, toHeight);
  const columns = samples(width, toWidth);
  const out = new Float32Array(count * toHeight * toWidth);
  let next = 0;
  for (let k = 0; k < count; k++) {
    const base = k * height * width;
    for (const r of rows) {
      const [top, bottom] = [base + r.low * width, base + r.high * width];
      for (const c of columns) {
        const above = images[top + c.low] * (1 - c.part) + images[top + c.high] * c.part;
        const below = images[bottom + c.low] * (1 - c.part) + images[bottom + c.high] * c.part;
        out[next++] = above * (1 - r.part) + below * r.part;
      }
    }
  }
  return out;
}

/** For each output position: the two neighbours among `from` inputs, and how much of the second. */
function samples(from: number, to: number): { low: number; high: number; part: number }[] {
  return Array.from({ length: to }, (_, i) => {
    const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
    const low = Math.floor(at);
    return { low, high: Math.min(low + 1, from - 1), part: at - low };
  });
}

/**
 * (x·scale + shift), in place.
 * @example data.rescale(new Float32Array([0, 255]), 1 / 255, 0) // [0, 1]
 */
export function rescale(values: Float32Array, scale: number, shift: number): Float32Array {
  for (let i = 0; i < values.length; i++) values[i] = values[i] * scale + shift;
  return values;
}
