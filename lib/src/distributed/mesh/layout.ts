/** Members at the points of a grid with named axes: pure arithmetic. Row-major, the last axis fastest, as arrays lie in memory. */
import { ValueError } from "../../core/errors.js";

export class MeshLayout<A extends string = string> {
  /** From the slowest to the fastest. */
  readonly axes: readonly A[];
  /** By axis. */
  readonly shape: readonly number[];
  /** Number of points. */
  readonly size: number;

  /**
   * @param sizes of the axes, in order; one of them may be −1: what the others leave of `members`
   * @throws ValueError for sizes that are no whole numbers from 1, or whose product is not `members`
   */
  constructor(sizes: Readonly<Record<A, number>>, members: number) {
    this.axes = Object.keys(sizes) as A[];
    const given = this.axes.map((axis) => sizes[axis]);
    const told = `{ ${this.axes.map((axis, i) => `${axis}: ${given[i]}`).join(", ")} }`;
    if (this.axes.some((axis) => /^\d+$/.test(axis)))
      throw new ValueError(
        `mesh: names of axes are words, got ${told}; an object moves numbers to its front`,
      );
    const open = given.filter((size) => size === -1).length;
    if (open > 1 || given.some((size) => size !== -1 && !(Number.isInteger(size) && size >= 1)))
      throw new ValueError(`mesh: sizes are whole numbers from 1, one of them may be -1, got ${told}`);
    const known = given.reduce((product, size) => (size === -1 ? product : product * size), 1);
    if (open === 0 ? known !== members : members % known !== 0)
      throw new ValueError(
        `mesh: ${told} has ${open === 0 ? known : `a multiple of ${known}`} members, the group ${members}`,
      );
    this.shape = given.map((size) => (size === -1 ? members / known : size));
    this.size = members;
  }

  /** @throws ValueError if there is no such axis */
  place(axis: A): number {
    const at = this.axes.indexOf(axis);
    if (at < 0) throw new ValueError(`mesh: there is no axis "${axis}"; there are ${this.axes.join(", ")}`);
    return at;
  }

  sizeOf(axis: A): number {
    return this.shape[this.place(axis)];
  }

  coordinatesOf(rank: number): Record<A, number> {
    if (!Number.isInteger(rank) || rank < 0 || rank >= this.size)
      throw new ValueError(`mesh: there are members 0 … ${this.size - 1}, not ${rank}`);
    let rest = rank;
    const found = {} as Record<A, number>;
    for (let i = this.axes.length - 1; i >= 0; i--) {
      found[this.axes[i]] = rest % this.shape[i];
      rest = Math.floor(rest / this.shape[i]);
    }
    return found;
  }

  /** @throws ValueError for a coordinate that is missing or outside */
  rankAt(coordinates: Readonly<Record<A, number>>): number {
    return this.axes.reduce((rank, axis, i) => {
      const at = coordinates[axis];
      if (!Number.isInteger(at) || at < 0 || at >= this.shape[i])
        throw new ValueError(`mesh: ${axis} is 0 … ${this.shape[i] - 1}, got ${at}`);
      return rank * this.shape[i] + at;
    }, 0);
  }

  /**
   * The grid cut into lines (planes …) along these axes: members of one differ in these only, and stand in their order.
   */
  lines(along: readonly A[]): number[][] {
    const lines = new Map<string, number[]>();
    for (const axis of along) this.place(axis);
    for (let rank = 0; rank < this.size; rank++) {
      const at = this.coordinatesOf(rank);
      const key = this.axes
        .filter((axis) => !along.includes(axis))
        .map((axis) => at[axis])
        .join();
      const line = lines.get(key);
      if (line) line.push(rank);
      else lines.set(key, [rank]);
    }
    return [...lines.values()];
  }
}
