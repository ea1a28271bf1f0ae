/** Arithmetic of two operands with NumPy's broadcasting. */
import type { Tensor } from "../core/tensor.js";
import type { TensorLike } from "./convert.js";
import { binaryOp } from "./elementwise.js";

const mask = (condition: Tensor, g: Tensor): Tensor => g.mul(condition.cast(g.dtype));

/** 1 where a > b, ½ where they are equal (both share the gradient, as in JAX and PyTorch), else 0. */
function shareOf(a: Tensor, b: Tensor): Tensor {
  return a
    .greater(b)
    .cast(a.dtype)
    .add(mask(a.equal(b), a.mul(0).add(0.5)));
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
  f: (a, b) => a ** b,
  partials: [
    (g, a, b) => g.mul(b).mul(a.pow(b.sub(1))),
    (g, a, _b, y) => g.mul(y).mul(a.log().where(a.notEqual(0), 0)),
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

/**
 * a − ⌊a/b⌋·b: the remainder with the sign of b, as NumPy's `%`.
 * @example remainder([7, -7], 3) // [1, 2]
 */
export const remainder = binaryOp("remainder", {
  f: (a, b) => a - Math.floor(a / b) * b,
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

/**
 * Angle of the point (b, a), in radians.
 * @example atan2(1, [1, -1]) // [0.7854, 2.356]
 */
export const atan2 = binaryOp("atan2", {
  f: Math.atan2,
  partials: [
    (g, a, b) => g.mul(b).div(a.square().add(b.square())),
    (g, a, b) => g.mul(a).div(a.square().add(b.square())).neg(),
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
  f: (a, b) => Math.floor(a / b),
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

/**
 * √(a² + b²) without overflow.
 * @example hypot(3, 4) // 5
 */
export const hypot = binaryOp("hypot", {
  f: Math.hypot,
  partials: [(g, a, _b, y) => g.mul(a).div(y), (g, _a, b, y) => g.mul(b).div(y)],
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
  partials: [(g, a, _b, y) => g.mul(a.sub(y).exp()), (g, _a, b, y) => g.mul(b.sub(y).exp())],
  saves: { inputs: "all", outputs: true },
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
  partials: [(g, _a, b) => g.mul(b.log()), (g, a, b) => g.mul(a).div(b)],
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
