/** Shapes: lists of non-negative sizes, outermost axis first. */
import type { DType } from "./dtype.js";
import { ShapeError } from "./errors.js";

export type Shape = readonly number[];

/** What a type rule sees and returns: a shape and a dtype. */
export interface TensorType {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** `[2, 3]` as NumPy prints it: `(2, 3)`. */
export function formatShape(shape: Shape): string {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

/** `float32(2, 3)`. */
export function formatType(type: TensorType): string {
  return `${type.dtype}${formatShape(type.shape)}`;
}

/** Number of elements. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const dim of shape) size *= dim;
  return size;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** @throws ShapeError unless every entry is a non-negative integer. */
export function checkShape(shape: Shape, where: string): Shape {
  for (const dim of shape) {
    if (!Number.isInteger(dim) || dim < 0) {
      throw new ShapeError(`${where}: ${formatShape(shape)} is not a shape; sizes are non-negative integers`);
    }
  }
  return shape;
}

/**
 * NumPy's broadcasting of any number of shapes.
 * @throws ShapeError naming the operands that do not fit.
 */
export function broadcastShapes(shapes: readonly Shape[], where: string): Shape {
  const rank = Math.max(0, ...shapes.map((s) => s.length));
  const out = new Array<number>(rank).fill(1);
  for (const shape of shapes) {
    for (let i = 0; i < shape.length; i++) {
      const at = rank - shape.length + i;
      if (shape[i] === 1 || shape[i] === out[at]) continue;
      if (out[at] !== 1) {
        throw new ShapeError(
          `${where}: shapes ${shapes.map(formatShape).join(" and ")} do not broadcast: axis ${at} has ${out[at]} and ${shape[i]}`,
        );
      }
      out[at] = shape[i];
    }
  }
  return out;
}

/** `axis` counted from the front; negative axes count from the back. */
export function normalizeAxis(axis: number, rank: number, where: string): number {
  const at = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || at < 0 || at >= rank) {
    throw new ShapeError(`${where}: axis ${axis} is out of range for a tensor with ${rank} axes`);
  }
  return at;
}

/**
 * An attribute `axis` of an op: counted from the front, since a batching rule adds axes in front of it.
 * @throws ShapeError outside [0, rank).
 */
export function checkAxis(axis: number, rank: number, where: string): number {
  if (!Number.isInteger(axis) || axis < 0 || axis >= rank)
    throw new ShapeError(
      `${where}: the attribute axis is ${axis}; an axis of a tensor with ${rank} axes, counted from the front, was expected`,
    );
  return axis;
}

/** The type of what an op computes along an axis, element by element. */
export function typeAlong(type: TensorType, axis: number, where: string): TensorType {
  checkAxis(axis, type.shape.length, where);
  return type;
}

/** An attribute `axes`: different ones, as `checkAxis`. */
export function checkAxes(axes: readonly number[], rank: number, where: string): readonly number[] {
  for (const axis of axes) checkAxis(axis, rank, where);
  if (new Set(axes).size !== axes.length)
    throw new ShapeError(`${where}: repeated axis in [${axes.join(", ")}]`);
  return axes;
}

/** Axes counted from the front, ascending; `undefined` or `null` means all. */
export function normalizeAxes(
  axes: number | readonly number[] | null | undefined,
  rank: number,
  where: string,
): number[] {
  if (axes === undefined || axes === null) return Array.from({ length: rank }, (_, i) => i);
  const list = (typeof axes === "number" ? [axes] : [...axes]).map((a) => normalizeAxis(a, rank, where));
  if (new Set(list).size !== list.length)
    throw new ShapeError(`${where}: repeated axis in [${list.join(", ")}]`);
  return list.sort((a, b) => a - b);
}

/** The shape after reducing `axes` (ascending, from the front). */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): Shape {
  if (keepDims) return shape.map((dim, i) => (axes.includes(i) ? 1 : dim));
  return shape.filter((_, i) => !axes.includes(i));
}
