/**
 * The library's own model file: tables of fixed-size records that are read where they lie, as in FlatBuffers, then weights,
 * each at a multiple of 64 bytes. Numbers are little-endian, 32 bits wide unless said otherwise.
 *
 * ```
 * 0   magic "MLSYSFB1"     8  version   12  header's size (64)   16  file's size (64 bits)
 * 24  tables' place (64)   32  tables' size (64)   40  weights' place (64)   48  CRC of the tables   52  CRC of bytes 0–51
 * ```
 * The tables begin with a directory: place in the tables and number of records of each. Strings are a record
 * (place, size) each, in a table of bytes; names and attributes (as JSON) are strings by number, types lists of sizes.
 */
import type { DType } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";

/** A model file that is damaged, or of a version that this library does not read. */
export class ModelFileError extends MlsysError {
  override name = "ModelFileError";
}

export const MAGIC = "MLSYSFB1";
/** Raised when the meaning of the tables changes. */
export const VERSION = 1;
export const HEADER = 64;
/** Weights start at cache lines, so that they can be read in place. */
export const ALIGNMENT = 64;
/** Numbers of the header that the last CRC covers. */
export const COVERED = 52;
/** No string: a value without a name. */
export const NONE = 0xffffffff;

/** Order of the tables in the directory, and how many 32-bit numbers a record has (text: bytes). */
export const TABLES = {
  /** place in the text, size */
  strings: 2,
  text: 0,
  /** sizes of shapes */
  dims: 1,
  /** numbers of values: what lists of values are made of */
  refs: 1,
  /** name, dtype, first size, axes */
  values: 4,
  /** value, CRC, place from the weights' start (low, high), bytes (low, high) */
  constants: 6,
  /** op, attributes, first operand, operands, first output, outputs, location */
  nodes: 7,
  /** name, then first and number of: parameters, results (in refs), constants, nodes */
  graphs: 9,
} as const;

export type TableName = keyof typeof TABLES;
export const TABLE_NAMES = Object.keys(TABLES) as TableName[];

/** Codes of dtypes; they never change. */
export const DTYPE_CODES: readonly DType[] = [
  ...([
    "float64",
    "float32",
    "float16",
    "bfloat16",
    "int64",
    "int32",
    "int16",
    "int8",
    "uint8",
    "bool",
  ] as const),
];

export const aligned = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
