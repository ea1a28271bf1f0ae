/** Elements as numbers, for JSON and for samples: bytes from numbers, and back. */
import { BFLOAT16, FLOAT16 } from "../../core/encoding.js";
import { DATATYPES, type Datatype } from "./datatypes.js";

const encodings = { FP16: FLOAT16, BF16: BFLOAT16 } as const;

const isHalf = (datatype: Datatype): datatype is keyof typeof encodings => Object.hasOwn(encodings, datatype);
const isLong = (datatype: Datatype): boolean => datatype === "INT64" || datatype === "UINT64";

/** Why a value is no element of the datatype; `null`: it is one. */
export function whyNot(datatype: Datatype, value: unknown): string | null {
  if (datatype === "BOOL")
    return typeof value === "boolean" || value === 0 || value === 1 ? null : "true or false is expected";
  if (typeof value !== "number") return "a number is expected";
  const { range } = DATATYPES[datatype];
  if (range === undefined) return null;
  if (!Number.isInteger(value)) return "a whole number is expected";
  if (isLong(datatype) && !Number.isSafeInteger(value))
    return "JSON holds whole numbers up to 2^53 only; send it as binary data";
  return value >= range[0] && value <= range[1] ? null : `it is outside ${range[0]} … ${range[1]}`;
}

/** The bytes of checked numbers. */
export function encodeNumbers(datatype: Datatype, values: readonly (number | boolean)[]): Uint8Array {
  const { bytes, array } = DATATYPES[datatype];
  const buffer = new ArrayBuffer(values.length * bytes);
  if (isHalf(datatype)) encodings[datatype].encode(values as readonly number[], buffer, 0);
  else if (isLong(datatype)) {
    const out = new array(buffer) as BigInt64Array;
    for (let i = 0; i < values.length; i++) out[i] = BigInt(values[i] as number);
  } else (new array(buffer) as Float32Array).set(values as readonly number[]);
  return new Uint8Array(buffer);
}

/** The elements; 64-bit integers as the nearest numbers. */
export function numbersOf(datatype: Datatype, data: Uint8Array): number[] {
  const { bytes, array } = DATATYPES[datatype];
  const own =
    data.byteOffset % bytes === 0 && data.buffer instanceof ArrayBuffer ? data : new Uint8Array(data);
  const [buffer, length] = [own.buffer as ArrayBuffer, own.length / bytes];
  if (isHalf(datatype)) return Array.from(encodings[datatype].decode(buffer, own.byteOffset, length));
  return Array.from(new array(buffer, own.byteOffset, length) as ArrayLike<number | bigint>, Number);
}
