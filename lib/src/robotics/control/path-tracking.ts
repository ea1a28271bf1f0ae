/** Laws that follow a path by geometry: pure pursuit and Stanley's. */
import { ValueError } from "../../core/errors.js";

/** A place in the plane, m. */
export type Point2 = readonly [x: number, y: number];

/** Place and heading: m, m, rad. */
export type Pose2 = readonly [x: number, y: number, heading: number];

/** The point of a path that is nearest to a place. */
export interface PathFoot {
  readonly point: Point2;
  /** m along the path from its start. */
  readonly along: number;
  /** rad: direction of the path there. */
  readonly heading: number;
  /** m; above 0 if the place lies left of the path. */
  readonly offset: number;
}

/** An angle in (−π, π]. @example control.wrapAngle(1.5 * Math.PI) // -1.5708 */
export function wrapAngle(angle: number): number {
  const turned = angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
  return turned <= -Math.PI ? turned + 2 * Math.PI : turned;
}

/** @throws ValueError if there is no segment */
function checkPath(path: readonly Point2[], where: string): void {
  if (path.length < 2)
    throw new ValueError(`${where}: a path of two points at least wanted, got ${path.length}`);
}

/**
 * The nearest point of a path of straight segments.
 * @example control.footOn([[0, 0], [4, 0]], [1, 2]).offset // 2
 */
export function footOn(path: readonly Point2[], [x, y]: Point2): PathFoot {
  checkPath(path, "footOn");
  let best: (PathFoot & { readonly distance: number }) | null = null;
  let along = 0;
  for (let i = 0; i + 1 < path.length; i++) {
    const [ax, ay] = path[i];
    const [dx, dy] = [path[i + 1][0] - ax, path[i + 1][1] - ay];
    const length = Math.hypot(dx, dy);
    if (length === 0) continue;
    const t = Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / length ** 2));
    const point: Point2 = [ax + t * dx, ay + t * dy];
    const distance = Math.hypot(x - point[0], y - point[1]);
    if (best === null || distance < best.distance) {
      const side = Math.sign(dx * (y - ay) - dy * (x - ax));
      best = {
        point,
        along: along + t * length,
        heading: Math.atan2(dy, dx),
        offset: side * distance,
        distance,
      };
    }
    along += length;
  }
  if (best === null) throw new ValueError("footOn: all points of the path are the same");
  const { distance: _, ...foot } = best;
  return foot;
}

/**
 * The point `along` metres from a path's start; its ends beyond them.
 * @example control.pointAlong([[0, 0], [4, 0]], 3) // [3, 0]
 */
export function pointAlong(path: readonly Point2[], along: number): Point2 {
  checkPath(path, "pointAlong");
  let rest = Math.max(0, along);
  for (let i = 0; i + 1 < path.length; i++) {
    const [dx, dy] = [path[i + 1][0] - path[i][0], path[i + 1][1] - path[i][1]];
    const length = Math.hypot(dx, dy);
    if (rest <= length && length > 0)
      return [path[i][0] + (rest / length) * dx, path[i][1] + (rest / length) * dy];
    rest -= length;
  }
  return path[path.length - 1];
}

/**
 * Pure pursuit (Coulter 1992): the curvature (1/m) of the arc from the pose to the point of the path `lookahead` metres
 * ahead of the foot: 2·y/d², y its lateral place seen from the robot, d its distance.
 * @example control.purePursuit([[0, 0], [10, 0]], [0, -1, 0], 1) // 1
 */
export function purePursuit(path: readonly Point2[], [x, y, heading]: Pose2, lookahead: number): number {
  if (!(lookahead > 0)) throw new ValueError(`purePursuit: a lookahead above 0 m wanted, got ${lookahead}`);
  const target = pointAlong(path, footOn(path, [x, y]).along + lookahead);
  const [dx, dy] = [target[0] - x, target[1] - y];
  const square = dx * dx + dy * dy;
  if (square < 1e-18) return 0;
  return (2 * (dy * Math.cos(heading) - dx * Math.sin(heading))) / square;
}

export interface StanleyOptions {
  /** 1/s: gain of the lateral error. Default 1. */
  readonly gain?: number;
  /** m/s: keeps the law calm near standstill. Default 0.1. */
  readonly softening?: number;
  /** rad: limit of the steering angle. Default π/4. */
  readonly limit?: number;
}

/**
 * Stanley's law (Hoffmann et al. 2007): the steering angle (rad) of a car whose front axle stands at `pose`.
 * δ = heading error + atan(gain·lateral error / (softening + speed)).
 * @example control.stanley([[0, 0], [10, 0]], [0, 1, 0], 1, { softening: 0 }) // -0.7854
 */
export function stanley(
  path: readonly Point2[],
  [x, y, heading]: Pose2,
  speed: number,
  { gain = 1, softening = 0.1, limit = Math.PI / 4 }: StanleyOptions = {},
): number {
  const foot = footOn(path, [x, y]);
  const turn =
    wrapAngle(foot.heading - heading) - Math.atan2(gain * foot.offset, softening + Math.abs(speed));
  return Math.min(limit, Math.max(-limit, turn));
}
