/** What two vectors of 16 bytes become, for each dtype and operation: the table that kernels are made from. */
import type { DType } from "../../../core/dtype.js";
import { type Expr, type Func, f32, i32, op, v128 } from "../../../runtime/wasm/assembler.js";
import type { CombineOp } from "../../transport/reduce-op.js";

type V = Expr<"v128">;
type Formula = (f: Func, a: V, b: V) => V;

const words = (value: number): V => v128(new Int32Array(4).fill(value));
const shorts = (value: number): V => op("i16x8.splat", i32(value));

/** Lanes of `a` where the mask is set, else of `b`. */
const select = (mask: V, a: V, b: V): V => op("v128.bitselect", a, b, mask);

/** 8-bit lanes have no product of their own: that of 16-bit ones, of which the low bytes are kept. */
const byteProduct: Formula = (_, a, b) => {
  const low = op("i16x8.mul", op("i16x8.extend_low_i8x16_u", a), op("i16x8.extend_low_i8x16_u", b));
  const high = op("i16x8.mul", op("i16x8.extend_high_i8x16_u", a), op("i16x8.extend_high_i8x16_u", b));
  return op("i8x16.narrow_i16x8_u", op("v128.and", low, shorts(255)), op("v128.and", high, shorts(255)));
};

/** 1 for every byte that is not 0. */
const truth = (x: V): V =>
  op("v128.and", op("i8x16.ne", x, op("i8x16.splat", i32(0))), op("i8x16.splat", i32(1)));
const any: Formula = (_, a, b) => truth(op("v128.or", a, b));
const all: Formula = (_, a, b) => op("v128.and", truth(a), truth(b));

/** Both halves of 16-bit floats in float32, and back. */
const inFloat32 =
  (decode: (f: Func, half: V) => V, encode: (f: Func, x: V) => V, formula: (a: V, b: V) => V): Formula =>
  (f, a, b) => {
    const low = formula(
      decode(f, op("i32x4.extend_low_i16x8_u", a)),
      decode(f, op("i32x4.extend_low_i16x8_u", b)),
    );
    const high = formula(
      decode(f, op("i32x4.extend_high_i16x8_u", a)),
      decode(f, op("i32x4.extend_high_i16x8_u", b)),
    );
    return op("i16x8.narrow_i32x4_u", encode(f, f.let(low)), encode(f, f.let(high)));
  };

const isNaN32 = (x: V): V => op("f32x4.ne", x, x);

/** A bfloat16 is the upper half of a float32. */
const decodeBfloat16 = (_: Func, half: V): V => op("i32x4.shl", half, i32(16));
/** To the nearest, halves to even: half of the last place, less one where that place is even, carries up. */
const encodeBfloat16 = (_: Func, x: V): V => {
  const odd = op("v128.and", op("i32x4.shr_u", x, i32(16)), words(1));
  const rounded = op("i32x4.shr_u", op("i32x4.add", op("i32x4.add", x, words(0x7fff)), odd), i32(16));
  return select(isNaN32(x), words(0x7fc0), rounded);
};

/** Exponents are moved by a multiplication, which makes numbers of subnormals too. */
const decodeFloat16 = (f: Func, half: V): V => {
  const sized = f.let(op("i32x4.shl", op("v128.and", half, words(0x7fff)), i32(13)));
  const number = op("f32x4.mul", sized, op("f32x4.splat", f32(2 ** 112)));
  // infinities and NaNs keep the largest exponent
  const special = op("i32x4.gt_s", sized, words((0x7bff << 13) | 0x1fff));
  const size = select(special, op("v128.or", sized, words(0x7f800000)), number);
  return op("v128.or", size, op("i32x4.shl", op("v128.and", half, words(0x8000)), i32(16)));
};
/** Numbers below 2⁻¹⁴ are rounded by adding 0.5, whose last place is the smallest subnormal's; others as bfloat16's. */
const encodeFloat16 = (f: Func, x: V): V => {
  const sign = op("v128.and", op("i32x4.shr_u", x, i32(16)), words(0x8000));
  const size = f.let(op("v128.and", x, words(0x7fffffff)));
  const half = op("f32x4.splat", f32(0.5));
  const small = op("i32x4.sub", op("f32x4.add", size, half), half);
  const odd = op("v128.and", op("i32x4.shr_u", size, i32(13)), words(1));
  const moved = op("i32x4.add", size, words(((15 - 127) << 23) + 0xfff));
  const usual = op("i32x4.shr_u", op("i32x4.add", moved, odd), i32(13));
  const number = select(op("i32x4.lt_s", size, words(113 << 23)), small, usual);
  // from 65,520 on the nearest is infinity
  const finite = select(op("i32x4.lt_s", size, words(0x477ff000)), number, words(0x7c00));
  return op("v128.or", select(isNaN32(x), words(0x7e00), finite), sign);
};

