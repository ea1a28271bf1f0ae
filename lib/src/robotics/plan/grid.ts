/** Occupancy grids (占据栅格): which cells of the plane are free, how far the obstacles are, what it costs to go there. */
import { ShapeError, ValueError } from "../../core/errors.js";
import type { Point2 } from "../control/path-tracking.js";

/** As ROS' nav_msgs/OccupancyGrid: rows from the lowest y up, −1 unknown, 0 free … 100 occupied. */
export interface OccupancyMessage {
  readonly info: {
    readonly resolution: number;
    readonly width: number;
    readonly height: number;
    readonly origin: { readonly position: { readonly x: number; readonly y: number } };
  };
  readonly data: ArrayLike<number>;
}

export interface GridOptions {
  /** m: side of a cell. Default 1. */
  readonly resolution?: number;
  /** m: the corner of cell (0, 0) with the smallest x and y. Default [0, 0]. */
  readonly origin?: Point2;
}

export interface InflateOptions {
  /** m: cells whose middle is this near to an obstacle's are occupied. */
  readonly radius: number;
  /** m: beyond the radius, cost falls as exp(−distance/decay). Default 0: no such cost. */
  readonly decay?: number;
  /** Cost right beside the inflated obstacle: 1 doubles the price of a metre. Default 1. */
  readonly weight?: number;
}

/** Occupancy from which a cell counts as an obstacle. */
const OCCUPIED = 65;

/** A map of cells. Cell i lies in column i mod width and row ⌊i / width⌋; rows count along y. */
export class GridMap {
  readonly resolution: number;
  readonly origin: Point2;
  /** −1 unknown, 0 free … 100 occupied. Change it through `set`. */
  readonly cells: Int8Array;
  /** Extra price per metre in each cell, from 0 on. */
  readonly costs: Float64Array;

  constructor(
    readonly width: number,
    readonly height: number,
    { resolution = 1, origin = [0, 0] }: GridOptions = {},
  ) {
    if (!Number.isInteger(width) || !Number.isInteger(height) || width < 1 || height < 1)
      throw new ShapeError(
        `GridMap: width and height are numbers of cells above 0, got ${width} × ${height}`,
      );
    if (!(resolution > 0)) throw new ValueError(`GridMap: a resolution above 0 m wanted, got ${resolution}`);
    this.resolution = resolution;
    this.origin = origin;
    this.cells = new Int8Array(width * height);
    this.costs = new Float64Array(width * height);
  }

