/** Elementwise ops. Where TensorFlow means something else at NaN, infinities, zeros or halves, the row says it our way. */
import { any, counted, float, number, type Row, truth } from "../row.js";
import type { Tfjs, TfTensor } from "../tfjs.js";

// Klambauer et al., Self-Normalizing Neural Networks (2017)
const SELU_SCALE = 1.0507009873554805;
const SELU_ALPHA = 1.6732632423543772;
const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

const BROADCASTS = { broadcasts: true };

type Unary = (t: Tfjs, x: TfTensor) => TfTensor;
type Binary = (t: Tfjs, a: TfTensor, b: TfTensor) => TfTensor;
const one = (make: typeof float, f: Unary): Row => make((t, [x]) => f(t, x), BROADCASTS);
const two = (make: typeof float, f: Binary): Row => make((t, [a, b]) => f(t, a, b), BROADCASTS);

const trunc: Unary = (t, x) => t.where(t.less(x, 0), t.ceil(x), t.floor(x));
/** 0 … 1, rising around 0. */
const hardGate: Unary = (t, x) => t.clipByValue(t.add(t.div(x, 6), 0.5), 0, 1);
const isMinus: Unary = (t, x) =>
  t.logicalOr(t.less(x, 0), t.equal(t.reciprocal(x), Number.NEGATIVE_INFINITY));
const softplus: Unary = (t, x) => t.add(t.relu(x), t.log1p(t.exp(t.neg(t.abs(x)))));

/** Integers: of a division by 0 the reference makes 0, TensorFlow an error. */
const byDivisor =
  (f: Binary): Binary =>
  (t, a, b) => {
    if (a.dtype !== "int32") return f(t, a, b);
    const none = t.equal(b, 0);
    const y = f(t, a, t.where(none, t.onesLike(b), b));
    return t.where(none, t.zerosLike(y), y);
  };

/**
 * The whole number that fits the exact remainder: of 1 and 0.1 it is 9, where the quotient's floor would be 10. Division by an
 * infinity leaves its sign, by 0 the quotient.
 */
const floorDivide: Binary = (t, a, b) => {
  if (a.dtype === "int32") return t.floorDiv(a, b);
  const fitting = t.round(t.div(t.sub(a, t.mod(a, b)), b));
  const apart = t.logicalAnd(t.notEqual(a, 0), t.notEqual(t.less(a, 0), t.less(b, 0)));
  const endless = t.logicalAnd(t.isInf(b), t.isFinite(a));
  const finite = t.where(endless, t.neg(t.cast(apart, "float32")), fitting);
  return t.where(t.equal(b, 0), t.div(a, b), finite);
};

/** Comparisons of bool are those of 0 and 1. */
const compared =
  (f: Binary): Binary =>
  (t, a, b) =>
    f(t, counted(t, a), counted(t, b));

const logical =
  (f: Binary): Binary =>
  (t, a, b) =>
    f(t, truth(t, a), truth(t, b));

/** Without overflow of the squares; an infinite leg makes an infinite length, whatever the other is. */
const hypot: Binary = (t, a, b) => {
  const [x, y] = [t.abs(a), t.abs(b)];
  const long = t.maximum(x, y);
  const ratio = t.div(t.minimum(x, y), t.where(t.equal(long, 0), t.onesLike(long), long));
  const length = t.mul(long, t.sqrt(t.add(1, t.square(ratio))));
  const infinite = t.logicalOr(t.isInf(a), t.isInf(b));
  return t.where(infinite, t.fill(length.shape, Number.POSITIVE_INFINITY), length);
};

const logAddExp: Binary = (t, a, b) => {
  const apart = t.add(t.maximum(a, b), t.log1p(t.exp(t.neg(t.abs(t.sub(a, b))))));
  return t.where(t.equal(a, b), t.add(a, Math.LN2), apart); // equal infinities have no difference
};

