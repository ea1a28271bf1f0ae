/** Datatypes of the Open Inference Protocol. A datatype is one row here. */
import type { DType } from "../../core/dtype.js";

interface Row {
  readonly bytes: number;
  /** How elements lie in memory; 16-bit floats as their codes. */
  readonly array: new (
    buffer: ArrayBuffer,
    byteOffset?: number,
    length?: number,
  ) => ArrayLike<number> | ArrayLike<bigint>;
  /** Whole numbers: the range. */
  readonly range?: readonly [number, number];
  /** Field of `InferTensorContents`; `null`: raw bytes only. */
  readonly field: string | null;
  /** The library's dtype; `null`: it has none. */
  readonly dtype: DType | null;
}

const signed = (bits: number): readonly [number, number] => [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];
const unsigned = (bits: number): readonly [number, number] => [0, 2 ** bits - 1];

// biome-ignore format: a table
const ROWS = {
  BOOL: { bytes: 1, array: Uint8Array, range: [0, 1], field: "bool_contents", dtype: "bool" },
  UINT8: { bytes: 1, array: Uint8Array, range: unsigned(8), field: "uint_contents", dtype: "uint8" },
  UINT16: { bytes: 2, array: Uint16Array, range: unsigned(16), field: "uint_contents", dtype: null },
  UINT32: { bytes: 4, array: Uint32Array, range: unsigned(32), field: "uint_contents", dtype: null },
  UINT64: { bytes: 8, array: BigUint64Array, range: unsigned(64), field: "uint64_contents", dtype: null },
  INT8: { bytes: 1, array: Int8Array, range: signed(8), field: "int_contents", dtype: "int8" },
  INT16: { bytes: 2, array: Int16Array, range: signed(16), field: "int_contents", dtype: "int16" },
  INT32: { bytes: 4, array: Int32Array, range: signed(32), field: "int_contents", dtype: "int32" },
  INT64: { bytes: 8, array: BigInt64Array, range: signed(64), field: "int64_contents", dtype: "int64" },
  FP16: { bytes: 2, array: Uint16Array, field: null, dtype: "float16" },
  BF16: { bytes: 2, array: Uint16Array, field: null, dtype: "bfloat16" },
  FP32: { bytes: 4, array: Float32Array, field: "fp32_contents", dtype: "float32" },
  FP64: { bytes: 8, array: Float64Array, field: "fp64_contents", dtype: "float64" },
} as const satisfies Record<string, Row>;

/** `FP32`, `INT64` …; BYTES is not served. */
export type Datatype = keyof typeof ROWS;

export const DATATYPES: Readonly<Record<Datatype, Row>> = ROWS;

const BY_DTYPE = new Map(Object.entries(ROWS).map(([name, { dtype }]) => [dtype, name as Datatype]));

export const isDatatype = (name: unknown): name is Datatype =>
  typeof name === "string" && Object.hasOwn(ROWS, name);

/** The protocol's name of a dtype. */
export const datatypeOf = (dtype: DType): Datatype => BY_DTYPE.get(dtype) as Datatype;
