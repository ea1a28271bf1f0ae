/** Nearest neighbours in a set of points that grows (k-d tree; Bentley 1975), rebuilt when it has become lopsided. */
import { ShapeError } from "../../core/errors.js";

export interface Neighbour {
  /** Number of the point, in order of insertion. */
  readonly index: number;
  readonly distance: number;
}

export class KdTree {
  private count = 0;
  private coordinates: Float64Array;
  private left: Int32Array;
  private right: Int32Array;
  private root = -1;
  /** Points when the tree was last balanced. */
  private balanced = 0;

  constructor(
    readonly dimensions: number,
    points: readonly ArrayLike<number>[] = [],
  ) {
    const room = Math.max(16, points.length);
    this.coordinates = new Float64Array(room * dimensions);
    this.left = new Int32Array(room).fill(-1);
    this.right = new Int32Array(room).fill(-1);
    for (const point of points) this.store(point);
    this.rebalance();
  }

  get size(): number {
    return this.count;
  }

  /** Coordinates of a point. */
  point(index: number): number[] {
    return Array.from(this.coordinates.subarray(index * this.dimensions, (index + 1) * this.dimensions));
  }

  /** Adds a point; its number. @throws ShapeError for a point of other dimensions */
  insert(point: ArrayLike<number>): number {
    const index = this.store(point);
    if (this.root < 0 || this.count > 2 * this.balanced + 16) {
      this.rebalance();
      return index;
    }
    let [at, depth] = [this.root, 0];
    for (;;) {
      const side = this.below(index, at, depth % this.dimensions) ? this.left : this.right;
      if (side[at] < 0) {
        side[at] = index;
        return index;
      }
      at = side[at];
      depth++;
    }
  }

  /** The nearest point (Euclidean). `null` in an empty tree. */
  nearest(to: ArrayLike<number>): Neighbour | null {
    return this.nearestOf(to, 1)[0] ?? null;
  }

  /** The k nearest points, nearest first. */
  nearestOf(to: ArrayLike<number>, k: number): Neighbour[] {
    const found: { index: number; square: number }[] = [];
    const visit = (index: number, square: number): number => {
      let at = found.length;
      while (at > 0 && found[at - 1].square > square) at--;
      if (at < k) {
        found.splice(at, 0, { index, square });
        if (found.length > k) found.pop();
      }
      return found.length < k ? Number.POSITIVE_INFINITY : found[k - 1].square;
    };
    if (k > 0) this.walk(to, Number.POSITIVE_INFINITY, visit);
    return found.map(({ index, square }) => ({ index, distance: Math.sqrt(square) }));
  }

  /** The points within a distance, in no order. */
  within(to: ArrayLike<number>, radius: number): Neighbour[] {
    const found: Neighbour[] = [];
    const limit = radius * radius;
    this.walk(to, limit, (index, square) => {
      if (square <= limit) found.push({ index, distance: Math.sqrt(square) });
      return limit;
    });
    return found;
  }

  /** Calls `visit` for points that may lie within the square of a distance; it returns the new limit. */
  private walk(to: ArrayLike<number>, start: number, visit: (index: number, square: number) => number): void {
    const { dimensions, coordinates, left, right } = this;
    let limit = start;
    const down = (node: number, axis: number): void => {
      if (node < 0) return;
      let square = 0;
      for (let d = 0; d < dimensions; d++) square += (to[d] - coordinates[node * dimensions + d]) ** 2;
      if (square <= limit) limit = visit(node, square);
      const gap = to[axis] - coordinates[node * dimensions + axis];
      const next = axis + 1 === dimensions ? 0 : axis + 1;
      down(gap < 0 ? left[node] : right[node], next);
      if (gap * gap <= limit) down(gap < 0 ? right[node] : left[node], next);
    };
    down(this.root, 0);
  }

  private below(a: number, b: number, axis: number): boolean {
    return this.coordinates[a * this.dimensions + axis] < this.coordinates[b * this.dimensions + axis];
  }

  private store(point: ArrayLike<number>): number {
    const { dimensions } = this;
    if (point.length !== dimensions)
      throw new ShapeError(`KdTree: points have ${dimensions} coordinates, got ${point.length}`);
    if (this.count === this.left.length) {
      const grown = (old: Int32Array): Int32Array => {
        const wide = new Int32Array(2 * old.length).fill(-1);
        wide.set(old);
        return wide;
      };
      const wide = new Float64Array(2 * this.coordinates.length);
      wide.set(this.coordinates);
      [this.coordinates, this.left, this.right] = [wide, grown(this.left), grown(this.right)];
    }
    for (let d = 0; d < dimensions; d++) this.coordinates[this.count * dimensions + d] = point[d];
    return this.count++;
  }

  private rebalance(): void {
    const { dimensions } = this;
    this.balanced = this.count;
    this.left.fill(-1);
    this.right.fill(-1);
    const build = (indices: number[], axis: number): number => {
      if (indices.length === 0) return -1;
      const value = (i: number): number => this.coordinates[i * dimensions + axis];
      indices.sort((a, b) => value(a) - value(b));
      let middle = indices.length >> 1;
      while (middle > 0 && value(indices[middle - 1]) === value(indices[middle])) middle--; // equals go right
      const node = indices[middle];
      const next = (axis + 1) % dimensions;
      this.left[node] = build(indices.slice(0, middle), next);
      this.right[node] = build(indices.slice(middle + 1), next);
      return node;
    };
    this.root = build(
      Array.from({ length: this.count }, (_, i) => i),
      0,
    );
  }
}
