/** Paths made shorter, and given a time. */
import { ValueError } from "../../core/errors.js";
import { WordStream } from "../../core/random.js";
import { distance, type Point, pathLength, type Space } from "./space.js";

/**
 * A shorter path of straight lines through free space: pairs of places on it, drawn at random, are joined where nothing stands
 * between (Geraerts & Overmars 2007). Never longer than before.
 * @param rounds pairs drawn
 * @example plan.pathLength(plan.shortcut(new plan.ObstacleSpace([[0, 2], [0, 2]]), [[0, 0], [2, 0], [2, 2]])) // 2.8284
 */
export function shortcut(
  space: Space,
  path: readonly Point[],
  { rounds = 200, seed = 0 }: { readonly rounds?: number; readonly seed?: number } = {},
): Point[] {
  const random = new WordStream([seed | 0, 0x534d54]);
  let best = pulled(space, path);
  for (let i = 0; i < rounds && best.length > 2; i++) {
    const length = pathLength(best);
    const [a, b] = [random.uniform(0, length), random.uniform(0, length)].sort((x, y) => x - y);
    const [from, to] = [placeAt(best, a), placeAt(best, b)];
    if (from.segment === to.segment || !space.clear(from.point, to.point)) continue;
    best = pulled(space, [
      ...best.slice(0, from.segment + 1),
      from.point,
      to.point,
      ...best.slice(to.segment + 1),
    ]);
  }
  return best;
}

/** Leaves out each point that its neighbours see each other without. */
function pulled(space: Space, path: readonly Point[]): Point[] {
  const out = [path[0]];
  for (let i = 0; i + 1 < path.length; ) {
    let next = path.length - 1;
    while (next > i + 1 && !space.clear(path[i], path[next])) next--;
    out.push(path[next]);
    i = next;
  }
  return out;
}

function placeAt(path: readonly Point[], along: number): { readonly point: Point; readonly segment: number } {
  let rest = along;
  for (let segment = 0; segment + 1 < path.length; segment++) {
    const length = distance(path[segment], path[segment + 1]);
    if (rest <= length || segment + 2 === path.length) {
      const t = length === 0 ? 0 : Math.min(1, rest / length);
      return { point: path[segment].map((v, i) => v + t * (path[segment + 1][i] - v)), segment };
    }
    rest -= length;
  }
  return { point: path[path.length - 1], segment: path.length - 2 };
}

export interface TimingLimits {
  /** m/s. */
  readonly speed: number;
  /** m/s²: along the path, both ways. */
  readonly acceleration: number;
  /** m/s²: across the path, v²·curvature. Default: none. */
  readonly lateral?: number;
  /** m/s at the ends. Default 0. */
  readonly startSpeed?: number;
  readonly endSpeed?: number;
}

export interface TimedPoint {
  /** s from the start. */
  readonly time: number;
  /** m along the path. */
  readonly along: number;
  /** m/s. */
  readonly speed: number;
  readonly point: Point;
}

/**
 * The fastest way to drive a path within limits: speed as the least of the limits at each point, then one pass forward for speeding up and
 * one back for braking. Exact for constant accelerations between the points.
 * @param path closely sampled where it bends: its curvature at a point is that of the circle through three neighbours
 * @throws ValueError for limits that are not above 0, or a start or end speed that the limits do not allow
 * @example plan.timed([[0, 0], [2, 0], [4, 0]], { speed: 9, acceleration: 1 }).at(-1)?.time // 4
 */
export function timed(
  path: readonly Point[],
  { speed, acceleration, lateral = Number.POSITIVE_INFINITY, startSpeed = 0, endSpeed = 0 }: TimingLimits,
): TimedPoint[] {
  if (path.length < 2)
    throw new ValueError(`timed: a path of two points at least wanted, got ${path.length}`);
  if (!(speed > 0 && acceleration > 0 && lateral > 0))
    throw new ValueError(
      `timed: limits above 0 wanted, got speed ${speed}, acceleration ${acceleration}, lateral ${lateral}`,
    );
  const along = [0];
  for (let i = 1; i < path.length; i++) along.push(along[i - 1] + distance(path[i - 1], path[i]));
  const squares = path.map((_, i) =>
    Math.min(speed ** 2, lateral === Number.POSITIVE_INFINITY ? lateral : lateral / curvature(path, i)),
  );
  const last = path.length - 1;
  for (const [name, given, at] of [
    ["startSpeed", startSpeed, 0],
    ["endSpeed", endSpeed, last],
  ] as const) {
    if (!(given >= 0 && given ** 2 <= squares[at] + 1e-12))
      throw new ValueError(`timed: ${name} is ${given} m/s, the limits allow 0 … ${Math.sqrt(squares[at])}`);
    squares[at] = given ** 2;
  }
  for (let i = 1; i <= last; i++)
    squares[i] = Math.min(squares[i], squares[i - 1] + 2 * acceleration * (along[i] - along[i - 1]));
  for (let i = last - 1; i >= 0; i--)
    squares[i] = Math.min(squares[i], squares[i + 1] + 2 * acceleration * (along[i + 1] - along[i]));
  if (squares[0] < startSpeed ** 2 - 1e-9 || squares[last] < endSpeed ** 2 - 1e-9)
    throw new ValueError(`timed: the path is too short to get from ${startSpeed} to ${endSpeed} m/s`);
  let time = 0;
  return path.map((point, i) => {
    if (i > 0) {
      const length = along[i] - along[i - 1];
      const [a, b] = [Math.sqrt(squares[i - 1]), Math.sqrt(squares[i])];
      if (length > 0) time += a + b > 0 ? (2 * length) / (a + b) : 2 * Math.sqrt(length / acceleration);
    }
    return { time, along: along[i], speed: Math.sqrt(squares[i]), point };
  });
}

/** 1/m: of the circle through a point and its neighbours; 0 at the ends. */
function curvature(path: readonly Point[], i: number): number {
  if (i === 0 || i === path.length - 1) return 0;
  const [a, b, c] = [path[i - 1], path[i], path[i + 1]];
  const [p, q, r] = [distance(a, b), distance(b, c), distance(a, c)];
  if (p === 0 || q === 0) return 0;
  if (p * q * r === 0) return Number.POSITIVE_INFINITY; // it turns back
  const area = Math.sqrt(Math.max(0, (p + q + r) * (-p + q + r) * (p - q + r) * (p + q - r))) / 4;
  return (4 * area) / (p * q * r);
}