export const UNARY: Readonly<Record<string, Row>> = {
  // the backend cpu takes int32 through float32 in abs and square
  abs: one(number, (t, x) => (x.dtype === "int32" ? t.maximum(x, t.neg(x)) : t.abs(x))),
  acos: one(float, (t, x) => t.acos(x)),
  acosh: one(float, (t, x) => t.acosh(x)),
  asin: one(float, (t, x) => t.asin(x)),
  asinh: one(float, (t, x) => t.asinh(x)),
  atan: one(float, (t, x) => t.atan(x)),
  atanh: one(float, (t, x) => t.atanh(x)),
  cbrt: one(float, (t, x) => t.mul(t.sign(x), t.pow(t.abs(x), 1 / 3))),
  ceil: one(float, (t, x) => t.ceil(x)),
  cos: one(float, (t, x) => t.cos(x)),
  cosh: one(float, (t, x) => t.cosh(x)),
  deg2rad: one(float, (t, x) => t.mul(x, Math.PI / 180)),
  elu: one(float, (t, x) => t.where(t.greater(x, 0), x, t.expm1(x))),
  erf: one(float, (t, x) => t.erf(x)),
  exp: one(float, (t, x) => t.exp(x)),
  exp2: one(float, (t, x) => t.pow(2, x)),
  expm1: one(float, (t, x) => t.expm1(x)),
  floor: one(float, (t, x) => t.floor(x)),
  frac: one(float, (t, x) => t.sub(x, trunc(t, x))),
  gelu: one(float, (t, x) => t.mul(t.mul(x, 0.5), t.add(1, t.erf(t.mul(x, Math.SQRT1_2))))),
  geluTanh: one(float, (t, x) => {
    const inner = t.mul(t.add(x, t.mul(t.mul(t.square(x), x), 0.044715)), SQRT_2_OVER_PI);
    return t.mul(t.mul(x, 0.5), t.add(1, t.tanh(inner)));
  }),
  hardSigmoid: one(float, hardGate),
  hardSwish: one(float, (t, x) => t.mul(x, hardGate(t, x))),
  isfinite: one(float, (t, x) => t.isFinite(x)),
  isinf: one(float, (t, x) => t.isInf(x)),
  isnan: one(float, (t, x) => t.isNaN(x)),
  log: one(float, (t, x) => t.log(x)),
  log10: one(float, (t, x) => t.mul(t.log(x), Math.LOG10E)),
  log1p: one(float, (t, x) => t.log1p(x)),
  log2: one(float, (t, x) => t.mul(t.log(x), Math.LOG2E)),
  logicalNot: one(any, (t, x) => t.logicalNot(truth(t, x))),
  logit: one(float, (t, x) => t.log(t.div(x, t.sub(1, x)))),
  logSigmoid: one(float, (t, x) => t.neg(softplus(t, t.neg(x)))),
  mish: one(float, (t, x) => t.mul(x, t.tanh(softplus(t, x)))),
  neg: one(number, (t, x) => t.neg(x)),
  rad2deg: one(float, (t, x) => t.mul(x, 180 / Math.PI)),
  reciprocal: one(float, (t, x) => t.reciprocal(x)),
  relu: one(number, (t, x) => t.relu(x)),
  relu6: one(float, (t, x) => t.clipByValue(x, 0, 6)),
  round: one(float, (t, x) => t.round(x)),
  rsqrt: one(float, (t, x) => t.rsqrt(x)),
  selu: one(float, (t, x) => t.mul(t.where(t.greater(x, 0), x, t.mul(t.expm1(x), SELU_ALPHA)), SELU_SCALE)),
  sigmoid: one(float, (t, x) => t.sigmoid(x)),
  sign: one(number, (t, x) => (x.dtype === "int32" ? t.sign(x) : t.where(t.equal(x, 0), x, t.sign(x)))),
  signbit: one(float, isMinus),
  silu: one(float, (t, x) => t.mul(x, t.sigmoid(x))),
  sin: one(float, (t, x) => t.sin(x)),
  sinc: one(float, (t, x) => {
    const angle = t.mul(x, Math.PI);
    return t.where(t.equal(x, 0), t.onesLike(x), t.div(t.sin(angle), angle));
  }),
  sinh: one(float, (t, x) => t.sinh(x)),
  softplus: one(float, softplus),
  softsign: one(float, (t, x) => t.div(x, t.add(1, t.abs(x)))),
  sqrt: one(float, (t, x) => t.sqrt(x)),
  square: one(number, (t, x) => (x.dtype === "int32" ? t.mul(x, x) : t.square(x))),
  tan: one(float, (t, x) => t.tan(x)),
  tanh: one(float, (t, x) => t.tanh(x)),
  trunc: one(float, trunc),
};

