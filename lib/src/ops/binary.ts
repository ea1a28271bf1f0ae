/** Arithmetic of two operands with NumPy's broadcasting. */
import type { Tensor } from "../core/tensor.js";
import { asTensor, type TensorLike } from "./convert.js";
import { binaryOp } from "./elementwise.js";

/** 1 where a > b, ½ where they are equal (both share the gradient, as in JAX and PyTorch), else 0. */
function shareOf(a: Tensor, b: Tensor): Tensor {
  return a.greater(b).cast(a.dtype).add(a.equal(b).cast(a.dtype).mul(0.5));
}

/**
 * a + b.
 * @example add([1, 2], 10) // [11, 12]
 */
export const add = binaryOp("add", { f: (a, b) => a + b, partials: [(g) => g, (g) => g], saves: {} });

/**
 * a − b.
 * @example sub([1, 2], [[1], [5]]) // [[0, 1], [-4, -3]]
 */
export const sub = binaryOp("sub", { f: (a, b) => a - b, partials: [(g) => g, (g) => g.neg()], saves: {} });

/**
 * a · b, elementwise.
 * @example mul([1, 2], [3, 4]) // [3, 8]
 */
export const mul = binaryOp("mul", {
  f: (a, b) => a * b,
  partials: [(g, _, b) => g.mul(b), (g, a) => g.mul(a)],
});

/**
 * a / b; integers are divided as float32.
 * @example div([1, 2], 4) // [0.25, 0.5]
 */
export const div = binaryOp("div", {
  f: (a, b) => a / b,
  partials: [(g, _a, b) => g.div(b), (g, _a, b, y) => g.mul(y).div(b).neg()],
  saves: { inputs: [1], outputs: true },
  float: true,
  ranges: [
    [-2, 2],
    [0.4, 2],
  ],
});

/**
 * aᵇ.
 * @example pow([2, 3], 2) // [4, 9]
 */
export const pow = binaryOp("pow", {
  // C and NumPy: a power of 1 is 1 whatever the exponent
  f: (a, b) => (a === 1 || (a === -1 && Math.abs(b) === Number.POSITIVE_INFINITY) ? 1 : a ** b),
  partials: [
    (g, a, b) => g.mul(b.mul(a.pow(b.sub(1))).where(b.notEqual(0), 0)), // a⁰ is constant, at 0 too
    (g, a, b, y) => g.mul(y.mul(a.log()).where(a.notEqual(0).logicalOr(b.less(0)), 0)),
  ],
  saves: { inputs: "all", outputs: true },
  ranges: [
    [0.3, 2],
    [-2, 2],
  ],
});

/**
 * The larger one; NaN wins.
 * @example maximum([1, 5], 3) // [3, 5]
 */
export const maximum = binaryOp("maximum", {
  f: (a, b) => (a > b || Number.isNaN(a) ? a : b),
  partials: [(g, a, b) => g.mul(shareOf(a, b)), (g, a, b) => g.mul(shareOf(b, a))],
});

/**
 * The smaller one; NaN wins.
 * @example minimum([1, 5], 3) // [1, 3]
 */
export const minimum = binaryOp("minimum", {
  f: (a, b) => (a < b || Number.isNaN(a) ? a : b),
  partials: [(g, a, b) => g.mul(shareOf(b, a)), (g, a, b) => g.mul(shareOf(a, b))],
});

/** Exact, which a − ⌊a/b⌋·b is not: of 1 and 0.1 it is 0.09…, because 0.1 is a little more than a tenth. */
function modulo(a: number, b: number): number {
  const rest = a % b;
  if (rest === 0) return b < 0 || Object.is(b, -0) ? -0 : 0;
  return rest < 0 !== b < 0 ? rest + b : rest;
}

/** The whole number that fits the exact remainder, as NumPy finds it: of 1 and 0.1 it is 9. */
function quotient(a: number, b: number): number {
  if (b === 0) return a / b;
  const rest = a % b;
  const below = rest !== 0 && rest < 0 !== b < 0 ? 1 : 0;
  const whole = (a - rest) / b - below;
  if (whole === 0) return a / b < 0 || Object.is(a / b, -0) ? -0 : 0;
  const floor = Math.floor(whole);
  return whole - floor > 0.5 ? floor + 1 : floor;
}

/**
 * a − ⌊a/b⌋·b: the remainder with the sign of b, as NumPy's `%`.
 * @example remainder([7, -7], 3) // [1, 2]
 */
export const remainder = binaryOp("remainder", {
  f: modulo,
  partials: [(g) => g, (g, a, b) => g.mul(a.div(b).floor()).neg()],
  ranges: [
    [0.1, 0.9],
    [1, 2],
  ],
  also: [
    [-5.9, -5.1],
    [-1.02, -1.01],
  ],
});

/** a² + b², and 1 at the origin, where directions have no derivative: they count as constant. */
function squaredLength(a: Tensor, b: Tensor): Tensor {
  const squares = a.square().add(b.square());
  return asTensor(1, squares.dtype).where(squares.equal(0), squares);
}

/**
 * Angle of the point (b, a), in radians.
 * @example atan2(1, [1, -1]) // [0.7854, 2.356]
 */