const float32: Record<CombineOp, (a: V, b: V) => V> = {
  sum: (a, b) => op("f32x4.add", a, b),
  product: (a, b) => op("f32x4.mul", a, b),
  min: (a, b) => op("f32x4.min", a, b),
  max: (a, b) => op("f32x4.max", a, b),
};

const halves = (
  decode: (f: Func, half: V) => V,
  encode: (f: Func, x: V) => V,
): Record<CombineOp, Formula> => ({
  sum: inFloat32(decode, encode, float32.sum),
  product: inFloat32(decode, encode, float32.product),
  min: inFloat32(decode, encode, float32.min),
  max: inFloat32(decode, encode, float32.max),
});

/** `a` is what is there, `b` the message; both are locals, so that they may be named more than once. */
export const FORMULAS: Record<DType, Record<CombineOp, Formula>> = {
  float64: {
    sum: (_, a, b) => op("f64x2.add", a, b),
    product: (_, a, b) => op("f64x2.mul", a, b),
    min: (_, a, b) => op("f64x2.min", a, b),
    max: (_, a, b) => op("f64x2.max", a, b),
  },
  float32: {
    sum: (_, a, b) => float32.sum(a, b),
    product: (_, a, b) => float32.product(a, b),
    min: (_, a, b) => float32.min(a, b),
    max: (_, a, b) => float32.max(a, b),
  },
  float16: halves(decodeFloat16, encodeFloat16),
  bfloat16: halves(decodeBfloat16, encodeBfloat16),
  int64: {
    sum: (_, a, b) => op("i64x2.add", a, b),
    product: (_, a, b) => op("i64x2.mul", a, b),
    min: (_, a, b) => select(op("i64x2.lt_s", a, b), a, b),
    max: (_, a, b) => select(op("i64x2.gt_s", a, b), a, b),
  },
  int32: {
    sum: (_, a, b) => op("i32x4.add", a, b),
    product: (_, a, b) => op("i32x4.mul", a, b),
    min: (_, a, b) => op("i32x4.min_s", a, b),
    max: (_, a, b) => op("i32x4.max_s", a, b),
  },
  int16: {
    sum: (_, a, b) => op("i16x8.add", a, b),
    product: (_, a, b) => op("i16x8.mul", a, b),
    min: (_, a, b) => op("i16x8.min_s", a, b),
    max: (_, a, b) => op("i16x8.max_s", a, b),
  },
  int8: {
    sum: (_, a, b) => op("i8x16.add", a, b),
    product: byteProduct,
    min: (_, a, b) => op("i8x16.min_s", a, b),
    max: (_, a, b) => op("i8x16.max_s", a, b),
  },
  uint8: {
    sum: (_, a, b) => op("i8x16.add", a, b),
    product: byteProduct,
    min: (_, a, b) => op("i8x16.min_u", a, b),
    max: (_, a, b) => op("i8x16.max_u", a, b),
  },
  bool: { sum: any, product: all, min: all, max: any },
};

/** Elements divided by one number, for the dtypes that have a mean. */
export const QUOTIENTS: Partial<Record<DType, (f: Func, a: V, by: Expr<"f64">) => V>> = {
  float64: (_, a, by) => op("f64x2.div", a, op("f64x2.splat", by)),
  float32: (_, a, by) => op("f32x4.div", a, float32Of(by)),
  float16: (f, a, by) => quotientInFloat32(f, a, by, decodeFloat16, encodeFloat16),
  bfloat16: (f, a, by) => quotientInFloat32(f, a, by, decodeBfloat16, encodeBfloat16),
};

const float32Of = (by: Expr<"f64">): V => op("f32x4.splat", op("f32.demote_f64", by));

function quotientInFloat32(
  f: Func,
  a: V,
  by: Expr<"f64">,
  decode: (f: Func, half: V) => V,
  encode: (f: Func, x: V) => V,
): V {
  const low = op("f32x4.div", decode(f, op("i32x4.extend_low_i16x8_u", a)), float32Of(by));
  const high = op("f32x4.div", decode(f, op("i32x4.extend_high_i16x8_u", a)), float32Of(by));
  return op("i16x8.narrow_i32x4_u", encode(f, f.let(low)), encode(f, f.let(high)));
}
