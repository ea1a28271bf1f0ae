/** Laser scans as points. Fields are those of sensor_msgs/LaserScan, so that a simulator's or a robot's scan fits. */
import type { Pose2 } from "../filter/motion.js";

export interface LaserScan {
  /** Angle of the first ray, radians, counter-clockwise from the scanner's x axis. */
  readonly angleMin: number;
  readonly angleIncrement: number;
  /** Metres. */
  readonly rangeMin: number;
  readonly rangeMax: number;
  /** Metres; what is not between the limits (±∞, NaN) hit nothing. */
  readonly ranges: ArrayLike<number>;
}

/**
 * Places that rays hit, in the scanner's frame: x, y, x, y, …
 * @example robotics.perceive.scanPoints({ angleMin: 0, angleIncrement: 0.1, rangeMin: 0.1, rangeMax: 8, ranges: [2, Infinity] }) // [2, 0]
 */
export function scanPoints(scan: LaserScan): Float64Array {
  const points: number[] = [];
  for (let i = 0; i < scan.ranges.length; i++) {
    const range = scan.ranges[i];
    if (!(range >= scan.rangeMin && range < scan.rangeMax)) continue;
    const angle = scan.angleMin + i * scan.angleIncrement;
    points.push(range * Math.cos(angle), range * Math.sin(angle));
  }
  return Float64Array.from(points);
}

/**
 * Points seen from a pose, in the frame that the pose is in.
 * @example robotics.perceive.transformPoints(Float64Array.of(1, 0), { x: 1, y: 2, theta: 0 }) // [2, 2]
 */
export function transformPoints(points: Float64Array, { x, y, theta }: Pose2): Float64Array {
  const [c, s] = [Math.cos(theta), Math.sin(theta)];
  const out = new Float64Array(points.length);
  for (let i = 0; i < points.length; i += 2) {
    out[i] = x + c * points[i] - s * points[i + 1];
    out[i + 1] = y + s * points[i] + c * points[i + 1];
  }
  return out;
}
