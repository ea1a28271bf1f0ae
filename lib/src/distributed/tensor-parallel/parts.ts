/** Who holds which part of a tensor that is cut along an axis: as even as possible, the first members get one more. */
import { ShapeError } from "../../core/errors.js";
import { formatShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { concat, type Index } from "../../ops/shape.js";

export interface Part {
  readonly start: number;
  readonly length: number;
}

/** Member `rank`'s part of `size` elements. */
export function partOf(size: number, rank: number, members: number): Part {
  const [even, more] = [Math.floor(size / members), size % members];
  return { start: rank * even + Math.min(rank, more), length: even + (rank < more ? 1 : 0) };
}

/** The elements from `start` on along an axis. */
export function along(x: Tensor, axis: number, { start, length }: Part): Tensor {
  const index = new Array<Index>(axis).fill(":");
  return x.slice(...index, [start, start + length]);
}

/** How a tensor is cut: in `segments` equal runs along `axis` first (queries, keys, values side by side), each then by member. */
export interface Cut {
  readonly axis: number;
  /** Default 1. */
  readonly segments?: number;
}

/** A member's part of a whole tensor. @throws ShapeError if the segments don't divide the axis */
export function cutOut(x: Tensor, { axis, segments = 1 }: Cut, rank: number, members: number): Tensor {
  const run = segmentLength(x, { axis, segments });
  const part = partOf(run, rank, members);
  const pieces = Array.from({ length: segments }, (_, i) =>
    along(x, axis, { start: i * run + part.start, length: part.length }),
  );
  return pieces.length === 1 ? pieces[0] : concat(pieces, axis);
}

/** The whole of members' parts that lie one after the other along the axis. */
export function putTogether(parts: Tensor, { axis, segments = 1 }: Cut, members: number): Tensor {
  if (segments === 1) return parts;
  const run = segmentLength(parts, { axis, segments });
  const pieces = Array.from({ length: segments * members }, (_, i) => {
    const [segment, member] = [Math.floor(i / members), i % members];
    const { start, length } = partOf(run, member, members);
    return along(parts, axis, { start: start * segments + segment * length, length });
  });
  return concat(pieces, axis);
}

function segmentLength(x: Tensor, { axis, segments = 1 }: Cut): number {
  const size = x.shape[axis];
  if (size % segments !== 0)
    throw new ShapeError(`${formatShape(x.shape)} has no ${segments} equal runs along axis ${axis}`);
  return size / segments;
}
