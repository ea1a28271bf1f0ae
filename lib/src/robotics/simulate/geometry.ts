/** Plane geometry of the simulator: metres and radians, x forward, y left, angles counter-clockwise. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Where something stands and looks: `theta` is the angle of its x axis. */
export interface Pose extends Point {
  readonly theta: number;
}

/** Axis-aligned rectangle. */
export interface Bounds {
  readonly minX: number;
  readonly minY: number;
  readonly maxX: number;
  readonly maxY: number;
}

/**
 * The same angle in (−π, π].
 * @example robotics.simulate.wrapAngle(3 * Math.PI) // 3.142
 */
export function wrapAngle(angle: number): number {
  if (angle > -Math.PI && angle <= Math.PI) return angle; // exact for what is in range already
  const turned = angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
  return turned <= -Math.PI ? turned + 2 * Math.PI : turned;
}

/**
 * `local`, given in the frame of `frame`, in the frame that `frame` is given in.
 * @example robotics.simulate.compose({ x: 1, y: 2, theta: Math.PI / 2 }, { x: 3, y: 0, theta: 0 }).y // 5
 */
export function compose(frame: Pose, local: Pose): Pose {
  const [c, s] = [Math.cos(frame.theta), Math.sin(frame.theta)];
  return {
    x: frame.x + c * local.x - s * local.y,
    y: frame.y + s * local.x + c * local.y,
    theta: wrapAngle(frame.theta + local.theta),
  };
}

/**
 * The pose that undoes another: `compose(pose, inverse(pose))` is the origin.
 * @example robotics.simulate.inverse({ x: 1, y: 0, theta: Math.PI }).x // 1
 */
export function inverse({ x, y, theta }: Pose): Pose {
  const [c, s] = [Math.cos(theta), Math.sin(theta)];
  return { x: -c * x - s * y, y: s * x - c * y, theta: wrapAngle(-theta) };
}

/**
 * Distance along a ray to a segment, `Infinity` where they do not meet. A ray that runs along a segment misses it.
 * @param dx, dy the ray's direction; distances are in its lengths
 * @param ex, ey from the segment's start to its end
 * @example robotics.simulate.raySegment(0, 0, 1, 0, 2, -1, 0, 3) // 2
 */
export function raySegment(
  ox: number,
  oy: number,
  dx: number,
  dy: number,
  ax: number,
  ay: number,
  ex: number,
  ey: number,
): number {
  const denominator = dx * ey - dy * ex;
  if (denominator === 0) return Number.POSITIVE_INFINITY;
  const wx = ax - ox;
  const wy = ay - oy;
  const t = (wx * ey - wy * ex) / denominator;
  const u = (wx * dy - wy * dx) / denominator;
  // a hair beyond the ends, so that no ray slips through the corner of two segments
  return t >= 0 && u >= -1e-12 && u <= 1 + 1e-12 ? t : Number.POSITIVE_INFINITY;
}

/**
 * Distance along a ray to a circle's line (from within: to the way out), `Infinity` where they do not meet.
 * @param dx, dy the ray's direction, of length 1
 * @example robotics.simulate.rayCircle(0, 0, 1, 0, 3, 0, 1) // 2
 */
export function rayCircle(
  ox: number,
  oy: number,
  dx: number,
  dy: number,
  cx: number,
  cy: number,
  radius: number,
): number {
  const wx = ox - cx;
  const wy = oy - cy;
  const b = wx * dx + wy * dy;
  const c = wx * wx + wy * wy - radius * radius;
  // the distance of the ray's line from the centre, squared, without the cancellation of b² − c for far circles
  const off = wx * dy - wy * dx;
  const half = radius * radius - off * off;
  if (half < 0) return Number.POSITIVE_INFINITY;
  const root = Math.sqrt(half);
  if (c <= 0) return root - b;
  return b <= 0 ? -b - root : Number.POSITIVE_INFINITY;
}

/** Distance of a point from a segment. */
export function pointSegment(px: number, py: number, ax: number, ay: number, ex: number, ey: number): number {
  const length2 = ex * ex + ey * ey;
  const along = length2 === 0 ? 0 : Math.min(1, Math.max(0, ((px - ax) * ex + (py - ay) * ey) / length2));
  const x = px - ax - along * ex;
  const y = py - ay - along * ey;
  return Math.sqrt(x * x + y * y);
}
