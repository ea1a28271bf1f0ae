/**
 * Tracking of points from image to image: Lucas–Kanade from coarse to fine (Bouguet 2000), kept if tracking back returns to
 * where it began (Kalal et al. 2010).
 */
import { ValueError } from "../../../core/errors.js";
import { type GrayImage, pyramid, sample } from "./image.js";

export interface KltOptions {
  /** Half the width of the window, pixels. Default 7. */
  readonly radius?: number;
  /** Default 3. */
  readonly levels?: number;
  /** Default 20. */
  readonly maxIterations?: number;
  /** Largest distance that tracking back may miss by, pixels. Default 0.5. */
  readonly backwardError?: number;
}

/**
 * Where points of one image are in the next.
 * @param points u, v of each, pixels
 * @param guess where they may be. Default where they were.
 * @returns places, and 1 for each point that was found
 * @example
 * const image = robotics.perceive.toGray(Array.from({ length: 4096 }, (_, i) => 128 + 100 * Math.sin(i / 5) * Math.cos(i / 300)), 64, 64);
 * robotics.perceive.trackPoints(image, image, [30, 30]).points // [30, 30]
 */
export function trackPoints(
  from: GrayImage | readonly GrayImage[],
  to: GrayImage | readonly GrayImage[],
  points: ArrayLike<number>,
  options: KltOptions & { readonly guess?: ArrayLike<number> } = {},
): { points: Float64Array; found: Uint8Array } {
  const { radius = 7, levels = 3, maxIterations = 20, backwardError = 0.5, guess = points } = options;
  if (guess.length !== points.length)
    throw new ValueError(`trackPoints: ${points.length / 2} points have ${guess.length / 2} guesses`);
  const a = isPyramid(from) ? from : pyramid(from, levels);
  const b = isPyramid(to) ? to : pyramid(to, levels);
  const out = Float64Array.from(guess);
  const found = new Uint8Array(points.length / 2);
  const window = new Window(radius);
  for (let i = 0; i < found.length; i++) {
    const [x, y] = [points[2 * i], points[2 * i + 1]];
    const there = window.track(a, b, x, y, out[2 * i], out[2 * i + 1], maxIterations);
    if (!there) continue;
    const back = window.track(b, a, there[0], there[1], x, y, maxIterations);
    if (!back || Math.hypot(back[0] - x, back[1] - y) > backwardError) continue;
    out[2 * i] = there[0];
    out[2 * i + 1] = there[1];
    found[i] = 1;
  }
  return { points: out, found };
}

function isPyramid(x: GrayImage | readonly GrayImage[]): x is readonly GrayImage[] {
  return Array.isArray(x);
}

/** A patch with its gradients, kept between points. */
class Window {
  private readonly values: Float64Array;
  private readonly gx: Float64Array;
  private readonly gy: Float64Array;

  constructor(private readonly radius: number) {
    const n = (2 * radius + 1) ** 2;
    this.values = new Float64Array(n);
    this.gx = new Float64Array(n);
    this.gy = new Float64Array(n);
  }

  track(
    from: readonly GrayImage[],
    to: readonly GrayImage[],
    x: number,
    y: number,
    guessX: number,
    guessY: number,
    maxIterations: number,
  ): [number, number] | null {
    const levels = Math.min(from.length, to.length);
    let [dx, dy] = [(guessX - x) / 2 ** levels, (guessY - y) / 2 ** levels];
    for (let level = levels - 1; level >= 0; level--) {
      const scale = 2 ** -level;
      dx *= 2;
      dy *= 2;
      const moved = this.align(from[level], to[level], x * scale, y * scale, dx, dy, maxIterations);
      if (!moved) return null;
      [dx, dy] = moved;
    }
    const [u, v] = [x + dx, y + dy];
    const { width, height } = to[0];
    return u >= 1 && v >= 1 && u < width - 2 && v < height - 2 ? [u, v] : null;
  }

  private align(
    from: GrayImage,
    to: GrayImage,
    x: number,
    y: number,
    dx: number,
    dy: number,
    maxIterations: number,
  ): [number, number] | null {
    const { radius, values, gx, gy } = this;
    let [xx, xy, yy] = [0, 0, 0];
    let k = 0;
    for (let j = -radius; j <= radius; j++)
      for (let i = -radius; i <= radius; i++, k++) {
        values[k] = sample(from, x + i, y + j);
        gx[k] = (sample(from, x + i + 1, y + j) - sample(from, x + i - 1, y + j)) / 2;
        gy[k] = (sample(from, x + i, y + j + 1) - sample(from, x + i, y + j - 1)) / 2;
        xx += gx[k] * gx[k];
        xy += gx[k] * gy[k];
        yy += gy[k] * gy[k];
      }
    const determinant = xx * yy - xy * xy;
    // the smaller eigenvalue per pixel: without texture both ways nothing can be tracked
    const least = (xx + yy - Math.hypot(xx - yy, 2 * xy)) / 2 / k;
    if (!(least > 0.5)) return null;
    for (let iteration = 0; iteration < maxIterations; iteration++) {
      let [bx, by] = [0, 0];
      k = 0;
      for (let j = -radius; j <= radius; j++)
        for (let i = -radius; i <= radius; i++, k++) {
          const difference = values[k] - sample(to, x + dx + i, y + dy + j);
          bx += difference * gx[k];
          by += difference * gy[k];
        }
      const [sx, sy] = [(yy * bx - xy * by) / determinant, (xx * by - xy * bx) / determinant];
      dx += sx;
      dy += sy;
      if (!(Math.abs(dx) + Math.abs(dy) < from.width + from.height)) return null;
      if (Math.hypot(sx, sy) < 0.01) break;
    }
    return [dx, dy];
  }
}