export const atan2 = binaryOp("atan2", {
  f: Math.atan2,
  partials: [
    (g, a, b) => g.mul(b.div(squaredLength(a, b))),
    (g, a, b) => g.mul(a.div(squaredLength(a, b))).neg(),
  ],
  float: true,
  ranges: [
    [0.3, 2],
    [0.3, 2],
  ],
  also: [
    [-2, 2],
    [-2, -0.3],
  ],
});

/**
 * ⌊a/b⌋, as NumPy's `//`.
 * @example floorDivide(-7, 2) // -4
 */
export const floorDivide = binaryOp("floorDivide", {
  f: quotient,
  ranges: [
    [-2, 2],
    [0.4, 2],
  ],
});

/**
 * a − trunc(a/b)·b: the remainder with the sign of a, as C's `%`.
 * @example fmod(-7, 2) // -1
 */
export const fmod = binaryOp("fmod", {
  f: (a, b) => a % b,
  partials: [(g) => g, (g, a, b) => g.mul(a.div(b).trunc()).neg()],
  ranges: [
    [0.1, 0.9],
    [1, 2],
  ],
  also: [
    [-5.9, -5.1],
    [-1.02, -1.01],
  ],
});

/** a/y; 0 where y is. */
function cosine(a: Tensor, y: Tensor): Tensor {
  return a.div(asTensor(1, y.dtype).where(y.equal(0), y));
}

/**
 * √(a² + b²) without overflow.
 * @example hypot(3, 4) // 5
 */
export const hypot = binaryOp("hypot", {
  f: Math.hypot,
  partials: [(g, a, _b, y) => g.mul(cosine(a, y)), (g, _a, b, y) => g.mul(cosine(b, y))],
  saves: { inputs: "all", outputs: true },
  float: true,
  ranges: [
    [0.3, 2],
    [-2, 2],
  ],
});

/**
 * ln(eᵃ + eᵇ) without overflow.
 * @example logAddExp(1000, 1000) // 1000.6931
 */
export const logAddExp = binaryOp("logAddExp", {
  f: (a, b) => (a === b ? a + Math.LN2 : Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)))),
  partials: [(g, a, b) => g.mul(a.sub(b).sigmoid()), (g, a, b) => g.mul(b.sub(a).sigmoid())],
  float: true,
});

/**
 * The size of a with the sign of b.
 * @example copySign([1, -1], -0) // [-1, -1]
 */
export const copySign = binaryOp("copySign", {
  f: (a, b) => (b < 0 || Object.is(b, -0) ? -Math.abs(a) : Math.abs(a)),
  partials: [(g, a, b) => g.mul(a.sign()).mul(b.signbit().cast(g.dtype).mul(-2).add(1)), (g) => g.mul(0)],
  float: true,
  ranges: [
    [0.3, 2],
    [0.3, 2],
  ],
  also: [
    [-2, -0.3],
    [-2, -0.3],
  ],
});

/**
 * a·ln b, and 0 where a is 0 (SciPy).
 * @example xlogy(0, 0) // 0
 */
export const xlogy = binaryOp("xlogy", {
  f: (a, b) => (a === 0 && !Number.isNaN(b) ? 0 : a * Math.log(b)),
  partials: [
    (g, a, b) => g.mul(b.log().where(a.notEqual(0).logicalOr(b.greater(0)), 0)),
    (g, a, b) => g.mul(a.div(b).where(a.notEqual(0), 0)),
  ],
  float: true,
  ranges: [
    [0.3, 2],
    [0.3, 2],
  ],
});

/**
 * 0 where a is negative, 1 where it is positive, b where it is 0.
 * @example heaviside([-1, 0, 2], 0.5) // [0, 0.5, 1]
 */
export const heaviside = binaryOp("heaviside", {
  f: (a, b) => (Number.isNaN(a) ? a : a < 0 ? 0 : a > 0 ? 1 : b),
});

declare module "../core/tensor.js" {
  interface Tensor {
    /** a + b. */
    add(other: TensorLike): Tensor;
    /** a − b. */
    sub(other: TensorLike): Tensor;
    /** a · b, elementwise. */
    mul(other: TensorLike): Tensor;
    /** a / b; integers are divided as float32. */
    div(other: TensorLike): Tensor;
    /** aᵇ. */
    pow(other: TensorLike): Tensor;
    /** The larger one; NaN wins. */
    maximum(other: TensorLike): Tensor;
    /** The smaller one; NaN wins. */
    minimum(other: TensorLike): Tensor;
    /** a − ⌊a/b⌋·b: the remainder with the sign of b, as NumPy's `%`. */
    remainder(other: TensorLike): Tensor;
    /** Angle of the point (b, a), in radians. */
    atan2(other: TensorLike): Tensor;
    /** ⌊a/b⌋, as NumPy's `//`. */
    floorDivide(other: TensorLike): Tensor;
    /** a − trunc(a/b)·b: the remainder with the sign of a, as C's `%`. */
    fmod(other: TensorLike): Tensor;
    /** √(a² + b²) without overflow. */
    hypot(other: TensorLike): Tensor;
    /** ln(eᵃ + eᵇ) without overflow. */
    logAddExp(other: TensorLike): Tensor;
    /** The size of a with the sign of b. */
    copySign(other: TensorLike): Tensor;
    /** a·ln b, and 0 where a is 0 (SciPy). */
    xlogy(other: TensorLike): Tensor;
    /** 0 where a is negative, 1 where it is positive, b where it is 0. */
    heaviside(other: TensorLike): Tensor;
  }
}
