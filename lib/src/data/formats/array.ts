/** Arrays in plain memory: what readers give and take for tensors, on any thread. */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { sizeOf } from "../../core/shape.js";

/** The typed array in which elements of each dtype lie: 16-bit floats as their bits. */
export const TYPED_ARRAYS = {
  float64: Float64Array,
  float32: Float32Array,
  float16: Uint16Array,
  bfloat16: Uint16Array,
  int64: BigInt64Array,
  int32: Int32Array,
  int16: Int16Array,
  int8: Int8Array,
  uint8: Uint8Array,
  bool: Uint8Array,
} as const satisfies Record<DType, unknown>;

export type ElementsOf<D extends DType> = InstanceType<(typeof TYPED_ARRAYS)[D]>;

/** Elements in row-major order, with their dtype and shape. */
export interface PlainArray<D extends DType = DType> {
  readonly dtype: D;
  readonly shape: readonly number[];
  readonly data: ElementsOf<D>;
}

/** A view of `bytes`, whose start must be a multiple of the element's size. */
export function elementsOf(dtype: DType, bytes: Uint8Array): ElementsOf<DType> {
  return new TYPED_ARRAYS[dtype](
    bytes.buffer as ArrayBuffer,
    bytes.byteOffset,
    bytes.length / bytesPerElement(dtype),
  );
}

/** Why `value` is no array of this dtype; `null` if it is one. */
export function arrayFault(value: unknown, dtype: DType): string | null {
  const { shape, data, dtype: given } = (value ?? {}) as Partial<PlainArray>;
  if (!Array.isArray(shape) || !(data instanceof TYPED_ARRAYS[dtype]))
    return `not { dtype, shape, data: ${TYPED_ARRAYS[dtype].name} }`;
  if (given !== dtype) return `of dtype ${String(given)}`;
  if (!shape.every((n) => Number.isInteger(n) && n >= 0)) return `of shape ${shape.join("×")}`;
  if (sizeOf(shape) !== data.length) return `${data.length} elements for the shape ${shape.join("×")}`;
  return null;
}
