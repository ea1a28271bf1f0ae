/**
 * Element types: one table, from which sizes, views and NumPy's promotion rules follow.
 * A new dtype is one row here.
 */
import { DTypeError } from "./errors.js";

export type HostData = Float64Array | Float32Array | Int32Array | Int16Array | Int8Array | Uint8Array;

interface DTypeRow {
  readonly kind: "float" | "int" | "uint" | "bool";
  readonly bytes: number;
  readonly array: new (buffer: ArrayBufferLike, byteOffset: number, length: number) => HostData;
}

const ROWS = {
  float64: { kind: "float", bytes: 8, array: Float64Array },
  float32: { kind: "float", bytes: 4, array: Float32Array },
  int32: { kind: "int", bytes: 4, array: Int32Array },
  int16: { kind: "int", bytes: 2, array: Int16Array },
  int8: { kind: "int", bytes: 1, array: Int8Array },
  uint8: { kind: "uint", bytes: 1, array: Uint8Array },
  bool: { kind: "bool", bytes: 1, array: Uint8Array },
} satisfies Record<string, DTypeRow>;

export type DType = keyof typeof ROWS;

const TABLE: Record<DType, DTypeRow> = ROWS;

/** Every dtype, widest first. */
export const DTYPES = Object.keys(TABLE) as readonly DType[];

/** The dtype of numbers that come without one. */
export const DEFAULT_FLOAT: DType = "float32";

export function isDType(value: unknown): value is DType {
  return typeof value === "string" && value in TABLE;
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

/** A typed view of `length` elements at `byteOffset`. */
export function hostView(
  dtype: DType,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): HostData {
  return new TABLE[dtype].array(buffer, byteOffset, length);
}

/**
 * The smallest dtype that holds both, by NumPy's `promote_types`
 * (`int32` with `float32` is `float64`, `uint8` with `int8` is `int16`).
 */
export function promoteTypes(a: DType, b: DType): DType {
  if (a === b || b === "bool") return a;
  if (a === "bool") return b;
  const [x, y] = [TABLE[a], TABLE[b]];
  if (x.kind === "float" && y.kind === "float") return x.bytes >= y.bytes ? a : b;
  if (x.kind === "float" || y.kind === "float") {
    const [float, int] = x.kind === "float" ? [a, y] : [b, x];
    return int.bytes >= 4 ? "float64" : float; // a float32 holds 16-bit integers exactly, 32-bit ones not
  }
  if (x.kind === y.kind) return x.bytes >= y.bytes ? a : b;
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