export const BINARY: Readonly<Record<string, Row>> = {
  add: two(number, (t, a, b) => t.add(a, b)),
  atan2: two(float, (t, a, b) => t.atan2(a, b)),
  copySign: two(float, (t, a, b) => t.where(isMinus(t, b), t.neg(t.abs(a)), t.abs(a))),
  div: two(float, (t, a, b) => t.div(a, b)),
  equal: two(
    any,
    compared((t, a, b) => t.equal(a, b)),
  ),
  floorDivide: two(number, byDivisor(floorDivide)),
  greater: two(
    any,
    compared((t, a, b) => t.greater(a, b)),
  ),
  greaterEqual: two(
    any,
    compared((t, a, b) => t.greaterEqual(a, b)),
  ),
  heaviside: two(float, (t, x, h) => {
    const step = t.where(t.isNaN(x), x, t.cast(t.greater(x, 0), "float32"));
    return t.where(t.equal(x, 0), h, step);
  }),
  hypot: two(float, hypot),
  less: two(
    any,
    compared((t, a, b) => t.less(a, b)),
  ),
  lessEqual: two(
    any,
    compared((t, a, b) => t.lessEqual(a, b)),
  ),
  logAddExp: two(float, logAddExp),
  logicalAnd: two(
    any,
    logical((t, a, b) => t.logicalAnd(a, b)),
  ),
  logicalOr: two(
    any,
    logical((t, a, b) => t.logicalOr(a, b)),
  ),
  logicalXor: two(
    any,
    logical((t, a, b) => t.notEqual(counted(t, a), counted(t, b))),
  ),
  maximum: two(number, (t, a, b) => t.maximum(a, b)),
  minimum: two(number, (t, a, b) => t.minimum(a, b)),
  mul: two(number, (t, a, b) => t.mul(a, b)),
  notEqual: two(
    any,
    compared((t, a, b) => t.notEqual(a, b)),
  ),
  pow: two(float, (t, a, b) => t.pow(a, b)),
  remainder: two(
    number,
    byDivisor((t, a, b) => t.mod(a, b)),
  ),
  sub: two(number, (t, a, b) => t.sub(a, b)),
  xlogy: two(float, (t, a, b) => {
    const zero = t.logicalAnd(t.equal(a, 0), t.logicalNot(t.isNaN(b)));
    const y = t.mul(a, t.log(b));
    return t.where(zero, t.zerosLike(y), t.where(t.isNaN(a), a, y));
  }),
};

export const CHOSEN: Readonly<Record<string, Row>> = {
  cast: any<{ dtype: "float32" | "int32" | "bool" }>(
    (t, [x], { dtype }) => (dtype === "bool" ? truth(t, x) : t.cast(x, dtype)),
    BROADCASTS,
  ),
  clip: float<{ low: number; high: number }>(
    (t, [x], { low, high }) => t.minimum(t.maximum(x, low), high),
    BROADCASTS,
  ),
  leakyRelu: float<{ slope: number }>(
    (t, [x], { slope }) => t.where(t.greater(x, 0), x, t.mul(x, slope)),
    BROADCASTS,
  ),
  where: any((t, [c, a, b]) => t.where(truth(t, c), a, b), BROADCASTS),
};
