/** 16-bit floats for references, by the library's encodings (which have tests of their own). */
import { BFLOAT16, FLOAT16 } from "../../../src/core/encoding.js";

export type HalfType = "float16" | "bfloat16";

const encoding = (dtype: HalfType) => (dtype === "float16" ? FLOAT16 : BFLOAT16);

export function encodeHalf(dtype: HalfType, values: ArrayLike<number>): Uint16Array {
  const out = new Uint16Array(values.length);
  encoding(dtype).encode(values, out.buffer, 0);
  return out;
}

export function decodeHalf(dtype: HalfType, bits: Uint16Array): Float64Array {
  const copy = bits.slice();
  return Float64Array.from(encoding(dtype).decode(copy.buffer, 0, copy.length));
}

/** The values as the type holds them. */
export const rounded = (dtype: HalfType, values: ArrayLike<number>): Float64Array =>
  decodeHalf(dtype, encodeHalf(dtype, values));
