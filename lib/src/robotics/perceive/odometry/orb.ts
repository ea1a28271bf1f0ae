/**
 * ORB: corners described by 256 comparisons of smoothed pixels, turned with the corner's orientation, and matched by Hamming
 * distance (Rublee et al. 2011; the pairs are drawn as BRIEF's, Calonder et al. 2010, not learned).
 */
import { ValueError } from "../../../core/errors.js";
import { WordStream } from "../../../core/random.js";
import { normals } from "../random.js";
import { type Corner, type FastOptions, fastCorners } from "./fast.js";
import { type GrayImage, smooth } from "./image.js";

export interface Features {
  readonly corners: readonly Corner[];
  /** Orientation of each, radians, from the middle to the brightness' centroid. */
  readonly angles: Float32Array;
  /** 8 words of 32 bits for each. */
  readonly descriptors: Uint32Array;
}

/** Half the width of the patch. */
const RADIUS = 15;

/** 256 pairs of places around the corner, Gaussian, within the circle. */
const PAIRS = (() => {
  const normal = normals(new WordStream([0x6f7262, 1]));
  const draw = (): [number, number] => {
    for (;;) {
      const [x, y] = [normal(), normal()].map((v) => (v * (2 * RADIUS + 1)) / 5);
      if (Math.hypot(x, y) <= RADIUS - 1) return [x, y];
    }
  };
  return Float32Array.from(Array.from({ length: 256 }, () => [...draw(), ...draw()]).flat());
})();

/**
 * Corners of an image with their descriptions.
 * @example
 * const image = robotics.perceive.toGray(Array.from({ length: 4096 }, (_, i) => (Math.imul(i >> 2, 40503) >> 3) & 255), 64, 64);
 * const { corners, descriptors } = robotics.perceive.orbFeatures(image);
 * descriptors.length === 8 * corners.length // true
 */
export function orbFeatures(image: GrayImage, options: FastOptions = {}): Features {
  const corners = fastCorners(image, { ...options, border: Math.max(options.border ?? 0, RADIUS + 1) });
  const { width, data } = smooth(image);
  const angles = new Float32Array(corners.length);
  const descriptors = new Uint32Array(corners.length * 8);
  corners.forEach(({ x, y }, k) => {
    let [mx, my] = [0, 0];
    for (let dy = -RADIUS; dy <= RADIUS; dy++) {
      const reach = Math.floor(Math.sqrt(RADIUS * RADIUS - dy * dy));
      for (let dx = -reach; dx <= reach; dx++) {
        const value = data[(y + dy) * width + x + dx];
        mx += dx * value;
        my += dy * value;
      }
    }
    angles[k] = Math.atan2(my, mx);
    const [c, s] = [Math.cos(angles[k]), Math.sin(angles[k])];
    const value = (px: number, py: number): number =>
      data[(y + Math.round(s * px + c * py)) * width + x + Math.round(c * px - s * py)];
    for (let bit = 0; bit < 256; bit++) {
      const at = bit * 4;
      if (value(PAIRS[at], PAIRS[at + 1]) < value(PAIRS[at + 2], PAIRS[at + 3]))
        descriptors[k * 8 + (bit >> 5)] |= 1 << (bit & 31);
    }
  });
  return { corners, angles, descriptors };
}

function hamming(a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  let sum = 0;
  for (let k = 0; k < 8; k++) {
    let x = a[i * 8 + k] ^ b[j * 8 + k];
    x -= (x >>> 1) & 0x55555555;
    x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
    sum += Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
  }
  return sum;
}

/**
 * Pairs that are each other's nearest, clearly nearer than the second nearest (Lowe's ratio).
 * @returns index in `a`, index in `b`, for each pair
 * @example
 * const image = robotics.perceive.toGray(Array.from({ length: 4096 }, (_, i) => (Math.imul(i >> 2, 40503) >> 3) & 255), 64, 64);
 * const features = robotics.perceive.orbFeatures(image);
 * robotics.perceive.matchFeatures(features, features).every(([i, j]) => i === j) // true
 */
export function matchFeatures(
  a: Features,
  b: Features,
  { maxDistance = 64, ratio = 0.8 }: { readonly maxDistance?: number; readonly ratio?: number } = {},
): [number, number][] {
  if (!(ratio > 0 && ratio <= 1))
    throw new ValueError(`matchFeatures: a ratio in (0, 1] wanted, got ${ratio}`);
  const [n, m] = [a.corners.length, b.corners.length];
  const bestOfB = new Int32Array(m).fill(-1);
  const leastOfB = new Int32Array(m).fill(257);
  const best = new Int32Array(n).fill(-1);
  for (let i = 0; i < n; i++) {
    let [least, second] = [257, 257];
    for (let j = 0; j < m; j++) {
      const d = hamming(a.descriptors, i, b.descriptors, j);
      if (d < least) [least, second, best[i]] = [d, least, j];
      else if (d < second) second = d;
      if (d < leastOfB[j]) [leastOfB[j], bestOfB[j]] = [d, i];
    }
    if (least > maxDistance || least > ratio * second) best[i] = -1;
  }
  const pairs: [number, number][] = [];
  for (let i = 0; i < n; i++) if (best[i] >= 0 && bestOfB[best[i]] === i) pairs.push([i, best[i]]);
  return pairs;
}
