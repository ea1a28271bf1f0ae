/**
 * Surfaces that do not move, in a uniform grid: rays walk from cell to cell (Amanatides & Woo 1987) and test what the
 * cell holds.
 */
import type { Body } from "./body.js";
import { type Bounds, rayCircle } from "./geometry.js";

/** Cells for each surface, about. */
const CELLS_PER_SURFACE = 2;
const MAX_CELLS = 1 << 16;

export class SurfaceGrid {
  /** ax, ay, ex, ey of each segment. */
  readonly segments: Float64Array;
  /** cx, cy, radius of each circle. */
  readonly circles: Float64Array;
  /** Index of the body that a surface belongs to: segments first, then circles. */
  readonly bodyOf: Int32Array;
  /** Texture coordinate at a segment's start, metres. */
  readonly alongOf: Float64Array;
  readonly segmentCount: number;
  /** What `near` found: the first `near(…)` entries. */
  readonly found: Int32Array;
  /** The surface that the last `cast` hit, −1 for none. */
  hit = -1;

  private readonly columns: number;
  private readonly rows: number;
  private readonly cell: number;
  private readonly starts: Int32Array;
  private readonly items: Int32Array;
  private readonly stamps: Int32Array;
  private stamp = 0;

  constructor(
    bodies: readonly Body[],
    /** Which of them stand in the grid. */
    members: readonly number[],
    private readonly bounds: Bounds,
  ) {
    const edges = members.flatMap((i) => bodies[i].edges.map((edge) => ({ edge, i })));
    const round = members.filter((i) => bodies[i].radius > 0);
    this.segmentCount = edges.length;
    this.segments = new Float64Array(
      edges.flatMap(({ edge, i }) => [bodies[i].at.x + edge.ax, bodies[i].at.y + edge.ay, edge.ex, edge.ey]),
    );
    this.circles = new Float64Array(round.flatMap((i) => [bodies[i].at.x, bodies[i].at.y, bodies[i].radius]));
    this.bodyOf = Int32Array.from([...edges.map(({ i }) => i), ...round]);
    this.alongOf = Float64Array.from(edges, ({ edge }) => edge.along);
    this.stamps = new Int32Array(this.bodyOf.length);
    this.found = new Int32Array(this.bodyOf.length);

    const [width, height] = [bounds.maxX - bounds.minX, bounds.maxY - bounds.minY];
    const wanted = Math.min(MAX_CELLS, Math.max(16, CELLS_PER_SURFACE * this.bodyOf.length));
    this.cell = Math.max(Math.sqrt((width * height) / wanted), Math.max(width, height) / 1024) || 1;
    this.columns = Math.max(1, Math.ceil(width / this.cell + 1e-9));
    this.rows = Math.max(1, Math.ceil(height / this.cell + 1e-9));
    const lists: number[][] = Array.from({ length: this.columns * this.rows }, () => []);
    for (let k = 0; k < this.bodyOf.length; k++) this.enter(k, lists);
    this.starts = new Int32Array(lists.length + 1);
    lists.forEach((list, c) => {
      this.starts[c + 1] = this.starts[c] + list.length;
    });
    this.items = Int32Array.from(lists.flat());
  }

  /** Puts a surface into each cell that it touches. */
  private enter(k: number, lists: number[][]): void {
    const { cell, bounds, columns } = this;
    const slack = cell * 1e-6; // a surface on the border of two cells is in both
    const reach = cell * Math.SQRT1_2 + slack;
    if (k >= this.segmentCount) {
      const [cx, cy, r] = this.circles.subarray(3 * (k - this.segmentCount));
      this.forCells(cx - r, cy - r, cx + r, cy + r, (column, row) => {
        const x = bounds.minX + (column + 0.5) * cell;
        const y = bounds.minY + (row + 0.5) * cell;
        if (Math.abs(Math.hypot(x - cx, y - cy) - r) <= reach) lists[row * columns + column].push(k);
      });
      return;
    }
    const [ax, ay, ex, ey] = this.segments.subarray(4 * k);
    const [x0, x1] = [Math.min(ax, ax + ex), Math.max(ax, ax + ex)];
    const [y0, y1] = [Math.min(ay, ay + ey), Math.max(ay, ay + ey)];
    const half = (cell / 2 + slack) * (Math.abs(ex) + Math.abs(ey)); // the cell's extent along the segment's normal
    this.forCells(x0 - slack, y0 - slack, x1 + slack, y1 + slack, (column, row) => {
      const x = bounds.minX + (column + 0.5) * cell;
      const y = bounds.minY + (row + 0.5) * cell;
      if (Math.abs((x - ax) * ey - (y - ay) * ex) <= half) lists[row * columns + column].push(k);
    });
  }

