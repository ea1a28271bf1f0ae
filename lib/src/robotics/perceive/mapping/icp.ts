/**
 * Scan matching: the motion between two scans, by iterated closest points with distances to lines (Censi, "An ICP variant
 * using a point-to-line metric", 2008; robust weights and trimming as in libpointmatcher).
 */
import { ValueError } from "../../../core/errors.js";
import { wrapAngle } from "../../solve/manifold.js";
import { cholesky, choleskySolve } from "../dense.js";
import type { Pose2 } from "../filter/motion.js";

export interface ScanMatchOptions {
  /** Default the identity. */
  readonly guess?: Pose2;
  /** Pairs farther apart are left out, metres. Default 0.5; it shrinks to a fifth as the match settles. */
  readonly maxDistance?: number;
  /** Default 40. */
  readonly maxIterations?: number;
  /** Standard deviation of a range, metres, from which the covariance follows. Default 0.02. */
  readonly deviation?: number;
}

export interface ScanMatch {
  /** The second scan's pose as the first sees it. */
  readonly pose: Pose2;
  /** Root of the mean squared distance to lines, metres. */
  readonly rms: number;
  /** Part of the second scan's points that have a partner. */
  readonly overlap: number;
  /** Inverse of the covariance of a step (forward, left, turn) of the pose, 3 × 3. */
  readonly information: Float64Array;
  readonly iterations: number;
  readonly converged: boolean;
}

/** A scan as points with normals, searched through a grid of cells. */
export class PointCloud {
  readonly normals: Float64Array;
  private readonly cells = new Map<number, number[]>();

  /**
   * @param points x, y, x, y, …
   * @param cell metres; neighbours within it make a normal
   */
  constructor(
    readonly points: Float64Array,
    private readonly cell = 0.25,
  ) {
    const n = points.length / 2;
    for (let i = 0; i < n; i++) {
      const key = this.key(points[2 * i], points[2 * i + 1]);
      const list = this.cells.get(key);
      if (list) list.push(i);
      else this.cells.set(key, [i]);
    }
    this.normals = new Float64Array(points.length);
    for (let i = 0; i < n; i++) this.setNormal(i);
  }

  get count(): number {
    return this.points.length / 2;
  }

  private key(x: number, y: number): number {
    return (Math.floor(x / this.cell) + 32768) * 65536 + Math.floor(y / this.cell) + 32768;
  }

  /** Indices within a distance of a place. */
  private near(x: number, y: number, radius: number, visit: (i: number, square: number) => void): void {
    const reach = Math.ceil(radius / this.cell);
    const limit = radius * radius;
    const center = this.key(x, y);
    for (let a = -reach; a <= reach; a++)
      for (let b = -reach; b <= reach; b++)
        for (const i of this.cells.get(center + a * 65536 + b) ?? []) {
          const square = (this.points[2 * i] - x) ** 2 + (this.points[2 * i + 1] - y) ** 2;
          if (square <= limit) visit(i, square);
        }
  }

  /** The nearest point within a distance that has a normal, or −1. */
  nearest(x: number, y: number, radius: number): number {
    let [best, least] = [-1, Number.POSITIVE_INFINITY];
    this.near(x, y, radius, (i, square) => {
      if (square < least && (this.normals[2 * i] !== 0 || this.normals[2 * i + 1] !== 0))
        [best, least] = [i, square];
    });
    return best;
  }

  /** Across the line through a point's neighbourhood; zero where there is no line (a corner, a lone point). */
  private setNormal(i: number): void {
    const [x, y] = [this.points[2 * i], this.points[2 * i + 1]];
    let [n, sx, sy, xx, xy, yy] = [0, 0, 0, 0, 0, 0];
    this.near(x, y, this.cell, (k) => {
      const [dx, dy] = [this.points[2 * k] - x, this.points[2 * k + 1] - y];
      n++;
      sx += dx;
      sy += dy;
      xx += dx * dx;
      xy += dx * dy;
      yy += dy * dy;
    });
    if (n < 3) return;
    const [a, b, c] = [xx / n - (sx / n) ** 2, xy / n - (sx * sy) / (n * n), yy / n - (sy / n) ** 2];
    const half = Math.hypot((a - c) / 2, b);
    const [small, large] = [(a + c) / 2 - half, (a + c) / 2 + half];
    if (!(small < 0.1 * large)) return;
    const angle = 0.5 * Math.atan2(2 * b, a - c) + Math.PI / 2;
    this.normals[2 * i] = Math.cos(angle);
    this.normals[2 * i + 1] = Math.sin(angle);
  }
}

