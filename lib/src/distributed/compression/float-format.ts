/**
 * Floats of up to 16 bits with a sign or none, any number of exponent and mantissa bits: 1-6-9 for Adam's means and 0-6-10
 * for its variances, as DALL-E was trained (Ramesh et al. 2021, appendix on compressed states), fp16 and bf16 among them.
 * As in IEEE 754: bias 2^(e−1) − 1, subnormals, infinities and NaN under the largest exponent, ties to the even code.
 */
import { ValueError } from "../../core/errors.js";

export interface FloatFormat {
  /** "1-6-9": bits of sign, exponent, mantissa. */
  readonly name: string;
  readonly signed: boolean;
  readonly exponent: number;
  readonly mantissa: number;
  /** Bits of a code. */
  readonly bits: number;
  /** Largest finite number, smallest normal one, smallest one above 0. */
  readonly largest: number;
  readonly smallestNormal: number;
  readonly smallest: number;
  /** Codes of numbers, each rounded to the nearest. Formats without a sign take numbers below 0 as 0. */
  encode(values: ArrayLike<number>): Uint16Array;
  /** The numbers of codes; all of them are exact in float32. */
  decode(codes: ArrayLike<number>): Float32Array;
}

/** One float64, and its bits. */
const number = new Float64Array(1);
const words = new Uint32Array(number.buffer);

/** The exponent of a normal float64: 2ᵉ ≤ |x| < 2ᵉ⁺¹. */
function exponentOf(x: number): number {
  number[0] = x;
  return ((words[1] >>> 20) & 0x7ff) - 1023;
}

/** The integer nearest to x ≥ 0, halves to the even one. */
function nearestEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}

const known = new Map<string, FloatFormat>();

/**
 * The format of so many bits, written as sign-exponent-mantissa.
 * @example distributed.floatFormat("1-6-9").decode(distributed.floatFormat("1-6-9").encode([0.1, -3])) // [0.0999755859375, -3]
 * @throws ValueError unless there are 0 or 1 sign bits, 2 to 8 of exponent, 1 to 14 of mantissa and at most 16 in all
 */
export function floatFormat(name: string): FloatFormat {
  const found = known.get(name) ?? makeFormat(name);
  known.set(name, found);
  return found;
}

function makeFormat(name: string): FloatFormat {
  const parts = /^([01])-(\d+)-(\d+)$/.exec(name)?.slice(1).map(Number);
  const [sign, exponent, mantissa] = parts ?? [0, 0, 0];
  if (!parts || exponent < 2 || exponent > 8 || mantissa < 1 || sign + exponent + mantissa > 16)
    throw new ValueError(
      `floatFormat: "sign-exponent-mantissa" with 0 or 1 sign bits, 2 to 8 of exponent, from 1 of mantissa and at most 16 in all wanted, got "${name}"`,
    );
  const bias = 2 ** (exponent - 1) - 1;
  const steps = 2 ** mantissa;
  const infinity = (2 ** exponent - 1) * steps;
  const lowest = 1 - bias; // exponent of the smallest normal number
  const signBit = sign === 1 ? 2 ** (exponent + mantissa) : 0;
  const codeOf = (x: number): number => {
    if (Number.isNaN(x)) return infinity + steps / 2;
    const negative = x < 0 || Object.is(x, -0);
    if (negative && signBit === 0) return 0;
    const size = Math.abs(x);
    if (size === Number.POSITIVE_INFINITY) return infinity + (negative ? signBit : 0);
    const at = Math.max(lowest, size === 0 ? lowest : exponentOf(size));
    // in units of the last place there; rounding up to the next power of two carries into the exponent by itself
    const units = nearestEven(size * 2 ** (mantissa - at));
    const code = units < steps ? units : (at - lowest + 1) * steps + units - steps;
    return Math.min(code, infinity) + (negative ? signBit : 0);
  };
  const numberOf = (code: number): number => {
    const size = signBit > 0 ? code & (signBit - 1) : code;
    const factor = size === code ? 1 : -1;
    if (size >= infinity) return size === infinity ? factor * Number.POSITIVE_INFINITY : Number.NaN;
    const field = Math.floor(size / steps);
    const rest = size % steps;
    if (field === 0) return factor * rest * 2 ** (lowest - mantissa);
    return factor * (steps + rest) * 2 ** (field - 1 + lowest - mantissa);
  };
  const bits = sign + exponent + mantissa;
  let table: Float32Array | null = null;
  return {
    name,
    signed: sign === 1,
    exponent,
    mantissa,
    bits,
    largest: numberOf(infinity - 1),
    smallestNormal: 2 ** lowest,
    smallest: 2 ** (lowest - mantissa),
    encode: (values) => Uint16Array.from(values, codeOf),
    decode: (codes) => {
      table ??= Float32Array.from({ length: 2 ** bits }, (_, code) => numberOf(code));
      const out = new Float32Array(codes.length);
      for (let i = 0; i < out.length; i++) out[i] = table[codes[i] & (2 ** bits - 1)];
      return out;
    },
  };
}