  /**
   * A map from lines of text, the top line at the largest y: `#` is occupied, `?` unknown, everything else free.
   * @throws ShapeError if lines differ in length
   */
  static parse(text: string, options: GridOptions = {}): GridMap {
    const lines = text
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line !== "");
    const map = new GridMap(lines[0]?.length ?? 0, lines.length, options);
    lines.forEach((line, i) => {
      if (line.length !== map.width)
        throw new ShapeError(`GridMap.parse: line ${i} has ${line.length} cells, line 0 has ${map.width}`);
      [...line].forEach((letter, column) => {
        map.cells[(map.height - 1 - i) * map.width + column] = letter === "#" ? 100 : letter === "?" ? -1 : 0;
      });
    });
    return map;
  }

  /** From a message of a ROS map. @throws ShapeError if it has another number of cells than it says */
  static fromMessage({ info, data }: OccupancyMessage): GridMap {
    const { x, y } = info.origin.position;
    const map = new GridMap(info.width, info.height, { resolution: info.resolution, origin: [x, y] });
    if (data.length !== map.cells.length)
      throw new ShapeError(
        `GridMap.fromMessage: ${info.width} × ${info.height} cells, but ${data.length} values`,
      );
    map.cells.set(data as ArrayLike<number> as number[]);
    return map;
  }

  get size(): number {
    return this.cells.length;
  }

  /** The cell around a point, −1 outside of the map. */
  cellAt([x, y]: Point2): number {
    const column = Math.floor((x - this.origin[0]) / this.resolution);
    const row = Math.floor((y - this.origin[1]) / this.resolution);
    return this.inside(column, row) ? row * this.width + column : -1;
  }

  /** The middle of a cell, m. */
  centre(cell: number): Point2 {
    const { width, resolution, origin } = this;
    return [
      origin[0] + ((cell % width) + 0.5) * resolution,
      origin[1] + (Math.floor(cell / width) + 0.5) * resolution,
    ];
  }

  inside(column: number, row: number): boolean {
    return column >= 0 && row >= 0 && column < this.width && row < this.height;
  }

  /** Obstacles, and what lies outside of the map. Unknown cells are none. */
  occupied(cell: number): boolean {
    return cell < 0 || this.cells[cell] >= OCCUPIED;
  }

  /** @param value −1 unknown, 0 free … 100 occupied */
  set(cell: number, value: number): this {
    if (!(cell >= 0 && cell < this.size))
      throw new ValueError(`GridMap.set: no cell ${cell} among ${this.size}`);
    if (!(value >= -1 && value <= 100))
      throw new ValueError(`GridMap.set: occupancy is −1 or 0 … 100, got ${value}`);
    this.cells[cell] = value;
    return this;
  }

  clone(): GridMap {
    const copy = new GridMap(this.width, this.height, this);
    copy.cells.set(this.cells);
    copy.costs.set(this.costs);
    return copy;
  }

  /** m: from the middle of each cell to that of the nearest obstacle; ∞ without one (Felzenszwalb & Huttenlocher 2012). */
  distances(): Float64Array {
    const { width, height, resolution } = this;
    const squares = Float64Array.from(this.cells, (v) => (v >= OCCUPIED ? 0 : Number.POSITIVE_INFINITY));
    for (let row = 0; row < height; row++) lowerEnvelope(squares, row * width, 1, width);
    for (let column = 0; column < width; column++) lowerEnvelope(squares, column, width, height);
    return squares.map((v) => Math.sqrt(v) * resolution);
  }

  /** A map in which a robot of some radius is a point. @throws ValueError for a negative radius */
  inflate({ radius, decay = 0, weight = 1 }: InflateOptions): GridMap {
    if (!(radius >= 0 && decay >= 0 && weight >= 0))
      throw new ValueError(
        `GridMap.inflate: radius, decay and weight from 0 on wanted, got ${radius}, ${decay}, ${weight}`,
      );
    const wide = this.clone();
    this.distances().forEach((distance, cell) => {
      if (distance <= radius) wide.cells[cell] = 100;
      else if (decay > 0)
        wide.costs[cell] = this.costs[cell] + weight * Math.exp((radius - distance) / decay);
    });
    return wide;
  }

  /** Whether the straight line between two points touches no obstacle: every cell that it passes is looked at. */
  clear(from: Point2, to: Point2): boolean {
    for (const cell of this.cellsOn(from, to)) if (this.occupied(cell)) return false;
    return true;
  }

  /** The cells that a straight line passes (Amanatides & Woo 1987); through a corner, both cells beside it too. −1: outside. */
  *cellsOn(from: Point2, to: Point2): Generator<number> {
    const { resolution, origin, width } = this;
    const at = [(from[0] - origin[0]) / resolution, (from[1] - origin[1]) / resolution];
    const end = [(to[0] - origin[0]) / resolution, (to[1] - origin[1]) / resolution];
    const delta = [end[0] - at[0], end[1] - at[1]];
    const cell = at.map(Math.floor);
    const last = end.map(Math.floor);
    const step = delta.map(Math.sign);
    const each = delta.map((d) => (d === 0 ? Number.POSITIVE_INFINITY : 1 / Math.abs(d)));
    const next = delta.map((d, i) =>
      d === 0 ? Number.POSITIVE_INFINITY : (d > 0 ? cell[i] + 1 - at[i] : at[i] - cell[i]) * each[i],
    );
    const index = (column: number, row: number): number =>
      this.inside(column, row) ? row * width + column : -1;
    yield index(cell[0], cell[1]);
    let left = Math.abs(last[0] - cell[0]) + Math.abs(last[1] - cell[1]);
    while (left > 0) {
      if (Math.abs(next[0] - next[1]) < 1e-12 && left > 1) {
        yield index(cell[0] + step[0], cell[1]);
        yield index(cell[0], cell[1] + step[1]);
        for (const axis of [0, 1]) {
          cell[axis] += step[axis];
          next[axis] += each[axis];
        }
        left -= 2;
      } else {
        const axis = next[0] < next[1] ? 0 : 1;
        cell[axis] += step[axis];
        next[axis] += each[axis];
        left--;
      }
      yield index(cell[0], cell[1]);
    }
  }
}

/** min over j of (i − j)² + f(j), for all i of one line. */
function lowerEnvelope(values: Float64Array, start: number, stride: number, count: number): void {
  const f = Float64Array.from({ length: count }, (_, i) => values[start + i * stride]);
  const roots: number[] = [];
  const from: number[] = [];
  for (let j = 0; j < count; j++) {
    if (f[j] === Number.POSITIVE_INFINITY) continue;
    let cross = Number.NEGATIVE_INFINITY;
    while (roots.length > 0) {
      const i = roots[roots.length - 1];
      cross = (f[j] + j * j - f[i] - i * i) / (2 * (j - i));
      if (cross > from[from.length - 1]) break;
      roots.pop();
      from.pop();
      cross = Number.NEGATIVE_INFINITY;
    }
    roots.push(j);
    from.push(cross);
  }
  if (roots.length === 0) return;
  let k = 0;
  for (let i = 0; i < count; i++) {
    while (k + 1 < roots.length && from[k + 1] < i) k++;
    values[start + i * stride] = (i - roots[k]) ** 2 + f[roots[k]];
  }
}
