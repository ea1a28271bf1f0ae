/** A world to drive in: bodies and landmarks on a plane. It does not change; what moves is a function of time. */
import { ValueError } from "../../core/errors.js";
import { type Body, type BodySpec, boundsOf, contains, makeBody, motionAt } from "./body.js";
import { type Bounds, type Point, pointSegment, rayCircle, raySegment } from "./geometry.js";
import { SurfaceGrid } from "./surface-grid.js";
import { checkMaterial, type Material, type MaterialSpec } from "./texture.js";

/** A point that a sensor can tell from others. */
export interface Landmark extends Point {
  readonly id: number;
  /** Height over the ground, metres. */
  readonly z: number;
}

export interface WorldSpec {
  readonly bodies: readonly BodySpec[];
  /** `z` is 0.5 where it is not given. */
  readonly landmarks?: readonly (Point & { readonly id: number; readonly z?: number })[];
  /** What cameras see of the floor. Default brown tiles. */
  readonly ground?: MaterialSpec;
  /** Default: what the bodies and landmarks need. */
  readonly bounds?: Bounds;
}

/** Where a ray ends. */
export interface RayHit extends Point {
  readonly distance: number;
  /** Index into `bodies`. */
  readonly body: number;
  /** Direction of the surface, towards the ray's start. */
  readonly normal: Point;
}

/** A body where it is now. */
export interface Placed {
  readonly body: Body;
  x: number;
  y: number;
}

/** Labels that cameras give beside those of bodies. */
export const NOTHING = 0;
export const GROUND = 1;

/**
 * A world of bodies (walls, obstacles, moving ones) and landmarks.
 * @throws ValueError for a body that is none, or two landmarks of one id
 * @example
 * const world = new robotics.simulate.World({ bodies: [{ shape: { kind: "circle", radius: 1 }, at: { x: 3, y: 0 } }] });
 * world.cast({ x: 0, y: 0 }, 0)?.distance // 2
 */
export class World {
  readonly bodies: readonly Body[];
  readonly landmarks: readonly Landmark[];
  readonly bounds: Bounds;
  readonly ground: Material;
  /** Names of semantic labels: `nothing`, `ground`, the classes of the bodies in order of appearance, `robot`. */
  readonly classes: readonly string[];
  /** Semantic label of each body. */
  readonly labels: readonly number[];
  /** Indices of bodies that move. */
  readonly moving: readonly number[];
  /** Of the tallest body, metres. */
  readonly height: number;
  /** @internal */
  readonly surfaces: SurfaceGrid;

  constructor(readonly spec: WorldSpec) {
    this.bodies = spec.bodies.map(makeBody);
    this.landmarks = (spec.landmarks ?? []).map(({ id, x, y, z = 0.5 }) => ({ id, x, y, z }));
    const seen = new Set<number>();
    for (const { id, x, y, z } of this.landmarks) {
      if (seen.has(id)) throw new ValueError(`landmarks: the id ${id} is given twice`);
      if (![x, y, z].every(Number.isFinite))
        throw new ValueError(`landmark ${id}: it stands at (${x}, ${y}, ${z})`);
      seen.add(id);
    }
    this.ground = checkMaterial({ color: [126, 116, 100], texture: "tiles", ...spec.ground }, "the ground");
    this.moving = this.bodies.flatMap(({ motion }, i) => (motion ? [i] : []));
    const fixed = this.bodies.flatMap(({ motion }, i) => (motion ? [] : [i]));
    this.bounds = spec.bounds ?? this.needed();
    const around = boundsOf(fixed.map((i) => this.bodies[i]));
    const grid = fixed.length > 0 ? around : { minX: 0, minY: 0, maxX: 1, maxY: 1 };
    this.surfaces = new SurfaceGrid(this.bodies, fixed, grid);
    const names = new Set(["nothing", "ground", ...this.bodies.map((body) => body.class)]);
    names.delete("robot");
    this.classes = [...names, "robot"];
    this.labels = this.bodies.map((body) => this.classes.indexOf(body.class));
    this.height = Math.max(0, ...this.bodies.map(({ height }) => height));
  }

  private needed(): Bounds {
    const points: Body[] = this.bodies.flatMap((body) =>
      body.motion ? body.motion.waypoints.map((at) => ({ ...body, at })) : [body],
    );
    const { minX, minY, maxX, maxY } = boundsOf(points);
    const [xs, ys] = [this.landmarks.map(({ x }) => x), this.landmarks.map(({ y }) => y)];
    const all = {
      minX: Math.min(minX, ...xs),
      minY: Math.min(minY, ...ys),
      maxX: Math.max(maxX, ...xs),
      maxY: Math.max(maxY, ...ys),
    };
    return all.minX <= all.maxX ? all : { minX: -1, minY: -1, maxX: 1, maxY: 1 };
  }

  /** Where the moving bodies are at a time in seconds. */
  movingAt(time: number): Placed[] {
    return this.moving.map((i) => {
      const body = this.bodies[i];
      return { body, ...(body.motion ? motionAt(body.motion, time) : body.at) };
    });
  }