  private forCells(
    x0: number,
    y0: number,
    x1: number,
    y1: number,
    visit: (column: number, row: number) => void,
  ): void {
    const { cell, bounds, columns, rows } = this;
    const first = Math.max(0, Math.floor((x0 - bounds.minX) / cell));
    const last = Math.min(columns - 1, Math.floor((x1 - bounds.minX) / cell));
    const bottom = Math.max(0, Math.floor((y0 - bounds.minY) / cell));
    const top = Math.min(rows - 1, Math.floor((y1 - bounds.minY) / cell));
    for (let row = bottom; row <= top; row++)
      for (let column = first; column <= last; column++) visit(column, row);
  }

  /** Distance along a ray to the first surface, `limit` if none is nearer; `hit` tells which. `dx, dy` has length 1. */
  cast(ox: number, oy: number, dx: number, dy: number, limit: number): number {
    this.hit = -1;
    const { cell, columns, rows, starts, items, segments, circles, segmentCount, bounds } = this;
    const enter = this.entry(ox, oy, dx, dy);
    if (enter > limit) return limit;
    const px = (ox + enter * dx - bounds.minX) / cell;
    const py = (oy + enter * dy - bounds.minY) / cell;
    let column = Math.min(columns - 1, Math.max(0, px | 0)) | 0;
    let row = Math.min(rows - 1, Math.max(0, py | 0)) | 0;
    const stepX = dx < 0 ? -1 : 1;
    const stepY = dy < 0 ? -1 : 1;
    const deltaX = dx === 0 ? Infinity : Math.abs(cell / dx);
    const deltaY = dy === 0 ? Infinity : Math.abs(cell / dy);
    // where the ray leaves this cell, through its sides in x and in y
    let nextX = dx === 0 ? Infinity : enter + (dx < 0 ? px - column : column + 1 - px) * deltaX;
    let nextY = dy === 0 ? Infinity : enter + (dy < 0 ? py - row : row + 1 - py) * deltaY;
    let best = limit;
    let hit = -1;
    for (;;) {
      const c = (row * columns + column) | 0;
      for (let i = starts[c], end = starts[c + 1]; i < end; i++) {
        const k = items[i];
        if (k >= segmentCount) {
          const at = 3 * (k - segmentCount);
          const t = rayCircle(ox, oy, dx, dy, circles[at], circles[at + 1], circles[at + 2]);
          if (t < best) {
            best = t;
            hit = k;
          }
          continue;
        }
        // as raySegment, with one division, for what is hit
        const at = 4 * k;
        const ex = segments[at + 2];
        const ey = segments[at + 3];
        const wx = segments[at] - ox;
        const wy = segments[at + 1] - oy;
        let across = dx * ey - dy * ex;
        let t = wx * ey - wy * ex;
        let u = wx * dy - wy * dx;
        if (across < 0) {
          across = -across;
          t = -t;
          u = -u;
        }
        const slack = 1e-12 * across;
        if (!(t >= 0 && t < best * across && u >= -slack && u <= across + slack)) continue;
        best = t / across;
        hit = k;
      }
      if (best <= nextX && best <= nextY) break;
      if (nextX < nextY) {
        nextX += deltaX;
        column = (column + stepX) | 0;
        if (column < 0 || column >= columns) break;
      } else {
        nextY += deltaY;
        row = (row + stepY) | 0;
        if (row < 0 || row >= rows) break;
      }
    }
    this.hit = hit;
    return best;
  }

