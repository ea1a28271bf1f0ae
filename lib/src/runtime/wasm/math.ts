/**
 * Elementary functions on vectors. float32: Cephes' reductions and polynomials (Moshier), within 2 units in the last
 * place. float64: reduction by exact halves of constants (Cody & Waite 1980) and Taylor or odd series long enough for
 * double precision. Special values come out as in IEEE 754 and JavaScript's Math.
 */
import { i32, op, shuffle, v128 } from "./assembler.js";
import { type Lanes, type V, wide } from "./vector.js";

const INFINITY = Number.POSITIVE_INFINITY;
const LOG2E = Math.LOG2E;

/** Coefficients 1/n! for n from `from` to `to`. */
function factorials(from: number, to: number): number[] {
  const out: number[] = [];
  let factorial = 1;
  for (let n = 0; n <= to; n++) {
    if (n > 0) factorial *= n;
    if (n >= from) out.push(1 / factorial);
  }
  return out;
}

const EXP32 = [
  5.0000001201e-1, 1.6666665459e-1, 4.1665795894e-2, 8.3334519073e-3, 1.3981999507e-3, 1.98756915e-4,
];
const EXP64 = factorials(2, 13);

/** eʳ for |r| ≤ ½ ln 2. */
function expReduced(k: Lanes, r: V): V {
  const series = k.polynomial(r, k.type === "f32x4" ? EXP32 : EXP64);
  return k.bin("add", k.madd(k.bin("mul", r, r), series, r), k.splat(1));
}

export function exp(k: Lanes, x: V): V {
  const single = k.type === "f32x4";
  const [low, high] = single ? [-104, 89] : [-746, 710];
  const t = k.hold(k.bin("min", k.bin("max", x, k.splat(low)), k.splat(high)));
  const n = k.hold(k.un("nearest", k.bin("mul", t, k.splat(LOG2E))));
  const [big, small] = single ? [0.693359375, -2.1219444e-4] : [0.6931471803691238, 1.9082149292705877e-10];
  const r = k.hold(k.madd(n, k.splat(-small), k.madd(n, k.splat(-big), t)));
  return k.scale(expReduced(k, r), n);
}

/** 2ˣ. */
export function exp2(k: Lanes, x: V): V {
  const [low, high] = k.type === "f32x4" ? [-151, 129] : [-1076, 1025];
  const t = k.hold(k.bin("min", k.bin("max", x, k.splat(low)), k.splat(high)));
  const n = k.hold(k.un("nearest", t));
  const r = k.hold(k.bin("mul", k.bin("sub", t, n), k.splat(Math.LN2)));
  return k.scale(expReduced(k, r), n);
}

/** eˣ − 1 (float64 lanes). */
export function expm1(k: Lanes, x: V): V {
  const r = k.hold(k.bin("min", k.bin("max", x, k.splat(-0.5)), k.splat(0.5)));
  const near = k.hold(k.madd(k.bin("mul", r, r), k.polynomial(r, factorials(2, 15)), r));
  const far = k.bin("sub", exp(k, x), k.splat(1));
  return k.select(k.bin("eq", r, x), k.select(k.bin("eq", x, k.splat(0)), x, near), far);
}

const LOG32 = [
  3.3333331174e-1, -2.4999993993e-1, 2.0000714765e-1, -1.6668057665e-1, 1.4249322787e-1, -1.2420140846e-1,
  1.167699874e-1, -1.151461031e-1, 7.0376836292e-2,
];

/** Splits x > 0 into m in [√½, √2) and a whole e with x = m · 2ᵉ. */
function splitExponent(k: Lanes, x: V): { m: V; e: V } {
  const single = k.type === "f32x4";
  const subnormal = k.hold(k.bin("lt", x, k.splat(single ? 2 ** -126 : 2 ** -1022)));
  const lift = single ? 23 : 52;
  const normal = k.hold(k.select(subnormal, k.bin("mul", x, k.splat(2 ** lift)), x));
  const raw = single
    ? op("f32x4.convert_i32x4_s", op("i32x4.shr_u", normal, i32(23)))
    : op("f64x2.convert_low_i32x4_s", evenWords(op("i64x2.shr_u", normal, i32(52))));
  const bias = k.select(subnormal, k.splat((single ? 126 : 1022) + lift), k.splat(single ? 126 : 1022));
  const mantissa = single ? v128(new Int32Array(4).fill(0x007fffff)) : wide(2 ** 52 - 1);
  const m = k.hold(op("v128.or", op("v128.and", normal, mantissa), k.splat(0.5)));
  const low = k.hold(k.bin("lt", m, k.splat(Math.SQRT1_2)));
  return {
    m: k.hold(k.select(low, k.bin("add", m, m), m)),
    e: k.hold(k.bin("sub", k.bin("sub", raw, bias), op("v128.and", low, k.splat(1)))),
  };
}

