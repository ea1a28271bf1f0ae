/** IDX: the format of the MNIST files: magic 0x0000TTRR (type, rank), big-endian sizes, then the elements. */
import type { DType } from "../core/dtype.js";
import { ValueError } from "../core/errors.js";
import { sizeOf } from "../core/shape.js";

export interface IdxArray {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Elements in row-major order; a view of the file's bytes where they are bytes. */
  readonly data: Uint8Array | Int8Array | Int16Array | Int32Array | Float32Array | Float64Array;
}

const TYPES: Record<number, { dtype: DType; bytes: number; read: (view: DataView, at: number) => number }> = {
  8: { dtype: "uint8", bytes: 1, read: (v, at) => v.getUint8(at) },
  9: { dtype: "int8", bytes: 1, read: (v, at) => v.getInt8(at) },
  11: { dtype: "int16", bytes: 2, read: (v, at) => v.getInt16(at) },
  12: { dtype: "int32", bytes: 4, read: (v, at) => v.getInt32(at) },
  13: { dtype: "float32", bytes: 4, read: (v, at) => v.getFloat32(at) },
  14: { dtype: "float64", bytes: 8, read: (v, at) => v.getFloat64(at) },
};

const ARRAYS = {
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  float32: Float32Array,
  float64: Float64Array,
};

/**
 * Parses the bytes of an IDX file.
 * @throws ValueError naming `name` if magic, type or length are not those of an IDX file.
 * @example data.parseIdx(new Uint8Array([0, 0, 8, 1, 0, 0, 0, 2, 7, 9])).data // [7, 9]
 */
export function parseIdx(bytes: Uint8Array, name = "the file"): IdxArray {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const type = bytes.length >= 4 ? TYPES[bytes[2]] : undefined;
  if (!type || bytes[0] !== 0 || bytes[1] !== 0)
    throw new ValueError(
      `${name} is not an IDX file: its first bytes are ${[...bytes.subarray(0, 4)].join(" ")}`,
    );
  const rank = bytes[3];
  const start = 4 + 4 * rank;
  if (bytes.length < start)
    throw new ValueError(`${name} ends inside its header (${bytes.length} bytes, rank ${rank})`);
  const shape = Array.from({ length: rank }, (_, i) => view.getUint32(4 + 4 * i));
  const count = sizeOf(shape);
  if (bytes.length !== start + count * type.bytes) {
    throw new ValueError(
      `${name} has ${bytes.length - start} bytes of elements; its shape ${shape.join("×")} wants ${count * type.bytes}`,
    );
  }
  if (type.dtype === "uint8") return { dtype: "uint8", shape, data: bytes.subarray(start) };
  const data = new ARRAYS[type.dtype as keyof typeof ARRAYS](count);
  for (let i = 0; i < count; i++) data[i] = type.read(view, start + i * type.bytes);
  return { dtype: type.dtype, shape, data };
}
