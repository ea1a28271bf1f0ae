/** HostArray: what a kernel on the host gets; and the loops over strided elements that reference kernels share. */
import { type DType, encodingOf, type HostData } from "../core/dtype.js";
import { isContiguous, type Layout } from "../core/layout.js";
import { sizeOf } from "../core/shape.js";
import type { Storage } from "./storage.js";

/** A tensor's elements in host memory. `data` and `ptr` start at the storage; element i of the layout is at `offset + Σ index·stride`. */
export interface HostArray extends Layout {
  readonly dtype: DType;
  /** The whole storage as numbers: in place, or (int64, float16, bfloat16) decoded when first read. */
  readonly data: HostData;
  /** Byte address of the storage in the shared linear memory. */
  readonly ptr: number;
  /** Encoded dtypes only: brings what was written into `data` to the storage. */
  readonly commit?: () => void;
}

/** A storage's elements in this layout, for kernels that read it, or that are the first to write it. */
export function hostArray(storage: Storage, { shape, strides, offset }: Layout): HostArray {
  const { dtype, readable: ptr } = storage;
  if (!encodingOf(dtype)) return { shape, strides, offset, dtype, data: storage.elements, ptr };
  let decoded: HostData | null = null;
  return {
    shape,
    strides,
    offset,
    dtype,
    ptr,
    get data() {
      decoded ??= storage.numbers();
      return decoded;
    },
    commit: () => {
      if (decoded) storage.write(decoded);
    },
  };
}

/** The same elements under another layout, none of them read. */
export function withLayoutOf(array: HostArray, { shape, strides, offset }: Layout): HostArray {
  const { dtype, ptr, commit } = array;
  if (!commit) return { shape, strides, offset, dtype, data: array.data, ptr };
  return {
    shape,
    strides,
    offset,
    dtype,
    ptr,
    get data() {
      return array.data;
    },
    commit,
  };
}

/** To be called behind every kernel that wrote through `data`. */
export function commit(outputs: readonly HostArray[]): void {
  for (const output of outputs) output.commit?.();
}

/**
 * Positions in `data` of every element in row-major order.
 * @example extend.elementPositions({ shape: [2, 2], strides: [1, 2], offset: 0 }) // [0, 2, 1, 3]
 */
export function elementPositions(array: Layout): Int32Array {
  const { shape, strides, offset } = array;
  let size = 1;
  for (const dim of shape) size *= dim;
  const positions = new Int32Array(size);
  if (size === 0) return positions;
  positions[0] = offset;
  let filled = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const block = filled;
    for (let k = 1; k < shape[axis]; k++) {
      const step = k * strides[axis];
      for (let i = 0; i < block; i++) positions[filled++] = positions[i] + step;
    }
  }
  return positions;
}

/** The elements in row-major order, copied. */
export function packed(array: HostArray): HostData {
  const { data, offset } = array;
  if (isContiguous(array)) return data.slice(offset, offset + sizeOf(array.shape));
  const positions = elementPositions(array);
  const out = data.slice(0, 0).constructor as new (n: number) => HostData;
  const copy = new out(positions.length);
  for (let i = 0; i < positions.length; i++) copy[i] = data[positions[i]];
  return copy;
}
