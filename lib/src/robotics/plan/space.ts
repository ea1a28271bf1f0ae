/** Spaces that sampling planners search: bounds, and whether points and straight motions between them are free. */
import { ShapeError, ValueError } from "../../core/errors.js";
import type { GridMap } from "./grid.js";

/** A point of a space: its coordinates. */
export type Point = readonly number[];

export interface Space {
  /** Lower and upper end of each coordinate. */
  readonly bounds: readonly (readonly [number, number])[];
  free(point: Point): boolean;
  /** Whether the straight motion is free. */
  clear(from: Point, to: Point): boolean;
}

export interface Ball {
  readonly centre: Point;
  readonly radius: number;
}

export interface Box {
  readonly lower: Point;
  readonly upper: Point;
}

/** Balls and boxes in any number of dimensions, checked exactly. */
export class ObstacleSpace implements Space {
  /** Collision checks of motions so far. */
  checks = 0;
  readonly balls: readonly Ball[];
  readonly boxes: readonly Box[];

  /**
   * @param margin m: obstacles are wider by this much (boxes by a larger box): a robot's radius
   * @throws ShapeError for obstacles of other dimensions; ValueError for bounds without room
   */
  constructor(
    readonly bounds: readonly (readonly [number, number])[],
    {
      balls = [],
      boxes = [],
      margin = 0,
    }: { readonly balls?: readonly Ball[]; readonly boxes?: readonly Box[]; readonly margin?: number } = {},
  ) {
    bounds.forEach(([low, high], i) => {
      if (!(low < high)) throw new ValueError(`ObstacleSpace: bounds ${i} are [${low}, ${high}]`);
    });
    for (const point of [
      ...balls.map((ball) => ball.centre),
      ...boxes.flatMap((box) => [box.lower, box.upper]),
    ])
      if (point.length !== bounds.length)
        throw new ShapeError(
          `ObstacleSpace: ${bounds.length} bounds, but an obstacle with ${point.length} coordinates`,
        );
    this.balls = balls.map(({ centre, radius }) => ({ centre, radius: radius + margin }));
    this.boxes = boxes.map(({ lower, upper }) => ({
      lower: lower.map((v) => v - margin),
      upper: upper.map((v) => v + margin),
    }));
  }

  free(point: Point): boolean {
    return (
      this.bounds.every(([low, high], i) => point[i] >= low && point[i] <= high) &&
      this.balls.every(({ centre, radius }) => distance(point, centre) >= radius) &&
      this.boxes.every(({ lower, upper }) => point.some((v, i) => v <= lower[i] || v >= upper[i]))
    );
  }

  clear(from: Point, to: Point): boolean {
    this.checks++;
    return (
      this.free(from) &&
      this.free(to) &&
      this.balls.every(({ centre, radius }) => distanceToSegment(centre, from, to) >= radius - 1e-12) &&
      this.boxes.every((box) => !crosses(box, from, to))
    );
  }
}

/** A grid map as a space: its unit is the metre. */
export class GridSpace implements Space {
  readonly bounds: readonly (readonly [number, number])[];

  constructor(readonly map: GridMap) {
    const { origin, resolution, width, height } = map;
    this.bounds = [
      [origin[0], origin[0] + width * resolution],
      [origin[1], origin[1] + height * resolution],
    ];
  }

  free([x, y]: Point): boolean {
    return !this.map.occupied(this.map.cellAt([x, y]));
  }

  clear([ax, ay]: Point, [bx, by]: Point): boolean {
    return this.map.clear([ax, ay], [bx, by]);
  }
}

/** Euclidean. @example plan.distance([0, 0], [3, 4]) // 5 */
export function distance(a: Point, b: Point): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}

/** Length of a path of straight lines. @example plan.pathLength([[0, 0], [3, 4], [3, 5]]) // 6 */
export function pathLength(path: readonly Point[]): number {
  let sum = 0;
  for (let i = 1; i < path.length; i++) sum += distance(path[i - 1], path[i]);
  return sum;
}

/** @throws ValueError, ShapeError unless both ends are free points of the space */
export function checkEnds(space: Space, start: Point, goal: Point, where: string): void {
  for (const [name, point] of [
    ["start", start],
    ["goal", goal],
  ] as const) {
    if (point.length !== space.bounds.length)
      throw new ShapeError(
        `${where}: ${name} has ${point.length} coordinates, the space ${space.bounds.length}`,
      );
    if (!space.free(point)) throw new ValueError(`${where}: ${name} [${point.join(", ")}] is not free`);
  }
}

function distanceToSegment(point: Point, a: Point, b: Point): number {
  let [along, length] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    along += (point[i] - a[i]) * (b[i] - a[i]);
    length += (b[i] - a[i]) ** 2;
  }
  const t = length === 0 ? 0 : Math.min(1, Math.max(0, along / length));
  return distance(
    point,
    a.map((v, i) => v + t * (b[i] - v)),
  );
}

/** Whether a segment passes through the inside of a box: the intervals in which it lies between each pair of sides overlap. */
function crosses({ lower, upper }: Box, from: Point, to: Point): boolean {
  let [enter, leave] = [0, 1];
  for (let i = 0; i < from.length; i++) {
    const change = to[i] - from[i];
    if (change === 0) {
      if (from[i] <= lower[i] || from[i] >= upper[i]) return false;
      continue;
    }
    const [a, b] = [(lower[i] - from[i]) / change, (upper[i] - from[i]) / change];
    enter = Math.max(enter, Math.min(a, b));
    leave = Math.min(leave, Math.max(a, b));
    if (enter >= leave) return false;
  }
  return true;
}
