/** Rounding, and tests of single numbers. */
import { unaryOp } from "./elementwise.js";

/** NumPy's rounding: halves go to the even neighbour. */
function roundHalfToEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

/**
 * Largest integer not above x.
 * @example floor([1.7, -1.2]) // [1, -2]
 */
export const floor = unaryOp("floor", { f: Math.floor });

/**
 * Smallest integer not below x.
 * @example ceil([1.2, -1.7]) // [2, -1]
 */
export const ceil = unaryOp("ceil", { f: Math.ceil });

/**
 * Nearest integer, halves to the even one.
 * @example round([0.5, 1.5, -1.2]) // [0, 2, -1]
 */
export const round = unaryOp("round", { f: roundHalfToEven });

/**
 * The integer next to x towards 0.
 * @example trunc([-1.7, 1.7]) // [-1, 1]
 */
export const trunc = unaryOp("trunc", { f: Math.trunc });

/**
 * x − trunc(x): what stands behind the point, with the sign of x.
 * @example frac([-1.25, 1.25]) // [-0.25, 0.25]
 */
export const frac = unaryOp("frac", {
  f: (x) => x - Math.trunc(x),
  derivative: () => 1,
  range: [0.1, 0.9],
  also: [-1.9, -1.1],
});

/**
 * True where x is NaN.
 * @example isnan([1, 0 / 0]) // [false, true]
 */
export const isnan = unaryOp("isnan", { f: (x) => Number(Number.isNaN(x)), bool: true });

/**
 * True where x is neither NaN nor infinite.
 * @example isfinite([1, 1 / 0]) // [true, false]
 */
export const isfinite = unaryOp("isfinite", { f: (x) => Number(Number.isFinite(x)), bool: true });

/**
 * True where x is infinite.
 * @example isinf([1, 1 / 0]) // [false, true]
 */
export const isinf = unaryOp("isinf", {
  f: (x) => Number(x === Number.POSITIVE_INFINITY || x === Number.NEGATIVE_INFINITY),
  bool: true,
});

/**
 * True where the sign is minus, also of −0.
 * @example signbit([-0, 0]) // [true, false]
 */
export const signbit = unaryOp("signbit", { f: (x) => Number(x < 0 || Object.is(x, -0)), bool: true });

/**
 * True where x is 0.
 * @example logicalNot([true, false]) // [false, true]
 */
export const logicalNot = unaryOp("logicalNot", { f: (x) => Number(x === 0), bool: true });

declare module "../core/tensor.js" {
  interface Tensor {
    /** Largest integer not above x. */
    floor(): Tensor;
    /** Smallest integer not below x. */
    ceil(): Tensor;
    /** Nearest integer, halves to the even one. */
    round(): Tensor;
    /** The integer next to x towards 0. */
    trunc(): Tensor;
    /** x − trunc(x): what stands behind the point, with the sign of x. */
    frac(): Tensor;
    /** True where x is NaN. */
    isnan(): Tensor;
    /** True where x is neither NaN nor infinite. */
    isfinite(): Tensor;
    /** True where x is infinite. */
    isinf(): Tensor;
    /** True where the sign is minus, also of −0. */
    signbit(): Tensor;
    /** True where x is 0. */
    logicalNot(): Tensor;
  }
}
