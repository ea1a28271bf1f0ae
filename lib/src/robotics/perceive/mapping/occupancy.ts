/**
 * Occupancy grids: for each cell the log-odds that something is there, from scans at known poses. (Elfes 1989; Probabilistic
 * Robotics, ch. 9. Rays cross cells exactly: Amanatides & Woo, "A fast voxel traversal algorithm for ray tracing", 1987.)
 */
import { ShapeError, ValueError } from "../../../core/errors.js";
import { compose2, type Pose2 } from "../filter/motion.js";
import type { LaserScan } from "./scan.js";

export interface OccupancyOptions {
  /** Cells along x and y. */
  readonly width: number;
  readonly height: number;
  /** Metres to a cell. Default 0.1. */
  readonly resolution?: number;
  /** Place of the lower left corner of cell (0, 0), metres. Default (0, 0). */
  readonly origin?: readonly [x: number, y: number];
  /** Probability that a cell is occupied if a ray ends there, and if one passes. Default 0.7 and 0.4. */
  readonly hit?: number;
  readonly miss?: number;
  /** Log-odds stay within ± this, so that a map can change its mind. Default 8. */
  readonly limit?: number;
}

export class OccupancyGrid {
  readonly width: number;
  readonly height: number;
  readonly resolution: number;
  readonly origin: readonly [number, number];
  /** Row-major from the lower left, as nav_msgs/OccupancyGrid; 0 is unknown, positive occupied. */
  readonly logOdds: Float32Array;
  private readonly hit: number;
  private readonly miss: number;
  private readonly limit: number;

  /** @throws ValueError for sizes or probabilities that make no grid. */
  constructor(options: OccupancyOptions) {
    const { width, height, resolution = 0.1, origin = [0, 0], hit = 0.7, miss = 0.4, limit = 8 } = options;
    if (!(Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0 && resolution > 0))
      throw new ValueError(
        `OccupancyGrid: whole numbers of cells and a resolution above 0 wanted, got ${width} × ${height} of ${resolution} m`,
      );
    if (!(hit > 0.5 && hit < 1 && miss > 0 && miss < 0.5))
      throw new ValueError(`OccupancyGrid: 0 < miss < 0.5 < hit < 1 wanted, got miss ${miss}, hit ${hit}`);
    this.width = width;
    this.height = height;
    this.resolution = resolution;
    this.origin = origin;
    this.logOdds = new Float32Array(width * height);
    this.hit = Math.log(hit / (1 - hit));
    this.miss = Math.log(miss / (1 - miss));
    this.limit = limit;
  }

  /** A known map: `occupied` per cell, row-major from the lower left. Free cells are surely free. */
  static of(occupied: ArrayLike<boolean | number>, options: OccupancyOptions): OccupancyGrid {
    const grid = new OccupancyGrid(options);
    if (occupied.length !== grid.logOdds.length)
      throw new ShapeError(
        `OccupancyGrid.of: ${grid.width} × ${grid.height} cells wanted, got ${occupied.length}`,
      );
    for (let i = 0; i < occupied.length; i++) grid.logOdds[i] = occupied[i] ? grid.limit : -grid.limit;
    return grid;
  }

  /** Cell of a place in metres, or −1 outside. */
  cellAt(x: number, y: number): number {
    const i = Math.floor((x - this.origin[0]) / this.resolution);
    const j = Math.floor((y - this.origin[1]) / this.resolution);
    return i >= 0 && i < this.width && j >= 0 && j < this.height ? j * this.width + i : -1;
  }

  /** Probability that a cell is occupied; 0.5 is unknown. */
  probability(cell: number): number {
    return 1 / (1 + Math.exp(-this.logOdds[cell]));
  }

  isOccupied(cell: number): boolean {
    return this.logOdds[cell] > 0;
  }

  /**
   * Takes in a scan made at a pose. Each cell changes once for each scan: a cell that one ray hits and another passes is hit.
   * @param mount where the scanner is on the robot. Default at its middle.
   */
  update(pose: Pose2, scan: LaserScan, mount: Pose2 = { x: 0, y: 0, theta: 0 }): void {
    const { x, y, theta } = compose2(pose, mount);
    const passed = new Set<number>();
    const ended = new Set<number>();
    for (let i = 0; i < scan.ranges.length; i++) {
      const range = scan.ranges[i];
      if (Number.isNaN(range) || range < scan.rangeMin) continue; // no measurement, or nearer than the scanner sees
      const angle = theta + scan.angleMin + i * scan.angleIncrement;
      const length = Math.min(range, scan.rangeMax);
      const [ex, ey] = [x + length * Math.cos(angle), y + length * Math.sin(angle)];
      const last = range < scan.rangeMax ? this.cellAt(ex, ey) : -1;
      this.traverse(x, y, ex, ey, (cell) => {
        if (cell !== last) passed.add(cell);
        return true;
      });
      if (last >= 0) ended.add(last);
    }
    for (const cell of passed) if (!ended.has(cell)) this.add(cell, this.miss);
    for (const cell of ended) this.add(cell, this.hit);
  }

