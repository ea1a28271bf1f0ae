/** IDX: the format of the MNIST files: magic 0x0000TTRR (type, rank), big-endian sizes, then the elements. */
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import type { DType } from "../core/dtype.js";
import { DTypeError, ShapeError, ValueError } from "../core/errors.js";
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

/** Writes one element of a type. */
const WRITERS: Record<string, { code: number; write: (view: DataView, at: number, value: number) => void }> =
  {
    uint8: { code: 8, write: (v, at, x) => v.setUint8(at, x) },
    int8: { code: 9, write: (v, at, x) => v.setInt8(at, x) },
    int16: { code: 11, write: (v, at, x) => v.setInt16(at, x) },
    int32: { code: 12, write: (v, at, x) => v.setInt32(at, x) },
    float32: { code: 13, write: (v, at, x) => v.setFloat32(at, x) },
    float64: { code: 14, write: (v, at, x) => v.setFloat64(at, x) },
  };

/**
 * The bytes of an IDX file.
 * @throws DTypeError for a dtype that IDX has no code for; ShapeError if the shape doesn't fit the elements.
 * @example data.parseIdx(data.encodeIdx({ dtype: "int16", shape: [2, 1], data: new Int16Array([-1, 300]) })).data // [-1, 300]
 */
export function encodeIdx({ dtype, shape, data }: IdxArray): Uint8Array {
  if (!Object.hasOwn(WRITERS, dtype))
    throw new DTypeError(`encodeIdx: IDX has ${Object.keys(WRITERS).join(", ")}; got ${dtype}`);
  if (shape.length > 255 || !shape.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32))
    throw new ShapeError(`encodeIdx: the shape (${shape.join(", ")}) doesn't fit the header`);
  if (sizeOf(shape) !== data.length)
    throw new ShapeError(`encodeIdx: ${data.length} elements for the shape (${shape.join(", ")})`);
  const { code, write } = WRITERS[dtype];
  const start = 4 + 4 * shape.length;
  const { bytes } = TYPES[code];
  const out = new Uint8Array(start + data.length * bytes);
  const view = new DataView(out.buffer);
  view.setUint8(2, code);
  view.setUint8(3, shape.length);
  for (const [i, n] of shape.entries()) view.setUint32(4 + 4 * i, n);
  if (bytes === 1) out.set(new Uint8Array(data.buffer, data.byteOffset, data.length), start);
  else for (let i = 0; i < data.length; i++) write(view, start + i * bytes, data[i]);
  return out;
}

/** No IDX file that is read may unpack to more. */
const MAX_BYTES = 2 ** 32;

/**
 * Reads an IDX file, packed by gzip or not (as MNIST is handed out).
 * @example (await data.readIdx(data.mnistFiles("test").labelsFile)).shape // [10000]
 * @throws ValueError naming the file if it is no IDX file, or its gzip data are damaged.
 */
export async function readIdx(path: string): Promise<IdxArray> {
  const bytes = await readFile(path);
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return parseIdx(bytes, path);
  let unpacked: Buffer;
  try {
    unpacked = await promisify(gunzip)(bytes, { maxOutputLength: MAX_BYTES });
  } catch (cause) {
    throw new ValueError(`${path}: its gzip data are damaged, or too long (${(cause as Error).message})`, {
      cause,
    });
  }
  return parseIdx(unpacked, path);
}