/** The low 32 bits of both 64-bit lanes, side by side. */
function evenWords(x: V): V {
  return shuffle([0, 1, 2, 3, 8, 9, 10, 11, 0, 1, 2, 3, 8, 9, 10, 11], x, x);
}

export function log(k: Lanes, x: V): V {
  const { m, e } = splitExponent(k, x);
  let y: V;
  if (k.type === "f32x4") {
    const r = k.hold(k.bin("sub", m, k.splat(1)));
    const z = k.hold(k.bin("mul", r, r));
    const tail = k.bin("mul", k.bin("mul", r, z), k.polynomial(r, LOG32));
    const low = k.madd(z, k.splat(-0.5), k.madd(e, k.splat(-2.1219444e-4), tail));
    y = k.madd(e, k.splat(0.693359375), k.bin("add", r, low));
  } else {
    // ln m = 2 artanh((m−1)/(m+1))
    const s = k.hold(k.bin("div", k.bin("sub", m, k.splat(1)), k.bin("add", m, k.splat(1))));
    const z = k.hold(k.bin("mul", s, s));
    const odd = Array.from({ length: 11 }, (_, i) => 2 / (2 * i + 3));
    const series = k.bin("mul", k.bin("mul", s, z), k.polynomial(z, odd));
    const low = k.madd(e, k.splat(1.9082149292705877e-10), series);
    y = k.madd(e, k.splat(0.6931471803691238), k.bin("add", k.bin("add", s, s), low));
  }
  return logSpecials(k, x, y);
}

/** ln at 0, below 0, at ∞ and NaN. */
function logSpecials(k: Lanes, x: V, y: V): V {
  const upper = k.select(k.bin("lt", x, k.splat(INFINITY)), y, x); // ∞ and NaN are their own logarithms
  const defined = k.select(k.bin("lt", x, k.splat(0)), k.splat(Number.NaN), upper);
  return k.select(k.bin("eq", x, k.splat(0)), k.splat(-INFINITY), defined);
}

/** ln(1 + x) (float64 lanes): the rounding error of 1 + x is put back to first order. */
export function log1p(k: Lanes, x: V): V {
  const u = k.hold(k.bin("add", k.splat(1), x));
  const lost = k.bin("sub", x, k.bin("sub", u, k.splat(1)));
  const y = k.bin("add", log(k, u), k.bin("div", lost, u));
  const special = op("v128.or", k.bin("eq", u, k.splat(1)), k.bin("ge", u, k.splat(INFINITY)));
  const atPole = k.select(k.bin("eq", u, k.splat(0)), k.splat(-INFINITY), y);
  return k.select(special, x, atPole);
}

const TANH32 = [-3.33332819422e-1, 1.33314422036e-1, -5.37397155531e-2, 2.06390887954e-2, -5.70498872745e-3];

export function tanh(k: Lanes, x: V): V {
  const t = k.hold(k.un("abs", x));
  if (k.type === "f64x2") {
    const y = k.hold(expm1(k, k.hold(k.bin("mul", k.bin("min", t, k.splat(22)), k.splat(2)))));
    return k.withSign(k.bin("div", y, k.bin("add", y, k.splat(2))), k.signOf(x));
  }
  const z = k.hold(k.bin("mul", x, x));
  const near = k.madd(k.bin("mul", z, k.polynomial(z, TANH32)), t, t); // of |x|: a sum loses the sign of -0
  const e = exp(k, k.hold(k.bin("add", t, t)));
  const far = k.bin("sub", k.splat(1), k.bin("div", k.splat(2), k.bin("add", e, k.splat(1))));
  return k.withSign(k.select(k.bin("lt", t, k.splat(0.625)), near, far), k.signOf(x));
}

/** 1/(1 + e⁻ˣ), by e^−|x| so that neither tail loses digits. */
export function sigmoid(k: Lanes, x: V): V {
  const e = k.hold(exp(k, k.hold(k.un("neg", k.un("abs", x)))));
  const s = k.hold(k.bin("div", k.splat(1), k.bin("add", k.splat(1), e)));
  return k.select(k.bin("lt", x, k.splat(0)), k.bin("mul", e, s), s);
}

/** x/(1 + e⁻ˣ). */
export function silu(k: Lanes, x: V): V {
  const e = k.hold(exp(k, k.hold(k.un("neg", k.un("abs", x)))));
  const numerator = k.select(k.bin("lt", x, k.splat(0)), k.bin("mul", x, e), x);
  return k.bin("div", numerator, k.bin("add", k.splat(1), e));
}

