/**
 * Where a camera is that sees known points: three points by Grunert's quartic (Haralick et al., "Review and analysis of
 * solutions of the three point perspective pose estimation problem", 1994), outliers by RANSAC, then least squares.
 */
import { huber, type RobustLoss } from "../../solve/loss.js";
import { SE3 } from "../../solve/manifold.js";
import { Problem } from "../../solve/problem.js";
import { minimizeSync } from "../../solve/solver.js";
import { pose3 } from "../pose-graph/factors.js";
import { type PinholeCamera, pinholeReprojection, projectPinhole, unprojectPixel } from "./camera.js";
import { type RansacOptions, ransac } from "./essential.js";
import { realRoots } from "./polynomial.js";

type Vector = readonly [number, number, number];
const minus = (a: Vector, b: Vector): Vector => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
const dot = (a: Vector, b: Vector): number => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a: Vector, b: Vector): Vector => [
  a[1] * b[2] - a[2] * b[1],
  a[2] * b[0] - a[0] * b[2],
  a[0] * b[1] - a[1] * b[0],
];
const unit = (a: Vector): Vector => {
  const length = Math.sqrt(dot(a, a));
  return [a[0] / length, a[1] / length, a[2] / length];
};

/**
 * Up to four poses of the camera in the world (SE3) from which three points are seen along three rays.
 * @param rays in the camera's frame, of any length
 * @example
 * const points = [[0, 0, 4], [1, 0, 4], [0, 1, 5]] as const;
 * robotics.perceive.threePointPose(points, points).length > 0 // true
 */
export function threePointPose(points: readonly Vector[], rays: readonly Vector[]): Float64Array[] {
  const f = rays.map(unit);
  const [p1, p2, p3] = points;
  const square = (v: Vector): number => dot(v, v);
  const [a2, b2, c2] = [square(minus(p2, p3)), square(minus(p1, p3)), square(minus(p1, p2))];
  if (!(Math.min(a2, b2, c2) > 0)) return [];
  const [alpha, beta, gamma] = [dot(f[1], f[2]), dot(f[0], f[2]), dot(f[0], f[1])];
  const [k, ab, cb] = [(a2 - c2) / b2, a2 / b2, c2 / b2];
  const quartic = [
    (1 + k) ** 2 - 4 * ab * gamma ** 2,
    4 * (-k * (1 + k) * beta + 2 * ab * gamma ** 2 * beta - (1 - ab - cb) * alpha * gamma),
    2 *
      (k * k -
        1 +
        2 * k * k * beta ** 2 +
        2 * (1 - cb) * alpha ** 2 -
        4 * (ab + cb) * alpha * beta * gamma +
        2 * (1 - ab) * gamma ** 2),
    4 * (k * (1 - k) * beta - (1 - ab - cb) * alpha * gamma + 2 * cb * alpha ** 2 * beta),
    (k - 1) ** 2 - 4 * cb * alpha ** 2,
  ];
  const poses: Float64Array[] = [];
  for (const v of realRoots(quartic)) {
    const below = 2 * (gamma - v * alpha);
    const u = ((k - 1) * v * v - 2 * k * beta * v + 1 + k) / below;
    const s1 = Math.sqrt(b2 / (1 + v * v - 2 * v * beta));
    if (!(u > 0 && v > 0 && Number.isFinite(u) && Number.isFinite(s1))) continue;
    const seen = [s1, u * s1, v * s1].map((s, i): Vector => [s * f[i][0], s * f[i][1], s * f[i][2]]);
    const pose = align(seen, points);
    if (pose) poses.push(pose);
  }
  return poses;
}

/** The motion that brings three points onto three others, of the same triangle. */
function align(from: readonly Vector[], to: readonly Vector[]): Float64Array | null {
  const frame = ([a, b, c]: readonly Vector[]): readonly Vector[] => {
    const x = unit(minus(b, a));
    const z = unit(cross(x, minus(c, a)));
    return [x, cross(z, x), z];
  };
  const [f, t] = [frame(from), frame(to)];
  const rotation = new Float64Array(9);
  for (let i = 0; i < 3; i++)
    for (let j = 0; j < 3; j++) for (let k = 0; k < 3; k++) rotation[i * 3 + j] += t[k][i] * f[k][j];
  if (!rotation.every(Number.isFinite)) return null;
  const [x, y, z] = from[0];
  const translation = [0, 1, 2].map(
    (i) => to[0][i] - rotation[i * 3] * x - rotation[i * 3 + 1] * y - rotation[i * 3 + 2] * z,
  );
  return pose3(rotation, translation);
}

const scratch = new Float64Array(3);

