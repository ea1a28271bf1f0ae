/** A point from two rays: the middle of their shortest connection (Hartley & Sturm 1997 compare it with others). */
import type { Matches } from "./essential.js";

export interface Triangulated {
  /** In the first view's frame. */
  readonly point: readonly [x: number, y: number, z: number];
  /** Along the rays' z, in both views. */
  readonly depth1: number;
  readonly depth2: number;
  /** Angle between the rays, radians: how well the depth is determined. */
  readonly parallax: number;
}

/**
 * @param rotation,translation bring points of the first view's frame into the second's
 * @returns `null` if the rays are parallel
 * @example robotics.perceive.triangulate({ first: [0, 0], second: [-0.5, 0] }, 0, [1, 0, 0, 0, 1, 0, 0, 0, 1], [-1, 0, 0])?.point // [0, 0, 2]
 */
export function triangulate(
  { first, second }: Matches,
  i: number,
  rotation: ArrayLike<number>,
  translation: ArrayLike<number>,
): Triangulated | null {
  const a = [first[2 * i], first[2 * i + 1], 1];
  const r = rotation;
  const [x, y] = [second[2 * i], second[2 * i + 1]];
  // the second ray and camera in the first frame
  const b = [r[0] * x + r[3] * y + r[6], r[1] * x + r[4] * y + r[7], r[2] * x + r[5] * y + r[8]];
  const c = [0, 1, 2].map(
    (k) => -(r[k] * translation[0] + r[3 + k] * translation[1] + r[6 + k] * translation[2]),
  );
  const dot = (p: readonly number[], q: readonly number[]): number => p[0] * q[0] + p[1] * q[1] + p[2] * q[2];
  const [aa, ab, bb, ac, bc] = [dot(a, a), dot(a, b), dot(b, b), dot(a, c), dot(b, c)];
  const determinant = aa * bb - ab * ab;
  if (!(determinant > 1e-14 * aa * bb)) return null;
  const s = (ac * bb - bc * ab) / determinant;
  const t = (ac * ab - bc * aa) / determinant;
  const [px, py, pz] = [0, 1, 2].map((k) => (s * a[k] + c[k] + t * b[k]) / 2);
  const depth2 = r[6] * px + r[7] * py + r[8] * pz + translation[2];
  return {
    point: [px, py, pz],
    depth1: Math.min(pz, s),
    depth2: Math.min(depth2, t),
    parallax: Math.acos(Math.min(1, Math.abs(ab) / Math.sqrt(aa * bb))),
  };
}
