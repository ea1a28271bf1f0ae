/** What stands in a world: shapes with a height, a material, a class, and maybe a way that they move. */
import { ValueError } from "../../core/errors.js";
import type { Bounds, Point } from "./geometry.js";
import { checkMaterial, type Material, type MaterialSpec } from "./texture.js";

/** From the ground up, all of them: walls and prisms, cylinders, and balls that lie on the ground. Metres. */
export type Shape =
  | { readonly kind: "circle"; readonly radius: number }
  | { readonly kind: "sphere"; readonly radius: number }
  /** Corners in order; closed and solid. */
  | { readonly kind: "polygon"; readonly points: readonly Point[] }
  /** Thin walls from point to point. */
  | { readonly kind: "segments"; readonly segments: readonly (readonly [Point, Point])[] }
  /** Segments that close around a solid inside, holes included. */
  | { readonly kind: "outline"; readonly segments: readonly (readonly [Point, Point])[] };

/** A way walked at constant speed, over and over: a pure function of time. */
export interface Motion {
  /** Where the body's origin passes. The body is moved, not turned. */
  readonly waypoints: readonly Point[];
  /** Metres per second. */
  readonly speed: number;
  /** From the last waypoint back the same way (default), or straight to the first. */
  readonly loop?: "back" | "around";
  /** Metres walked at time 0. */
  readonly start?: number;
}

export interface BodySpec {
  readonly shape: Shape;
  /** Where the shape's origin stands. Default (0, 0); with `motion`, its waypoints say. */
  readonly at?: Point;
  /** What cameras tell apart: `wall`, `box`, `person` … Default `obstacle`. */
  readonly class?: string;
  /** Metres, default 1; a sphere's is its diameter. */
  readonly height?: number;
  readonly material?: MaterialSpec;
  readonly motion?: Motion;
  readonly name?: string;
}

/** A straight surface; `along` is where its texture begins, in metres. */
export interface Edge {
  readonly ax: number;
  readonly ay: number;
  readonly ex: number;
  readonly ey: number;
  readonly along: number;
}

/** A checked body. Edges and circle are relative to `at`. */
export interface Body {
  readonly name: string;
  readonly class: string;
  readonly shape: Shape;
  readonly at: Point;
  readonly height: number;
  readonly material: Material;
  readonly motion: Motion | null;
  /** Whether it has an inside. */
  readonly solid: boolean;
  readonly edges: readonly Edge[];
  /** 0 for what has edges. */
  readonly radius: number;
  /** Of its shape around the origin. */
  readonly reach: number;
}

const finite = (point: Point): boolean => Number.isFinite(point.x) && Number.isFinite(point.y);

function checkPoints(points: readonly Point[], where: string): void {
  for (const [i, point] of points.entries())
    if (!finite(point)) throw new ValueError(`${where}: point ${i} is (${point.x}, ${point.y})`);
}

function positive(value: number, what: string, where: string): number {
  if (!(value > 0 && Number.isFinite(value)))
    throw new ValueError(`${where}: ${what} is a positive number of metres, got ${value}`);
  return value;
}

function edgesOf(shape: Shape, where: string): Edge[] {
  if (shape.kind === "circle" || shape.kind === "sphere") {
    positive(shape.radius, "the radius", where);
    return [];
  }
  if (shape.kind === "polygon") {
    const { points } = shape;
    checkPoints(points, where);
    if (points.length < 3)
      throw new ValueError(`${where}: a polygon has 3 corners or more, got ${points.length}`);
    let along = 0;
    return points.map(({ x, y }, i) => {
      const next = points[(i + 1) % points.length];
      const edge = { ax: x, ay: y, ex: next.x - x, ey: next.y - y, along };
      along += Math.hypot(edge.ex, edge.ey);
      return edge;
    });
  }
  if (shape.segments.length === 0) throw new ValueError(`${where}: there is no segment`);
  return shape.segments.map(([a, b], i) => {
    checkPoints([a, b], `${where}, segment ${i}`);
    const [ex, ey] = [b.x - a.x, b.y - a.y];
    const length = Math.hypot(ex, ey);
    if (length === 0) throw new ValueError(`${where}, segment ${i}: its ends are the same point`);
    // measured from the world's origin, so that the texture goes on from one segment of a wall to the next
    return { ax: a.x, ay: a.y, ex, ey, along: (a.x * ex + a.y * ey) / length };
  });
}

