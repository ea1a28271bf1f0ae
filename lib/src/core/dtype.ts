/**
 * Element types: one table, from which sizes, views and NumPy's promotion rules follow.
 * A new dtype is one row here.
 */
import { BFLOAT16, type Encoding, FLOAT16, INT64 } from "./encoding.js";
import { DTypeError } from "./errors.js";

/** Elements as numbers. */
export type HostData = Float64Array | Float32Array | Int32Array | Int16Array | Int8Array | Uint8Array;

interface DTypeRow {
  readonly kind: "float" | "int" | "uint" | "bool";
  readonly bytes: number;
  /** Integers of up to so many bits are held exactly. */
  readonly digits: number;
  /** How elements lie in memory. With `encoding`, what moves such elements without a look at them. */
  readonly array: new (
    buffer: ArrayBufferLike,
    byteOffset: number,
    length: number,
  ) => HostData;
  /** For elements that no typed array reads as numbers. */
  readonly encoding?: Encoding;
}

const ROWS = {
  float64: { kind: "float", bytes: 8, digits: 53, array: Float64Array },
  float32: { kind: "float", bytes: 4, digits: 24, array: Float32Array },
  float16: { kind: "float", bytes: 2, digits: 11, array: Int16Array, encoding: FLOAT16 },
  bfloat16: { kind: "float", bytes: 2, digits: 8, array: Int16Array, encoding: BFLOAT16 },
  int64: { kind: "int", bytes: 8, digits: 63, array: Float64Array, encoding: INT64 },
  int32: { kind: "int", bytes: 4, digits: 31, array: Int32Array },
  int16: { kind: "int", bytes: 2, digits: 15, array: Int16Array },
  int8: { kind: "int", bytes: 1, digits: 7, array: Int8Array },
  uint8: { kind: "uint", bytes: 1, digits: 8, array: Uint8Array },
  bool: { kind: "bool", bytes: 1, digits: 1, array: Uint8Array },
} satisfies Record<string, DTypeRow>;

export type DType = keyof typeof ROWS;

const TABLE: Record<DType, DTypeRow> = ROWS;

/** Every dtype, widest first. */
export const DTYPES = Object.keys(TABLE) as readonly DType[];

/** The dtype of numbers that come without one. */
export const DEFAULT_FLOAT: DType = "float32";

export function isDType(value: unknown): value is DType {
  return typeof value === "string" && Object.hasOwn(TABLE, value);
}

/** @throws DTypeError if `value` names no dtype. */
export function checkDType(value: unknown, where: string): DType {
  if (isDType(value)) return value;
  throw new DTypeError(`${where}: unknown dtype ${JSON.stringify(value)}; known: ${DTYPES.join(", ")}`);
}

/** Size of one element in bytes. */
export function bytesPerElement(dtype: DType): number {
  return TABLE[dtype].bytes;
}

export function dtypeKind(dtype: DType): DTypeRow["kind"] {
  return TABLE[dtype].kind;
}

export function isFloat(dtype: DType): boolean {
  return TABLE[dtype].kind === "float";
}

/** How numbers of this dtype are read and written; `undefined` where a typed array does it. */
export function encodingOf(dtype: DType): Encoding | undefined {
  return TABLE[dtype].encoding;
}

/** A dtype of the same size whose elements can be moved about for those of `dtype`. */
export function carrierOf(dtype: DType): DType {
  if (!TABLE[dtype].encoding) return dtype;
  return TABLE[dtype].bytes === 8 ? "float64" : "int16";
}

/** A typed view of `length` elements at `byteOffset`; of encoded ones, of the carrier's. */
export function hostView(
  dtype: DType,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): HostData {
  return new TABLE[dtype].array(buffer, byteOffset, length);
}

/**
 * The smallest dtype that holds both, by NumPy's `promote_types` (`int32` with `float32` is `float64`, `uint8` with
 * `int8` is `int16`, `float16` with `bfloat16` is `float32`).
 * @example promoteTypes("int32", "float32") // "float64"
 */
export function promoteTypes(a: DType, b: DType): DType {
  if (a === b || b === "bool") return a;
  if (a === "bool") return b;
  const [x, y] = [TABLE[a], TABLE[b]];
  if (x.kind === y.kind) {
    if (x.bytes === y.bytes) return "float32"; // the two floats of 16 bits
    return x.bytes > y.bytes ? a : b;
  }
  if (x.kind === "float" || y.kind === "float") {
    const [float, whole] = x.kind === "float" ? [a, y] : [b, x];
    if (TABLE[float].digits >= whole.digits) return float;
    return whole.digits <= TABLE.float32.digits ? "float32" : "float64";
  }
  const [signed, unsigned] = x.kind === "int" ? [a, y] : [b, x];
  return TABLE[signed].bytes > unsigned.bytes ? signed : "int16";
}

/** The dtype of a JavaScript number or boolean beside a tensor of dtype `like` (NumPy 2's weak scalars). */
export function weakScalarType(value: number | boolean, like: DType | undefined): DType {
  if (like === undefined) return typeof value === "boolean" ? "bool" : DEFAULT_FLOAT;
  if (typeof value === "boolean" || isFloat(like)) return like;
  if (!Number.isInteger(value)) return DEFAULT_FLOAT;
  return like === "bool" ? "int32" : like;
}
