/** Strided copies: the elementwise program that does nothing. */
import { bytesPerElement, carrierOf, type DType, hostView } from "../../core/dtype.js";
import { contiguousLayout, isContiguous, type Layout } from "../../core/layout.js";
import { sizeOf } from "../../core/shape.js";
import { allocate, memory, release } from "../heap.js";
import { type HostArray, withLayoutOf } from "../host-array.js";
import type { PreparedKernel } from "../kernels.js";
import { type CompiledElementwise, compileElementwise } from "./elementwise/compile.js";

const copies = new Map<DType, CompiledElementwise>();

/** `copyElements` with everything but the addresses decided: those of `from` and `to` are read at each run. */
export function prepareCopy(from: HostArray, layout: Layout, to: HostArray): PreparedKernel {
  const target = { ...contiguousLayout(layout.shape), offset: to.offset };
  return copyOf(from.dtype).prepare([under(from, layout)], [under(to, target)]);
}

/** The array under another layout, at whatever address it is when it is read. */
export function under(array: HostArray, { shape, strides, offset }: Layout): HostArray {
  const dtype = carrierOf(array.dtype);
  return {
    shape,
    strides,
    offset,
    dtype,
    get ptr() {
      return array.ptr;
    },
    get data() {
      return array.data;
    },
  };
}

/** Copies elements in row-major order; `to` is contiguous, of the shape of `from` or of as many elements. */
export function copyElements(from: HostArray, to: HostArray): void {
  copyOf(from.dtype).run([from], [withLayoutOf(to, { ...contiguousLayout(from.shape), offset: to.offset })]);
}

function copyOf(type: DType): CompiledElementwise {
  const dtype = carrierOf(type);
  let copy = copies.get(dtype);
  if (!copy) {
    copy = compileElementwise({ inputs: [dtype], nodes: [], outputs: [0] });
    copies.set(dtype, copy);
  }
  return copy;
}

/** Runs `body` on `x` if it lies row-major, else on a copy that lives as long as the call. */
export function withContiguous(x: HostArray, body: (packed: HostArray) => void): void {
  if (isContiguous(x)) body(x);
  else withLayout(x, x, body);
}

/** Runs `body` on a contiguous copy of the elements that `layout` shows of `x`. */
export function withLayout(x: HostArray, layout: Layout, body: (packed: HostArray) => void): void {
  withTemporary(x, layout.shape, (copy) => {
    copyElements(withLayoutOf(x, layout), copy);
    body(copy);
  });
}

/** Runs `body` with uninitialized memory for an array of `x`'s dtype. Kernels reach it by address. */
export function withTemporary(
  x: HostArray,
  shape: readonly number[],
  body: (array: HostArray) => void,
): void {
  const length = sizeOf(shape);
  const bytes = length * bytesPerElement(x.dtype);
  const ptr = allocate(bytes);
  const data = hostView(x.dtype, memory.buffer, ptr, length);
  try {
    body({ ...contiguousLayout(shape), dtype: x.dtype, data, ptr });
  } finally {
    release(ptr, bytes);
  }
}
