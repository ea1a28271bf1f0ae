/**
 * Sharding: how a tensor lies on a mesh. Each dimension is cut along some mesh axes (none: whole), and along further axes
 * the devices may hold partial sums, whose total is the tensor. (GSPMD: Xu et al. 2021.)
 */
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape, type Shape } from "../../core/shape.js";
import type { LogicalMesh } from "./mesh.js";

export interface Sharding {
  /** Mesh axes of each dimension; the first one cuts it into the largest parts. */
  readonly dims: readonly (readonly string[])[];
  /** Axes along which devices hold terms of a sum. */
  readonly partial: readonly string[];
}

/** What is written for a dimension: an axis, several, `null` for whole, "?" for whatever propagation finds. */
export type DimSpec = string | readonly string[] | null;

/** One entry a dimension; those left out at the end are whole. */
export type ShardSpec = readonly DimSpec[];

/** What propagation is free to choose. */
export const OPEN = "?";

/** Whole on every device. */
export function replicated(rank: number): Sharding {
  return { dims: Array.from({ length: rank }, () => []), partial: [] };
}

/**
 * The sharding that a specification means; open dimensions count as whole.
 * @throws ShapeError if there are more entries than dimensions, or a dimension does not divide; ValueError for axes that the
 *   mesh does not have or that are named twice
 */
export function shardingOf(
  mesh: LogicalMesh,
  shape: Shape,
  spec: ShardSpec,
  partial: readonly string[] = [],
): Sharding {
  if (spec.length > shape.length)
    throw new ShapeError(
      `shard: ${spec.length} entries for the ${shape.length} axes of ${formatShape(shape)}`,
    );
  const dims = shape.map((_, i) => {
    const entry = spec[i] ?? null;
    if (entry === null || entry === OPEN) return [];
    return typeof entry === "string" ? [entry] : [...entry];
  });
  const sharding = { dims, partial: [...partial] };
  checkSharding(mesh, shape, sharding);
  return sharding;
}

/** @throws ShapeError or ValueError as `shardingOf` */
export function checkSharding(mesh: LogicalMesh, shape: Shape, { dims, partial }: Sharding): void {
  const used = [...dims.flat(), ...partial];
  const twice = used.find((axis, i) => used.indexOf(axis) !== i);
  if (twice !== undefined)
    throw new ValueError(`shard: mesh axis "${twice}" is used twice in ${formatDims({ dims, partial })}`);
  for (const axis of partial) mesh.sizeOf(axis);
  dims.forEach((axes, i) => {
    const parts = mesh.count(axes);
    if (shape[i] % parts !== 0)
      throw new ShapeError(
        `shard: axis ${i} of ${formatShape(shape)} does not divide into ${parts} equal parts (${axes.join(", ")})`,
      );
  });
}

/** The shape of what each device holds. */
export function localShape(mesh: LogicalMesh, shape: Shape, { dims }: Sharding): Shape {
  return shape.map((size, i) => size / mesh.count(dims[i]));
}

/** Where a device's part starts in the whole. */
export function localStart(mesh: LogicalMesh, shape: Shape, sharding: Sharding, device: number): Shape {
  const sizes = localShape(mesh, shape, sharding);
  return sizes.map((size, i) => size * mesh.position(device, sharding.dims[i]));
}

export function sameSharding(a: Sharding, b: Sharding): boolean {
  return keyOf(a) === keyOf(b);
}

/** A text that is the same for equal shardings. */
export function keyOf({ dims, partial }: Sharding): string {
  return `${dims.map((axes) => axes.join(",")).join("|")}+${[...partial].sort().join(",")}`;
}

/**
 * The text form: `[data, ·, model·x]`, with `+model` for sums that are still to be made.
 * @example distributed.formatDims({ dims: [["data"], []], partial: ["model"] }) // "[data, ·] +model"
 */
export function formatDims({ dims, partial }: Sharding): string {
  const text = `[${dims.map((axes) => axes.join("·") || "·").join(", ")}]`;
  return partial.length > 0 ? `${text} +${partial.join("+")}` : text;
}