  private add(cell: number, change: number): void {
    this.logOdds[cell] = Math.max(-this.limit, Math.min(this.limit, this.logOdds[cell] + change));
  }

  /** Calls `visit` with each cell that the segment crosses, in order, until it returns false. Cells outside are left out. */
  traverse(x0: number, y0: number, x1: number, y1: number, visit: (cell: number) => boolean): void {
    const { resolution, width, height, origin } = this;
    const [ax, ay] = [(x0 - origin[0]) / resolution, (y0 - origin[1]) / resolution];
    const [bx, by] = [(x1 - origin[0]) / resolution, (y1 - origin[1]) / resolution];
    let [i, j] = [Math.floor(ax), Math.floor(ay)];
    const [lastI, lastJ] = [Math.floor(bx), Math.floor(by)];
    const [dx, dy] = [bx - ax, by - ay];
    const [stepX, stepY] = [dx > 0 ? 1 : -1, dy > 0 ? 1 : -1];
    const [deltaX, deltaY] = [Math.abs(1 / dx), Math.abs(1 / dy)];
    let nextX = dx === 0 ? Number.POSITIVE_INFINITY : (dx > 0 ? i + 1 - ax : ax - i) * deltaX;
    let nextY = dy === 0 ? Number.POSITIVE_INFINITY : (dy > 0 ? j + 1 - ay : ay - j) * deltaY;
    const steps = Math.abs(lastI - i) + Math.abs(lastJ - j);
    for (let k = 0; k <= steps; k++) {
      if (i >= 0 && i < width && j >= 0 && j < height && !visit(j * width + i)) return;
      if (nextX < nextY) {
        i += stepX;
        nextX += deltaX;
      } else {
        j += stepY;
        nextY += deltaY;
      }
    }
  }

  /** Metres from a place to the first occupied cell that a ray enters, `maxRange` if there is none. */
  raycast(x: number, y: number, angle: number, maxRange: number): number {
    const [c, s] = [Math.cos(angle), Math.sin(angle)];
    let found = maxRange;
    this.traverse(x, y, x + maxRange * c, y + maxRange * s, (cell) => {
      if (this.logOdds[cell] <= 0) return true;
      found = Math.min(maxRange, this.entry(cell, x, y, c, s));
      return false;
    });
    return found;
  }

  /** Distance along a ray to the border of a cell. */
  private entry(cell: number, x: number, y: number, c: number, s: number): number {
    const { resolution, width, origin } = this;
    const left = origin[0] + (cell % width) * resolution;
    const bottom = origin[1] + Math.floor(cell / width) * resolution;
    const byX = c > 0 ? (left - x) / c : c < 0 ? (left + resolution - x) / c : Number.NEGATIVE_INFINITY;
    const byY = s > 0 ? (bottom - y) / s : s < 0 ? (bottom + resolution - y) / s : Number.NEGATIVE_INFINITY;
    return Math.max(0, byX, byY);
  }

  /** What nav_msgs/OccupancyGrid holds: 0 … 100, −1 where nothing is known. */
  toMessageData(): Int8Array {
    return Int8Array.from(this.logOdds, (l) => (l === 0 ? -1 : Math.round(100 / (1 + Math.exp(-l)))));
  }

  /** Metres from each cell's middle to the nearest occupied cell's; ∞ if there is none. */
  distances(): Float64Array {
    return distanceTransform(this.logOdds, this.width, this.height).map(
      (d) => Math.sqrt(d) * this.resolution,
    );
  }
}

/** Squared distances in cells to the nearest positive cell, exact (Felzenszwalb & Huttenlocher 2012). */
function distanceTransform(values: Float32Array, width: number, height: number): Float64Array {
  const out = Float64Array.from(values, (v) => (v > 0 ? 0 : Number.POSITIVE_INFINITY));
  const n = Math.max(width, height);
  const [f, v, z] = [new Float64Array(n), new Int32Array(n), new Float64Array(n + 1)];
  const pass = (start: number, stride: number, count: number): void => {
    let k = -1;
    for (let q = 0; q < count; q++) {
      f[q] = out[start + q * stride];
      if (f[q] === Number.POSITIVE_INFINITY) continue;
      let s = Number.NEGATIVE_INFINITY;
      while (k >= 0) {
        const p = v[k];
        s = (f[q] + q * q - f[p] - p * p) / (2 * (q - p));
        if (s > z[k]) break;
        k--;
      }
      k++;
      v[k] = q;
      z[k] = k === 0 ? Number.NEGATIVE_INFINITY : s;
    }
    if (k < 0) return;
    z[k + 1] = Number.POSITIVE_INFINITY;
    let at = 0;
    for (let q = 0; q < count; q++) {
      while (z[at + 1] < q) at++;
      out[start + q * stride] = (q - v[at]) ** 2 + f[v[at]];
    }
  };
  for (let x = 0; x < width; x++) pass(x, width, height);
  for (let y = 0; y < height; y++) pass(y * width, 1, width);
  return out;
}
