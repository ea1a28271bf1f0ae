/** HostArray: what a kernel on the host gets; and the loops over strided elements that reference kernels share. */
import type { DType, HostData } from "../core/dtype.js";
import type { Layout } from "../core/layout.js";

/** A tensor's elements in host memory. `data` and `ptr` start at the storage; element i of the layout is at `offset + Σ index·stride`. */
export interface HostArray extends Layout {
  readonly dtype: DType;
  /** View of the whole storage. */
  readonly data: HostData;
  /** Byte address of the storage in the shared linear memory. */
  readonly ptr: number;
}

/** Positions in `data` of every element in row-major order. */
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
  const positions = elementPositions(array);
  const out = array.data.slice(0, 0).constructor as new (n: number) => HostData;
  const copy = new out(positions.length);
  for (let i = 0; i < positions.length; i++) copy[i] = array.data[positions[i]];
  return copy;
}