/**
 * The pose from which the second scan's points fall on the first's lines.
 * @throws ValueError if a scan has less than 3 points.
 * @example
 * const corner = Float64Array.from({ length: 160 }, (_, i) => (i < 80 ? (i % 2 ? 2 : i / 40) : i % 2 ? (i - 80) / 40 : 2));
 * const cloud = new robotics.perceive.PointCloud(corner);
 * robotics.perceive.matchScans(cloud, cloud, { guess: { x: 0.05, y: 0, theta: 0 } }).rms < 0.02 // true
 */
export function matchScans(first: PointCloud, second: PointCloud, options: ScanMatchOptions = {}): ScanMatch {
  const {
    guess = { x: 0, y: 0, theta: 0 },
    maxDistance = 0.5,
    maxIterations = 40,
    deviation = 0.02,
  } = options;
  if (first.count < 3 || second.count < 3)
    throw new ValueError(
      `matchScans: scans of at least 3 points wanted, got ${first.count} and ${second.count}`,
    );
  let { x, y, theta } = guess;
  let gate = maxDistance;
  let converged = false;
  let iterations = 0;
  let h = new Float64Array(9);
  let [rms, overlap] = [Number.POSITIVE_INFINITY, 0];
  while (iterations < maxIterations && !converged) {
    iterations++;
    const found = normalEquations(first, second, x, y, theta, gate);
    ({ h, rms } = found);
    overlap = found.pairs / second.count;
    // a corridor leaves its direction open: there the step stays 0
    const scale = Math.max(h[0], h[4], h[8], 1e-9);
    const damped = h.slice();
    for (let i = 0; i < 3; i++) damped[i * 4] += 1e-9 * scale;
    const factor = found.pairs >= 3 ? cholesky(damped, 3) : null;
    if (!factor) break;
    const step = found.g.map((v) => -v);
    choleskySolve(factor, 3, step);
    const [c, s] = [Math.cos(theta), Math.sin(theta)];
    x += c * step[0] - s * step[1];
    y += s * step[0] + c * step[1];
    theta = wrapAngle(theta + step[2]);
    const small = Math.hypot(step[0], step[1]) < 1e-5 && Math.abs(step[2]) < 1e-5;
    const settled = Math.hypot(step[0], step[1]) < 0.02 && Math.abs(step[2]) < 0.02;
    if (settled && gate > maxDistance / 5) gate = Math.max(maxDistance / 5, gate / 2);
    else converged = small;
  }
  const information = h.map((v) => v / deviation ** 2);
  for (let i = 0; i < 3; i++) information[i * 4] += 1e-6;
  return { pose: { x, y, theta }, rms, overlap, information, iterations, converged };
}

/** JᵀWJ and JᵀWr of all pairs by a step (forward, left, turn), with Huber's weights at a tenth of the gate. */
function normalEquations(
  first: PointCloud,
  second: PointCloud,
  x: number,
  y: number,
  theta: number,
  gate: number,
): { h: Float64Array<ArrayBuffer>; g: Float64Array; rms: number; pairs: number } {
  const [c, s] = [Math.cos(theta), Math.sin(theta)];
  const h = new Float64Array(9);
  const g = new Float64Array(3);
  let [pairs, squares] = [0, 0];
  const { points } = second;
  for (let i = 0; i < points.length; i += 2) {
    const [px, py] = [points[i], points[i + 1]];
    const [qx, qy] = [x + c * px - s * py, y + s * px + c * py];
    const k = first.nearest(qx, qy, gate);
    if (k < 0) continue;
    const [nx, ny] = [first.normals[2 * k], first.normals[2 * k + 1]];
    const r = nx * (qx - first.points[2 * k]) + ny * (qy - first.points[2 * k + 1]);
    const weight = Math.min(1, (0.1 * gate) / Math.max(Math.abs(r), 1e-12));
    const [a, b] = [nx * c + ny * s, -nx * s + ny * c];
    const j = [a, b, b * px - a * py];
    for (let u = 0; u < 3; u++) {
      g[u] += weight * j[u] * r;
      for (let v = 0; v < 3; v++) h[u * 3 + v] += weight * j[u] * j[v];
    }
    squares += r * r;
    pairs++;
  }
  return { h, g, rms: pairs > 0 ? Math.sqrt(squares / pairs) : Number.POSITIVE_INFINITY, pairs };
}