  /**
   * The first surface that a ray meets.
   * @param angle radians, counter-clockwise from the x axis
   * @param options `range`: metres, default without limit; `time`: where moving bodies are, seconds
   */
  cast(
    from: Point,
    angle: number,
    { range = Number.POSITIVE_INFINITY, time = 0 }: { readonly range?: number; readonly time?: number } = {},
  ): RayHit | null {
    const [dx, dy] = [Math.cos(angle), Math.sin(angle)];
    let distance = this.surfaces.cast(from.x, from.y, dx, dy, range);
    let [body, normal] =
      this.surfaces.hit < 0
        ? [-1, { x: 0, y: 0 }]
        : [this.surfaces.bodyOf[this.surfaces.hit], this.normalAt(from, dx, dy, distance)];
    this.movingAt(time).forEach((placed, i) => {
      const hit = castPlaced(placed, from.x, from.y, dx, dy);
      if (hit.distance >= distance) return;
      distance = hit.distance;
      [body, normal] = [this.moving[i], hit.normal];
    });
    if (body < 0) return null;
    return { distance, body, normal, x: from.x + distance * dx, y: from.y + distance * dy };
  }

  /** Of the surface that the last cast hit. */
  private normalAt(from: Point, dx: number, dy: number, distance: number): Point {
    const { surfaces } = this;
    const k = surfaces.hit;
    if (k < surfaces.segmentCount)
      return facing(-surfaces.segments[4 * k + 3], surfaces.segments[4 * k + 2], dx, dy);
    const at = 3 * (k - surfaces.segmentCount);
    return facing(
      from.x + distance * dx - surfaces.circles[at],
      from.y + distance * dy - surfaces.circles[at + 1],
      dx,
      dy,
    );
  }

  /** Distance from a point to the nearest surface that does not move; `within` if none is nearer. */
  clearance(point: Point, within = Number.POSITIVE_INFINITY): number {
    const { surfaces } = this;
    const reach = Math.min(within, 1e9);
    const { x, y } = point;
    const count = surfaces.near(x - reach, y - reach, x + reach, y + reach);
    let least = within;
    for (let i = 0; i < count; i++) least = Math.min(least, this.distanceTo(surfaces.found[i], x, y));
    return least;
  }

  /** @internal distance from a point to one surface of the grid */
  distanceTo(k: number, x: number, y: number): number {
    const { segments, circles, segmentCount } = this.surfaces;
    if (k < segmentCount) {
      const at = 4 * k;
      return pointSegment(x, y, segments[at], segments[at + 1], segments[at + 2], segments[at + 3]);
    }
    const at = 3 * (k - segmentCount);
    return Math.abs(Math.hypot(x - circles[at], y - circles[at + 1]) - circles[at + 2]);
  }

  /** Whether a disc touches nothing at a time in seconds: neither surfaces nor the inside of bodies. */
  isFree(point: Point, radius = 0, time = 0): boolean {
    if (this.clearance(point, radius + 1e-9) <= radius) return false;
    const placed = this.movingAt(time);
    for (const body of this.bodies)
      if (!body.motion && contains(body, body.at, point.x, point.y)) return false;
    return placed.every(
      (one) => !contains(one.body, one, point.x, point.y) && distanceToPlaced(one, point.x, point.y) > radius,
    );
  }
}

/** A normal of length 1 against the ray. */
function facing(x: number, y: number, dx: number, dy: number): Point {
  const length = Math.hypot(x, y);
  const sign = x * dx + y * dy > 0 ? -1 : 1;
  return { x: (sign * x) / length, y: (sign * y) / length };
}

/** Ray against one body that is not in the grid. */
export function castPlaced(
  { body, x, y }: Placed,
  ox: number,
  oy: number,
  dx: number,
  dy: number,
): { distance: number; normal: Point } {
  if (body.radius > 0) {
    const distance = rayCircle(ox, oy, dx, dy, x, y, body.radius);
    return {
      distance,
      normal:
        distance === Infinity
          ? { x: 0, y: 0 }
          : facing(ox + distance * dx - x, oy + distance * dy - y, dx, dy),
    };
  }
  let distance = Number.POSITIVE_INFINITY;
  let normal: Point = { x: 0, y: 0 };
  for (const { ax, ay, ex, ey } of body.edges) {
    const t = raySegment(ox, oy, dx, dy, x + ax, y + ay, ex, ey);
    if (t < distance) {
      distance = t;
      normal = facing(-ey, ex, dx, dy);
    }
  }
  return { distance, normal };
}

/** Distance from a point to a body's surface. */
export function distanceToPlaced({ body, x, y }: Placed, px: number, py: number): number {
  if (body.radius > 0) return Math.abs(Math.hypot(px - x, py - y) - body.radius);
  return Math.min(...body.edges.map(({ ax, ay, ex, ey }) => pointSegment(px, py, x + ax, y + ay, ex, ey)));
}