/** @throws ValueError that names the body and what is wrong with it */
export function makeBody(spec: BodySpec, index: number): Body {
  const name = spec.name ?? `${spec.class ?? "obstacle"} ${index}`;
  const where = `body ${index} (${name})`;
  const { shape, motion = null } = spec;
  const at = motion ? motionAt(checkMotion(motion, where), 0) : (spec.at ?? { x: 0, y: 0 });
  if (!finite(at)) throw new ValueError(`${where}: it stands at (${at.x}, ${at.y})`);
  const edges = edgesOf(shape, where);
  const radius = shape.kind === "circle" || shape.kind === "sphere" ? shape.radius : 0;
  let reach = radius;
  for (const { ax, ay, ex, ey } of edges)
    reach = Math.max(reach, Math.hypot(ax, ay), Math.hypot(ax + ex, ay + ey));
  return {
    name,
    class: spec.class ?? "obstacle",
    shape,
    at,
    height: shape.kind === "sphere" ? 2 * radius : positive(spec.height ?? 1, "the height", where),
    material: checkMaterial(spec.material ?? {}, where),
    motion,
    solid: shape.kind !== "segments",
    edges,
    radius,
    reach,
  };
}

function checkMotion(motion: Motion, where: string): Motion {
  checkPoints(motion.waypoints, `${where}: its way`);
  if (motion.waypoints.length < 2 || wayLength(motion) === 0)
    throw new ValueError(`${where}: a way has two waypoints or more that are apart`);
  if (!(motion.speed >= 0 && Number.isFinite(motion.speed)))
    throw new ValueError(`${where}: the speed is a number of m/s from 0, got ${motion.speed}`);
  return motion;
}

const legs = ({ waypoints, loop }: Motion): [Point, Point][] =>
  waypoints.flatMap((point, i): [Point, Point][] => {
    if (i + 1 < waypoints.length) return [[point, waypoints[i + 1]]];
    return loop === "around" ? [[point, waypoints[0]]] : [];
  });

const wayLength = (motion: Motion): number =>
  legs(motion).reduce((sum, [a, b]) => sum + Math.hypot(b.x - a.x, b.y - a.y), 0);

/** Where a moving body's origin is at a time in seconds. */
export function motionAt(motion: Motion, time: number): Point {
  const length = wayLength(motion);
  const period = motion.loop === "around" ? length : 2 * length;
  const walked = (motion.start ?? 0) + motion.speed * time;
  let left = walked - period * Math.floor(walked / period);
  if (left > length) left = period - left;
  for (const [a, b] of legs(motion)) {
    const leg = Math.hypot(b.x - a.x, b.y - a.y);
    if (left <= leg && leg > 0)
      return { x: a.x + ((b.x - a.x) * left) / leg, y: a.y + ((b.y - a.y) * left) / leg };
    left -= leg;
  }
  return motion.loop === "around" ? motion.waypoints[0] : motion.waypoints[motion.waypoints.length - 1];
}

/** Whether a point lies inside a solid body that stands at `at`. */
export function contains(body: Body, at: Point, x: number, y: number): boolean {
  if (!body.solid) return false;
  const px = x - at.x;
  const py = y - at.y;
  if (body.radius > 0) return px * px + py * py < body.radius * body.radius;
  let inside = false; // even–odd rule
  for (const { ax, ay, ex, ey } of body.edges) {
    if (ay > py !== ay + ey > py && px < ax + ((py - ay) * ex) / ey) inside = !inside;
  }
  return inside;
}

export function boundsOf(bodies: readonly Body[]): Bounds {
  let [minX, minY, maxX, maxY] = [Infinity, Infinity, -Infinity, -Infinity];
  const add = (x: number, y: number, r = 0): void => {
    minX = Math.min(minX, x - r);
    minY = Math.min(minY, y - r);
    maxX = Math.max(maxX, x + r);
    maxY = Math.max(maxY, y + r);
  };
  for (const { at, edges, radius } of bodies) {
    if (radius > 0) add(at.x, at.y, radius);
    for (const { ax, ay, ex, ey } of edges) {
      add(at.x + ax, at.y + ay);
      add(at.x + ax + ex, at.y + ay + ey);
    }
  }
  return { minX, minY, maxX, maxY };
}
