/** Logical mesh: a job's devices as a grid with named axes, as data; which device stands where, and who talks to whom. */
import { ValueError } from "../../core/errors.js";

export class LogicalMesh {
  /** Axes, the slowest first: devices are numbered row by row. */
  readonly axes: readonly string[];
  private readonly sizes: ReadonlyMap<string, number>;

  constructor(shape: Readonly<Record<string, number>>) {
    for (const [axis, size] of Object.entries(shape))
      if (!Number.isInteger(size) || size < 1)
        throw new ValueError(`logicalMesh: axis ${axis} has size ${size}; a whole number from 1 is wanted`);
    this.axes = Object.keys(shape);
    this.sizes = new Map(Object.entries(shape));
  }

  /** Number of devices. */
  get size(): number {
    return this.count(this.axes);
  }

  /** Devices along one axis. @throws ValueError if there is no such axis */
  sizeOf(axis: string): number {
    const size = this.sizes.get(axis);
    if (size === undefined)
      throw new ValueError(`mesh ${this}: no axis "${axis}"; it has ${this.axes.join(", ") || "none"}`);
    return size;
  }

  /** Devices along several axes together. */
  count(axes: readonly string[]): number {
    return axes.reduce((product, axis) => product * this.sizeOf(axis), 1);
  }

  /** Where a device stands along each axis. */
  coordinates(device: number): Map<string, number> {
    const found = new Map<string, number>();
    let rest = device;
    for (const axis of [...this.axes].reverse()) {
      found.set(axis, rest % this.sizeOf(axis));
      rest = Math.floor(rest / this.sizeOf(axis));
    }
    return found;
  }

  /** A device's number among those that differ from it along `axes` only; the first axis is the slowest. */
  position(device: number, axes: readonly string[]): number {
    const at = this.coordinates(device);
    return axes.reduce((index, axis) => index * this.sizeOf(axis) + (at.get(axis) as number), 0);
  }

  /** The devices that differ from this one along `axes` only, by their `position`. */
  group(device: number, axes: readonly string[]): number[] {
    const fixed = this.axes.filter((axis) => !axes.includes(axis));
    const mine = this.position(device, fixed);
    return Array.from({ length: this.size }, (_, other) => other)
      .filter((other) => this.position(other, fixed) === mine)
      .sort((a, b) => this.position(a, axes) - this.position(b, axes));
  }

  toString(): string {
    return this.axes.map((axis) => `${axis}=${this.sizeOf(axis)}`).join(" × ") || "one device";
  }
}

/**
 * A mesh of named axes, or of so many devices: then one axis for each prime factor, so that any number of parts that divides
 * it can be asked for.
 * @example distributed.logicalMesh({ data: 2, model: 2 }).group(1, ["data"]) // [1, 3]
 * @throws ValueError for sizes that are no whole numbers from 1
 */
export function logicalMesh(shape: Readonly<Record<string, number>> | number): LogicalMesh {
  if (typeof shape !== "number") return new LogicalMesh(shape);
  if (!Number.isInteger(shape) || shape < 1)
    throw new ValueError(`logicalMesh: ${shape} devices; a whole number from 1 is wanted`);
  const factors: number[] = [];
  for (let rest = shape, p = 2; rest > 1; ) {
    if (rest % p === 0) {
      factors.push(p);
      rest /= p;
    } else p++;
  }
  return new LogicalMesh(Object.fromEntries(factors.map((size, i) => [`d${i}`, size])));
}
