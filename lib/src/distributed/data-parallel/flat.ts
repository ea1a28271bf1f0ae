/** Many tensors in one piece of memory: few large messages cost less than many small ones. */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { contiguousStrides, isContiguous, type Layout } from "../../core/layout.js";
import { type Shape, sizeOf, type TensorType } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { needConcrete } from "../../ops/read.js";
import { type DenseTensor, emptyDense, viewOf } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { memory } from "../../runtime/heap.js";
import { elementPositions } from "../../runtime/host-array.js";
import { outsideScopes } from "../../runtime/tidy.js";

/** One tensor's place in a flat buffer, in elements. */
export interface Piece {
  readonly shape: Shape;
  readonly from: number;
  readonly to: number;
}

/** Where tensors of one dtype lie, one after the other. */
export interface FlatLayout {
  readonly dtype: DType;
  readonly pieces: readonly Piece[];
  /** Elements in all. */
  readonly size: number;
}

export function flatLayout(types: readonly TensorType[], dtype: DType): FlatLayout {
  let size = 0;
  const pieces = types.map(({ shape }): Piece => {
    const from = size;
    size += sizeOf(shape);
    return { shape, from, to: size };
  });
  return { dtype, pieces, size };
}

/** Uninitialized, in no scope; the caller disposes it. */
export function flatBuffer(size: number, dtype: DType): DenseTensor {
  return outsideScopes(() => emptyDense([size], dtype, getDevice()));
}

/** A piece of a flat tensor, in its own shape: a view. */
export function pieceOf(flat: DenseTensor, { shape, from }: Piece): DenseTensor {
  return viewOf(flat, { shape, strides: contiguousStrides(shape), offset: flat.offset + from });
}

/** What lies in the host heap: a kernel's argument, or a tensor. */
export interface HostBytes extends Layout {
  readonly dtype: DType;
  readonly ptr: number;
}

/** A tensor's elements as they lie in the host heap, to be read. */
export function hostBytes(x: DenseTensor): HostBytes {
  const { shape, strides, offset, dtype, storage } = x;
  return { shape, strides, offset, dtype, ptr: storage.readable };
}

/** Copies elements, row-major, to element `at` of a flat buffer of the same dtype. */
export function copyInto(flat: DenseTensor, at: number, from: HostBytes): void {
  copyElements(from, flat.storage.ptr + (flat.offset + at) * bytesPerElement(flat.dtype));
}

/** Copies a piece of a flat tensor to a row-major array. */
export function copyOut(flat: DenseTensor, { shape, from }: Piece, to: HostBytes): void {
  const { dtype, offset } = flat;
  const part = { shape, strides: contiguousStrides(shape), offset: offset + from, dtype };
  copyElements({ ...part, ptr: flat.storage.readable }, to.ptr + to.offset * bytesPerElement(dtype));
}

function copyElements(from: HostBytes, address: number): void {
  const width = bytesPerElement(from.dtype);
  const size = sizeOf(from.shape);
  if (isContiguous(from)) {
    const start = from.ptr + from.offset * width;
    new Uint8Array(memory.buffer, address, size * width).set(
      new Uint8Array(memory.buffer, start, size * width),
    );
    return;
  }
  const View = VIEWS[width];
  const positions = elementPositions(from);
  const last = positions.reduce((most, at) => Math.max(most, at), 0);
  const source = new View(memory.buffer, from.ptr, size === 0 ? 0 : last + 1);
  const target = new View(memory.buffer, address, size);
  for (let i = 0; i < size; i++) target[i] = source[positions[i]];
}

/** Elements as words of their width: copied, not computed with. */
const VIEWS: Readonly<
  Record<
    number,
    new (
      buffer: ArrayBufferLike,
      byteOffset: number,
      length: number,
    ) => { [i: number]: number | bigint }
  >
> = {
  1: Uint8Array,
  2: Uint16Array,
  4: Uint32Array,
  8: BigUint64Array,
};

/** Lists by dtype, in the order of their first members. */
export function byDType<T extends { readonly dtype: DType }>(list: readonly T[]): Map<DType, T[]> {
  const groups = new Map<DType, T[]>();
  for (const entry of list) groups.set(entry.dtype, [...(groups.get(entry.dtype) ?? []), entry]);
  return groups;
}

/** All tensors, which have one dtype, in one new flat tensor, in no scope. */
export function flattened(
  tensors: readonly Tensor[],
  dtype: DType,
): { flat: DenseTensor; layout: FlatLayout } {
  const layout = flatLayout(tensors, dtype);
  const flat = flatBuffer(layout.size, dtype);
  tensors.forEach((x, i) => {
    copyInto(flat, layout.pieces[i].from, hostBytes(needConcrete(x, "flattened")));
  });
  return { flat, layout };
}