  /**
   * Calls `visit` once with each surface in the cells along a ray, cell by cell; it says how far the ray still goes.
   * `dx, dy` has length 1.
   */
  walk(
    ox: number,
    oy: number,
    dx: number,
    dy: number,
    limit: number,
    visit: (surface: number) => number,
  ): void {
    const { cell, columns, rows, starts, items, stamps } = this;
    const enter = this.entry(ox, oy, dx, dy);
    if (enter > limit) return;
    this.stamp = (this.stamp + 1) | 0;
    const { stamp } = this;
    const px = (ox + enter * dx - this.bounds.minX) / cell;
    const py = (oy + enter * dy - this.bounds.minY) / cell;
    let column = Math.min(columns - 1, Math.max(0, Math.floor(px)));
    let row = Math.min(rows - 1, Math.max(0, Math.floor(py)));
    const deltaX = dx === 0 ? Infinity : Math.abs(cell / dx);
    const deltaY = dy === 0 ? Infinity : Math.abs(cell / dy);
    let nextX = dx === 0 ? Infinity : enter + (dx < 0 ? px - column : column + 1 - px) * deltaX;
    let nextY = dy === 0 ? Infinity : enter + (dy < 0 ? py - row : row + 1 - py) * deltaY;
    let end = limit;
    while (column >= 0 && column < columns && row >= 0 && row < rows) {
      const c = row * columns + column;
      for (let i = starts[c]; i < starts[c + 1]; i++) {
        const k = items[i];
        if (stamps[k] === stamp) continue;
        stamps[k] = stamp;
        end = Math.min(end, visit(k));
      }
      if (end <= Math.min(nextX, nextY)) return;
      if (nextX < nextY) {
        nextX += deltaX;
        column += dx < 0 ? -1 : 1;
      } else {
        nextY += deltaY;
        row += dy < 0 ? -1 : 1;
      }
    }
  }

  /** Distance along the ray to where it enters the grid; `Infinity` if it never does. */
  private entry(ox: number, oy: number, dx: number, dy: number): number {
    const { minX, minY, maxX, maxY } = this.bounds;
    if (ox >= minX && ox <= maxX && oy >= minY && oy <= maxY) return 0;
    let enter = 0;
    let leave = Infinity;
    if (dx !== 0) {
      const [a, b] = [(minX - ox) / dx, (maxX - ox) / dx];
      enter = Math.max(enter, Math.min(a, b));
      leave = Math.min(leave, Math.max(a, b));
    } else if (ox < minX || ox > maxX) return Infinity;
    if (dy !== 0) {
      const [a, b] = [(minY - oy) / dy, (maxY - oy) / dy];
      enter = Math.max(enter, Math.min(a, b));
      leave = Math.min(leave, Math.max(a, b));
    } else if (oy < minY || oy > maxY) return Infinity;
    return enter <= leave + 1e-9 ? enter : Infinity;
  }

  /** Surfaces in the cells that a rectangle touches: how many stand in `found`. */
  near(x0: number, y0: number, x1: number, y1: number): number {
    const { cell, bounds, columns, rows, starts, items, stamps, found } = this;
    this.stamp = (this.stamp + 1) | 0;
    const { stamp } = this;
    const first = Math.max(0, Math.floor((x0 - bounds.minX) / cell - 1e-6));
    const last = Math.min(columns - 1, Math.floor((x1 - bounds.minX) / cell + 1e-6));
    const bottom = Math.max(0, Math.floor((y0 - bounds.minY) / cell - 1e-6));
    const top = Math.min(rows - 1, Math.floor((y1 - bounds.minY) / cell + 1e-6));
    let count = 0;
    for (let row = bottom; row <= top; row++)
      for (let c = row * columns + first; c <= row * columns + last; c++)
        for (let i = starts[c]; i < starts[c + 1]; i++) {
          const k = items[i];
          if (stamps[k] === stamp) continue;
          stamps[k] = stamp;
          found[count++] = k;
        }
    return count;
  }
}
