/**
 * Elements that JavaScript has no typed array of numbers for: 64-bit integers and 16-bit floats. They lie in memory in
 * their own form; kernels in TypeScript see them decoded, as numbers.
 */
import type { HostData } from "./dtype.js";

/** From bytes in memory to numbers, and back. */
export interface Encoding {
  /** The numbers in a fresh array, wide enough for every element. */
  decode(bytes: ArrayBufferLike, byteOffset: number, length: number): HostData;
  /** Writes numbers; those between two elements are rounded to the nearer (floats) or towards 0 (integers). */
  encode(values: ArrayLike<number>, bytes: ArrayBufferLike, byteOffset: number): void;
}

const TWO_32 = 2 ** 32;

/** 64-bit integers as float64: exact up to ±2⁵³; beyond, the nearest float64. */
export const INT64: Encoding = {
  decode(bytes, byteOffset, length) {
    const low = new Uint32Array(bytes, byteOffset, 2 * length);
    const high = new Int32Array(bytes, byteOffset, 2 * length);
    const out = new Float64Array(length);
    for (let i = 0; i < length; i++) out[i] = high[2 * i + 1] * TWO_32 + low[2 * i];
    return out;
  },
  encode(values, bytes, byteOffset) {
    const words = new Uint32Array(bytes, byteOffset, 2 * values.length);
    for (let i = 0; i < values.length; i++) {
      const value = Math.trunc(values[i]);
      const high = Math.floor(value / TWO_32);
      words[2 * i] = value - high * TWO_32;
      words[2 * i + 1] = high;
    }
  },
};

/** Floats of 16 bits: a sign, `exponentBits` of exponent, the rest mantissa; subnormals, infinities and NaN as in IEEE 754. */
function float16(exponentBits: number): Encoding {
  const mantissaBits = 15 - exponentBits;
  const bias = 2 ** (exponentBits - 1) - 1;
  const infinity = (2 ** exponentBits - 1) << mantissaBits;
  const least = 2 ** (1 - bias - mantissaBits); // the smallest subnormal
  let table: Float32Array | null = null; // the number of each of the 65,536 codes

  const numberOf = (code: number): number => {
    const sign = code & 0x8000 ? -1 : 1;
    const exponent = (code & 0x7fff) >> mantissaBits;
    const mantissa = code & (2 ** mantissaBits - 1);
    if (exponent === 2 ** exponentBits - 1) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    if (exponent === 0) return sign * mantissa * least;
    return sign * (mantissa + 2 ** mantissaBits) * 2 ** (exponent - bias - mantissaBits);
  };

  /** The code of the nearest number, halves to the even one. */
  const codeOf = (x: number): number => {
    if (Number.isNaN(x)) return infinity | (1 << (mantissaBits - 1));
    const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
    const size = Math.abs(x);
    if (size === Number.POSITIVE_INFINITY) return sign | infinity;
    let exponent = Math.max(1 - bias, Math.floor(Math.log2(size)));
    if (size < 2 ** exponent) exponent = Math.max(1 - bias, exponent - 1); // log2 rounds
    const steps = roundHalfEven(size / 2 ** (exponent - mantissaBits));
    // one step past the mantissa carries into the exponent, whose field lies right above it
    const code = ((exponent + bias - 1) << mantissaBits) + steps;
    return sign | Math.min(code, infinity);
  };

  return {
    decode(bytes, byteOffset, length) {
      table ??= Float32Array.from({ length: 65536 }, (_, code) => numberOf(code));
      const codes = new Uint16Array(bytes, byteOffset, length);
      const out = new Float32Array(length);
      for (let i = 0; i < length; i++) out[i] = table[codes[i]];
      return out;
    },
    encode(values, bytes, byteOffset) {
      const codes = new Uint16Array(bytes, byteOffset, values.length);
      for (let i = 0; i < values.length; i++) codes[i] = codeOf(values[i]);
    },
  };
}

function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/** IEEE 754 binary16: 5 bits of exponent, 10 of mantissa; largest number 65,504. */
export const FLOAT16 = float16(5);

/** The upper half of a float32: 8 bits of exponent, 7 of mantissa. */
export const BFLOAT16 = float16(8);