/** Squared distance in pixels between where a camera sees a point and where it should; ∞ behind it. */
export function reprojectionError(
  camera: PinholeCamera,
  pose: Float64Array,
  points: ArrayLike<number>,
  pixels: ArrayLike<number>,
  i: number,
): number {
  toCamera(pose, points, i, scratch);
  if (!(scratch[2] > 1e-6)) return Number.POSITIVE_INFINITY;
  const [u, v] = projectPinhole(camera, scratch[0], scratch[1], scratch[2]);
  return (u - pixels[2 * i]) ** 2 + (v - pixels[2 * i + 1]) ** 2;
}

/** out ← point i in the frame of a camera at `pose`. */
export function toCamera(pose: Float64Array, points: ArrayLike<number>, i: number, out: Float64Array): void {
  const [x, y, z, w] = [pose[3], pose[4], pose[5], pose[6]];
  const [dx, dy, dz] = [points[3 * i] - pose[0], points[3 * i + 1] - pose[1], points[3 * i + 2] - pose[2]];
  // v' = v + 2q×(q×v + w·v) with q turned back
  const [tx, ty, tz] = [2 * (z * dy - y * dz), 2 * (x * dz - z * dx), 2 * (y * dx - x * dy)];
  out[0] = dx + w * tx - (y * tz - z * ty);
  out[1] = dy + w * ty - (z * tx - x * tz);
  out[2] = dz + w * tz - (x * ty - y * tx);
}

export interface PnpResult {
  /** The camera's pose in the world, SE3: x, y, z and quaternion (x, y, z, w). */
  readonly pose: Float64Array;
  readonly inliers: Int32Array;
}

/**
 * The pose of a camera that sees known points, some of them wrongly matched.
 * @param points x, y, z of each; `pixels` u, v of each
 * @param options.threshold pixels. `guess`: a pose nearby; RANSAC is left out if it explains half of the points.
 * @returns `null` if fewer than 4 points agree on a pose
 * @example
 * const points = [0, 0, 4, 1, 0, 4, 0, 1, 5, 1, 1, 4, -1, 0, 5, 0, -1, 6];
 * const camera = { fx: 100, fy: 100, cx: 0, cy: 0 };
 * const pixels = Array.from({ length: 6 }, (_, i) => robotics.perceive.projectPinhole(camera, points[3 * i], points[3 * i + 1], points[3 * i + 2])).flat();
 * robotics.perceive.solvePnp(camera, points, pixels, { threshold: 1 })?.inliers.length // 6
 */
export function solvePnp(
  camera: PinholeCamera,
  points: ArrayLike<number>,
  pixels: ArrayLike<number>,
  options: RansacOptions & { readonly guess?: Float64Array },
): PnpResult | null {
  const count = pixels.length / 2;
  const { threshold, guess } = options;
  const inliersOf = (pose: Float64Array, limit: number): Int32Array =>
    Int32Array.from({ length: count }, (_, i) => i).filter(
      (i) => reprojectionError(camera, pose, points, pixels, i) < limit * limit,
    );
  let pose: Float64Array | null = null;
  if (guess) {
    const near = inliersOf(guess, 8 * threshold);
    if (near.length >= Math.max(6, count / 2)) {
      pose = refinePose(camera, guess, points, pixels, near, huber(threshold));
      if (inliersOf(pose, threshold).length < count / 2) pose = null;
    }
  }
  if (!pose) {
    const point = (i: number): Vector => [points[3 * i], points[3 * i + 1], points[3 * i + 2]];
    const ray = (i: number): Vector => [...unprojectPixel(camera, pixels[2 * i], pixels[2 * i + 1]), 1];
    const found = ransac(
      count,
      3,
      (sample) => threePointPose(Array.from(sample, point), Array.from(sample, ray)),
      (model, i) => reprojectionError(camera, model, points, pixels, i),
      options,
    );
    if (!found || found.inliers.length < 4) return null;
    pose = refinePose(camera, found.model, points, pixels, found.inliers);
  }
  const inliers = inliersOf(pose, threshold);
  if (inliers.length < 4) return null;
  return { pose: refinePose(camera, pose, points, pixels, inliers), inliers };
}

/** Least squares over the pose alone. */
export function refinePose(
  camera: PinholeCamera,
  pose: Float64Array,
  points: ArrayLike<number>,
  pixels: ArrayLike<number>,
  used: Int32Array,
  loss: RobustLoss | null = null,
): Float64Array {
  const problem = new Problem();
  const poses = problem.addParameters("pose", pose, { manifold: SE3 });
  const known = problem.addParameters(
    "points",
    Array.from(used, (i) => [points[3 * i], points[3 * i + 1], points[3 * i + 2]]).flat(),
    { size: 3, constant: true },
  );
  problem.addResiduals(
    pinholeReprojection(camera),
    [
      [poses, new Int32Array(used.length)],
      [known, used.map((_, k) => k)],
    ],
    Array.from(used, (i) => [pixels[2 * i], pixels[2 * i + 1]]).flat(),
    { loss },
  );
  minimizeSync(problem, { maxIterations: 15 });
  return poses.values;
}
