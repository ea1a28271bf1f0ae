/** Graphs that searches walk: anything with numbered nodes; grids seen as such. */
import { ValueError } from "../../core/errors.js";
import type { GridMap } from "./grid.js";

/** Nodes 0 … size − 1 and edges with costs above 0. */
export interface SearchGraph {
  readonly size: number;
  /** Calls `visit` for each edge that leaves a node. */
  neighbours(node: number, visit: (next: number, cost: number) => void): void;
}

/** A lower bound of the cost between two nodes. Consistent: h(a, c) ≤ cost(a, b) + h(b, c). */
export type Heuristic = (from: number, to: number) => number;

export type Connectivity = 4 | 8;

/**
 * A grid map as a graph. An edge costs its length in metres, times 1 + the mean extra cost of its cells. Diagonal steps
 * don't cut corners: both cells beside them must be free.
 */
export class GridGraph implements SearchGraph {
  constructor(
    readonly map: GridMap,
    readonly connectivity: Connectivity = 8,
  ) {
    if (connectivity !== 4 && connectivity !== 8)
      throw new ValueError(`GridGraph: connectivity is 4 or 8, got ${connectivity}`);
  }

  get size(): number {
    return this.map.size;
  }

  neighbours(node: number, visit: (next: number, cost: number) => void): void {
    const { map, connectivity } = this;
    const { width, height } = map;
    if (map.occupied(node)) return;
    const column = node % width;
    const row = (node - column) / width;
    const edge = (next: number, length: number): void =>
      visit(next, length * map.resolution * (1 + (map.costs[node] + map.costs[next]) / 2));
    const free = (dx: number, dy: number): boolean =>
      column + dx >= 0 &&
      column + dx < width &&
      row + dy >= 0 &&
      row + dy < height &&
      !map.occupied(node + dy * width + dx);
    const [left, right, down, up] = [free(-1, 0), free(1, 0), free(0, -1), free(0, 1)];
    if (left) edge(node - 1, 1);
    if (right) edge(node + 1, 1);
    if (down) edge(node - width, 1);
    if (up) edge(node + width, 1);
    if (connectivity === 4) return;
    if (left && down && free(-1, -1)) edge(node - width - 1, Math.SQRT2);
    if (right && down && free(1, -1)) edge(node - width + 1, Math.SQRT2);
    if (left && up && free(-1, 1)) edge(node + width - 1, Math.SQRT2);
    if (right && up && free(1, 1)) edge(node + width + 1, Math.SQRT2);
  }

  /** The cost of the best path on an empty map: octile distance, or city blocks with four neighbours. Consistent. */
  get heuristic(): Heuristic {
    const { width, resolution } = this.map;
    const diagonal = this.connectivity === 8 ? Math.SQRT2 : 2;
    return (from, to) => {
      const dx = Math.abs((from % width) - (to % width));
      const dy = Math.abs(Math.floor(from / width) - Math.floor(to / width));
      return resolution * (Math.max(dx, dy) + (diagonal - 1) * Math.min(dx, dy));
    };
  }

  /** Nodes whose edges change with a cell: it and those around it. */
  *around(cell: number): Generator<number> {
    const { width } = this.map;
    const [column, row] = [cell % width, Math.floor(cell / width)];
    for (let dy = -1; dy <= 1; dy++)
      for (let dx = -1; dx <= 1; dx++)
        if (this.map.inside(column + dx, row + dy)) yield cell + dy * width + dx;
  }
}
