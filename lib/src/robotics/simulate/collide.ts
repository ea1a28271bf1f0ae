/** A disc that moves until it touches: the whole way is swept, so that speed never carries it through a wall. */
import { pointSegment, rayCircle } from "./geometry.js";
import type { Placed, World } from "./world.js";

/** Room left between a disc and what it touches, metres. */
export const SKIN = 1e-6;

/** Least fraction of a straight motion at which a disc touches a segment: 1 if it does not. */
function againstSegment(
  x: number,
  y: number,
  dx: number,
  dy: number,
  radius: number,
  ax: number,
  ay: number,
  ex: number,
  ey: number,
): number {
  const wx = x - ax;
  const wy = y - ay;
  const length2 = ex * ex + ey * ey;
  const along = Math.min(1, Math.max(0, (wx * ex + wy * ey) / length2));
  const nx = wx - along * ex;
  const ny = wy - along * ey;
  // distance to a convex set along a line is convex: what touches and goes away does not come back
  if (nx * nx + ny * ny <= (radius + 2 * SKIN) ** 2) return nx * dx + ny * dy < 0 ? 0 : 1;
  const way = Math.sqrt(dx * dx + dy * dy);
  let first = way;
  const length = Math.sqrt(length2);
  const side = (wx * -ey + wy * ex) / length; // distance from the segment's line, with its sign
  const speed = (dx * -ey + dy * ex) / (length * way);
  if (side * speed < 0) {
    const t = (Math.abs(side) - radius) / Math.abs(speed);
    const foot = ((wx + (t * dx) / way) * ex + (wy + (t * dy) / way) * ey) / length2;
    if (t >= 0 && foot >= 0 && foot <= 1) first = Math.min(first, t);
  }
  first = Math.min(first, rayCircle(x, y, dx / way, dy / way, ax, ay, radius));
  first = Math.min(first, rayCircle(x, y, dx / way, dy / way, ax + ex, ay + ey, radius));
  return first >= way ? 1 : Math.max(0, (first - SKIN) / way);
}

/** The same against a circle. From within, only the way out is free. */
function againstCircle(
  x: number,
  y: number,
  dx: number,
  dy: number,
  radius: number,
  cx: number,
  cy: number,
  other: number,
): number {
  const wx = x - cx;
  const wy = y - cy;
  const reach = radius + other;
  if (wx * wx + wy * wy <= (reach + 2 * SKIN) ** 2) return wx * dx + wy * dy < 0 ? 0 : 1;
  const way = Math.sqrt(dx * dx + dy * dy);
  const first = rayCircle(x, y, dx / way, dy / way, cx, cy, reach);
  return first >= way ? 1 : Math.max(0, (first - SKIN) / way);
}

/**
 * Fraction (0 … 1) of the straight motion `(dx, dy)` that a disc can make before it touches a body.
 * @param others bodies that are not in the world's grid: moving ones, other robots
 */
export function sweep(
  world: World,
  others: readonly Placed[],
  x: number,
  y: number,
  dx: number,
  dy: number,
  radius: number,
): number {
  if (dx === 0 && dy === 0) return 1;
  const { surfaces } = world;
  const reach = radius + 3 * SKIN;
  const count = surfaces.near(
    Math.min(x, x + dx) - reach,
    Math.min(y, y + dy) - reach,
    Math.max(x, x + dx) + reach,
    Math.max(y, y + dy) + reach,
  );
  let part = 1;
  for (let i = 0; i < count; i++) {
    const k = surfaces.found[i];
    const one =
      k < surfaces.segmentCount
        ? againstSegment(
            x,
            y,
            dx,
            dy,
            radius,
            surfaces.segments[4 * k],
            surfaces.segments[4 * k + 1],
            surfaces.segments[4 * k + 2],
            surfaces.segments[4 * k + 3],
          )
        : againstCircle(
            x,
            y,
            dx,
            dy,
            radius,
            surfaces.circles[3 * (k - surfaces.segmentCount)],
            surfaces.circles[3 * (k - surfaces.segmentCount) + 1],
            surfaces.circles[3 * (k - surfaces.segmentCount) + 2],
          );
    if (one < part) part = one;
  }
  for (const { body, x: bx, y: by } of others) {
    const far = body.reach + reach + Math.abs(dx) + Math.abs(dy);
    if (Math.abs(x - bx) > far || Math.abs(y - by) > far) continue;
    if (body.radius > 0) part = Math.min(part, againstCircle(x, y, dx, dy, radius, bx, by, body.radius));
    for (const { ax, ay, ex, ey } of body.edges)
      part = Math.min(part, againstSegment(x, y, dx, dy, radius, bx + ax, by + ay, ex, ey));
  }
  return part;
}

/** Whether a disc touches a body. */
export function touches(
  world: World,
  others: readonly Placed[],
  x: number,
  y: number,
  radius: number,
): boolean {
  return (
    world.clearance({ x, y }, radius + 3 * SKIN) < radius + 3 * SKIN || touchesPlaced(others, x, y, radius)
  );
}

/** Whether a body that is not in the grid reaches into a disc. */
export function touchesPlaced(others: readonly Placed[], x: number, y: number, radius: number): boolean {
  for (const { body, x: bx, y: by } of others) {
    const dx = x - bx;
    const dy = y - by;
    const far = body.reach + radius;
    if (dx * dx + dy * dy >= far * far) continue;
    if (body.radius > 0) return true;
    for (const { ax, ay, ex, ey } of body.edges)
      if (pointSegment(dx, dy, ax, ay, ex, ey) < radius) return true;
  }
  return false;
}