/** ln(1 + eˣ) (float64 lanes). */
export function softplus(k: Lanes, x: V): V {
  const e = k.hold(exp(k, k.hold(k.un("neg", k.un("abs", x)))));
  return k.bin("add", k.bin("max", x, k.splat(0)), log1p(k, e));
}

export function sinh(k: Lanes, x: V): V {
  const t = k.hold(expm1(k, k.hold(k.un("abs", x))));
  const both = k.bin("add", t, k.bin("div", t, k.bin("add", t, k.splat(1))));
  const far = k.select(k.bin("lt", t, k.splat(INFINITY)), both, t);
  return k.withSign(k.bin("mul", far, k.splat(0.5)), k.signOf(x));
}

export function cosh(k: Lanes, x: V): V {
  const e = k.hold(exp(k, k.hold(k.un("abs", x))));
  return k.bin("mul", k.bin("add", e, k.bin("div", k.splat(1), e)), k.splat(0.5));
}

const ERF_NEAR = Array.from(
  { length: 15 },
  (_, n) => ((n % 2 === 0 ? 1 : -1) * factorials(n, n)[0] * 2) / (Math.sqrt(Math.PI) * (2 * n + 1)),
);
// e^(x²)·erfc(x), Chebyshev interpolation on [1, 2.2] and [2.2, 6]; errors below 1e-12.
const ERFC_MIDDLE: readonly number[] = [
  0.9999628610995726, -1.1279875182175294, 0.9980683808989251, -0.7463293970425489, 0.4873313250057038,
  -0.2807979966628764, 0.14206522633007426, -0.062115102214225025, 0.022933535755150777,
  -0.006949811925323819, 0.001670077747347171, -0.0003042223397044454, 3.928995100841958e-5,
  -3.194929184372471e-6, 1.2269941612598025e-7,
];
const ERFC_FAR: readonly number[] = [
  0.9976620982421122, -1.1144037789126624, 0.9599999877025949, -0.6790918988340395, 0.403622898793365,
  -0.20306737947111514, 0.08658343886469959, -0.03124651217134838, 0.009520997898908808,
  -0.0024412329585533086, 0.0005243041240162373, -9.372459657871584e-5, 1.3823119750176881e-5,
  -1.6615748201626913e-6, 1.5998491205796155e-7, -1.2033722191750857e-8, 6.807936735312458e-10,
  -2.723147414430026e-11, 6.86287060566868e-13, -8.192092785517831e-15,
];

/** Error function to 1e-9: enough for float32, in float64 lanes. */
export function erf(k: Lanes, x: V): V {
  const t = k.hold(k.bin("min", k.un("abs", x), k.splat(6)));
  const z = k.hold(k.bin("mul", t, t));
  const near = k.bin("mul", t, k.polynomial(z, ERF_NEAR));
  const scaled = k.select(
    k.bin("lt", t, k.splat(2.2)),
    k.polynomial(t, ERFC_MIDDLE),
    k.polynomial(t, ERFC_FAR),
  );
  const far = k.bin("sub", k.splat(1), k.bin("mul", scaled, exp(k, k.hold(k.un("neg", z)))));
  const magnitude = k.select(k.bin("le", t, k.splat(1)), near, far);
  const bounded = k.select(k.bin("ge", t, k.splat(6)), k.splat(1), magnitude);
  return k.select(k.bin("eq", x, x), k.withSign(bounded, k.signOf(x)), x);
}

/** aᵇ to some 1e-14 relative: enough for float32, in float64 lanes. */
export function pow(k: Lanes, a: V, b: V): V {
  const magnitude = exp(k, k.hold(k.bin("mul", b, log(k, k.hold(k.un("abs", a))))));
  const whole = k.bin("eq", k.un("floor", b), b);
  const half = k.hold(k.bin("mul", b, k.splat(0.5)));
  const odd = k.bin("ne", k.un("floor", half), half);
  const negative = op("v128.and", k.signOf(a), op("v128.and", whole, odd));
  const signed = k.withSign(magnitude, negative);
  const below = op("v128.and", k.bin("lt", a, k.splat(0)), k.bin("gt", a, k.splat(-INFINITY)));
  const undefinedPower = op("v128.andnot", below, whole);
  const y = k.select(undefinedPower, k.splat(Number.NaN), signed);
  const infinite = k.bin("eq", k.un("abs", b), k.splat(INFINITY));
  const minusOne = op("v128.and", infinite, k.bin("eq", a, k.splat(-1)));
  const ones = op("v128.or", k.bin("eq", b, k.splat(0)), op("v128.or", minusOne, k.bin("eq", a, k.splat(1))));
  return k.select(ones, k.splat(1), y);
}
