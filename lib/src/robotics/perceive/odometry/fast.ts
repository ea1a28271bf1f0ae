/** FAST corners: 9 pixels in a row on a circle of 16 are all brighter, or all darker, than the middle (Rosten & Drummond 2006). */
import { ValueError } from "../../../core/errors.js";
import type { GrayImage } from "./image.js";

export interface Corner {
  /** Pixels; (0, 0) is the middle of the first. */
  readonly x: number;
  readonly y: number;
  /** Sum of what the arc's differences exceed the threshold by. */
  readonly score: number;
}

export interface FastOptions {
  /** Difference in grey levels. Default 15. */
  readonly threshold?: number;
  /** Strongest corners that are kept, spread over the image. Default 300. */
  readonly count?: number;
  /** No corner lies nearer to the border, pixels. Default 8. */
  readonly border?: number;
}

const CIRCLE: readonly (readonly [number, number])[] = [
  [0, -3],
  [1, -3],
  [2, -2],
  [3, -1],
  [3, 0],
  [3, 1],
  [2, 2],
  [1, 3],
  [0, 3],
  [-1, 3],
  [-2, 2],
  [-3, 1],
  [-3, 0],
  [-3, -1],
  [-2, -2],
  [-1, -3],
];
const ARC = 9;

/**
 * Corners, strongest first, without two beside each other.
 * @example
 * const pixels = Array.from({ length: 400 }, (_, i) => (i % 20 >= 10 && i >= 200 ? 255 : 0));
 * const [corner] = robotics.perceive.fastCorners(robotics.perceive.toGray(pixels, 20, 20));
 * Math.hypot(corner.x - 10, corner.y - 10) < 3 // true
 */
export function fastCorners(image: GrayImage, options: FastOptions = {}): Corner[] {
  const { threshold = 15, count = 300, border = 8 } = options;
  if (!(threshold > 0 && count >= 0))
    throw new ValueError(`fastCorners: a threshold above 0 wanted, got ${threshold}`);
  const { width, height, data } = image;
  const margin = Math.max(3, border);
  const offsets = CIRCLE.map(([dx, dy]) => dy * width + dx);
  const scores = new Float32Array(width * height);
  for (let y = margin; y < height - margin; y++)
    for (let x = margin; x < width - margin; x++) {
      const at = y * width + x;
      const center = data[at];
      // of four opposite pixels an arc of 9 holds at least two
      let [bright, dark] = [0, 0];
      for (let k = 0; k < 16; k += 4) {
        const d = data[at + offsets[k]] - center;
        if (d > threshold) bright++;
        else if (d < -threshold) dark++;
      }
      if (bright >= 2 || dark >= 2) scores[at] = arcScore(data, at, offsets, threshold);
    }
  const corners: Corner[] = [];
  for (let y = margin; y < height - margin; y++)
    for (let x = margin; x < width - margin; x++) {
      const at = y * width + x;
      const score = scores[at];
      if (score === 0) continue;
      let most = true;
      for (let dy = -1; dy <= 1 && most; dy++)
        for (let dx = -1; dx <= 1; dx++) {
          const other = scores[at + dy * width + dx];
          // of equals the first one wins
          if (other > score || (other === score && (dy < 0 || (dy === 0 && dx < 0)))) most = false;
        }
      if (most) corners.push({ x, y, score });
    }
  corners.sort((a, b) => b.score - a.score);
  return spread(corners, count, width, height);
}

function arcScore(data: Float32Array, at: number, offsets: readonly number[], threshold: number): number {
  let best = 0;
  for (const sign of [1, -1]) {
    let [run, sum, total] = [0, 0, 0];
    for (let k = 0; k < 16 + ARC - 1; k++) {
      const d = sign * (data[at + offsets[k & 15]] - data[at]) - threshold;
      if (d > 0) {
        run++;
        sum += d;
        if (run >= ARC) total = Math.max(total, sum);
      } else [run, sum] = [0, 0];
    }
    best = Math.max(best, total);
  }
  return best;
}

/** The strongest ones, but no more from one of 8 × 8 tiles than four times its share. */
function spread(corners: readonly Corner[], count: number, width: number, height: number): Corner[] {
  const share = Math.max(1, Math.ceil((4 * count) / 64));
  const taken = new Int32Array(64);
  const out: Corner[] = [];
  for (const corner of corners) {
    if (out.length >= count) break;
    const tile = Math.floor((8 * corner.y) / height) * 8 + Math.floor((8 * corner.x) / width);
    if (taken[tile]++ < share) out.push(corner);
  }
  return out;
}
