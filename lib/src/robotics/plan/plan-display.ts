/** What planners return, drawn in notebooks: obstacles, trees, paths as light SVG. */
import { displaySymbol, escapeHtml, type MimeBundle } from "../../core/display.js";
import { PALETTE } from "../../viz/plot.js";
import type { GridMap } from "./grid.js";
import { GridSpace, ObstacleSpace, type Point, type Space } from "./space.js";

export interface MapDrawing {
  readonly paths?: readonly (readonly Point[])[];
  /** Edges, drawn thin. */
  readonly edges?: readonly (readonly [Point, Point])[];
  /** Cells, drawn tinted (of a grid map). */
  readonly cells?: Iterable<number>;
  readonly points?: readonly Point[];
  readonly title?: string;
  /** Pixels. Default 420. */
  readonly width?: number;
}

/**
 * A map or a space with paths on it, as a MIME bundle (SVG).
 * @example Object.keys(plan.mapDisplay(new plan.GridMap(3, 2), { paths: [[[0.5, 0.5], [2.5, 0.5]]] })).length // 2
 */
export function mapDisplay(
  place: GridMap | Space,
  { paths = [], edges = [], cells = [], points = [], title = "plan", width = 420 }: MapDrawing = {},
): MimeBundle {
  const space: Space = "bounds" in place ? place : new GridSpace(place);
  const [[left, right], [low, high]] = space.bounds;
  const scale = width / (right - left);
  const height = (high - low) * scale;
  const x = (v: number): string => ((v - left) * scale).toFixed(1);
  const y = (v: number): string => ((high - v) * scale).toFixed(1);
  const line = (path: readonly Point[]): string => path.map(([px, py]) => `${x(px)},${y(py)}`).join(" ");
  const parts = [`<rect width="${width}" height="${height.toFixed(1)}" fill="#ffffff" stroke="#7f7f7f"/>`];
  if (space instanceof GridSpace) parts.push(gridShapes(space.map, cells, scale, { x, y }));
  if (space instanceof ObstacleSpace) {
    for (const { centre, radius } of space.balls)
      parts.push(
        `<circle cx="${x(centre[0])}" cy="${y(centre[1])}" r="${(radius * scale).toFixed(1)}" fill="#555"/>`,
      );
    for (const { lower, upper } of space.boxes)
      parts.push(
        `<rect x="${x(lower[0])}" y="${y(upper[1])}" width="${((upper[0] - lower[0]) * scale).toFixed(1)}" height="${((upper[1] - lower[1]) * scale).toFixed(1)}" fill="#555"/>`,
      );
  }
  if (edges.length > 0)
    parts.push(
      `<path d="${edges.map(([a, b]) => `M${x(a[0])} ${y(a[1])}L${x(b[0])} ${y(b[1])}`).join("")}" stroke="${PALETTE[5]}" stroke-width="0.6" fill="none"/>`,
    );
  paths.forEach((path, i) => {
    parts.push(
      `<polyline points="${line(path)}" fill="none" stroke="${PALETTE[i % PALETTE.length]}" stroke-width="2.5" stroke-linejoin="round"/>`,
    );
    const [first, last] = [path[0], path[path.length - 1]];
    if (first && last)
      parts.push(
        `<circle cx="${x(first[0])}" cy="${y(first[1])}" r="4" fill="${PALETTE[2]}"/><circle cx="${x(last[0])}" cy="${y(last[1])}" r="4" fill="${PALETTE[4]}"/>`,
      );
  });
  for (const point of points)
    parts.push(`<circle cx="${x(point[0])}" cy="${y(point[1])}" r="1.5" fill="${PALETTE[6]}"/>`);
  return {
    "image/svg+xml": `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height.toFixed(1)}" width="${width}" role="img" aria-label="${escapeHtml(title)}">${parts.join("")}</svg>`,
    "text/plain": title,
  };
}

/** Rows of equal cells as one rectangle each. */
function gridShapes(
  map: GridMap,
  tinted: Iterable<number>,
  scale: number,
  { x, y }: { x(v: number): string; y(v: number): string },
): string {
  const tint = new Set(tinted);
  const colour = (cell: number): string | null =>
    map.occupied(cell) ? "#555" : map.cells[cell] < 0 ? "#ccc" : tint.has(cell) ? "#d6ecf8" : null;
  const side = map.resolution * scale;
  const parts: string[] = [];
  for (let row = 0; row < map.height; row++) {
    for (let column = 0; column < map.width; ) {
      const fill = colour(row * map.width + column);
      let end = column + 1;
      while (end < map.width && colour(row * map.width + end) === fill) end++;
      if (fill)
        parts.push(
          `<rect x="${x(map.origin[0] + column * map.resolution)}" y="${y(map.origin[1] + (row + 1) * map.resolution)}" width="${((end - column) * side).toFixed(1)}" height="${side.toFixed(1)}" fill="${fill}"/>`,
        );
      column = end;
    }
  }
  return parts.join("");
}

/** A path through a space, with the tree or roadmap that it was found in. */
export class TreePlan {
  constructor(
    readonly space: Space,
    /** From start to goal; `null` if none was found. */
    readonly path: readonly Point[] | null,
    /** Its length; ∞ without a path. */
    readonly cost: number,
    readonly points: readonly Point[],
    /** Parent of each point in the tree, −1 at the root. */
    readonly parents: readonly number[],
    /** The best length after each iteration. */
    readonly history: readonly number[],
  ) {}

  toString(): string {
    return this.path
      ? `path of ${this.path.length} points, length ${this.cost.toPrecision(5)}, among ${this.points.length} points`
      : `no path among ${this.points.length} points`;
  }

  [displaySymbol](): MimeBundle {
    const edges = this.parents.flatMap((parent, i) =>
      parent < 0 ? [] : [[this.points[i], this.points[parent]] as const],
    );
    if (this.space.bounds.length !== 2) return { "text/plain": String(this) };
    return mapDisplay(this.space, { paths: this.path ? [this.path] : [], edges, title: String(this) });
  }
}
