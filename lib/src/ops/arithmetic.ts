/** Signs, squares and roots. */
import { unaryOp } from "./elementwise.js";

/**
 * −x.
 * @example neg([1, -2]) // [-1, 2]
 */
export const neg = unaryOp("neg", { f: (x) => -x, derivative: () => -1 });

/**
 * |x|.
 * @example abs([1, -2]) // [1, 2]
 */
export const abs = unaryOp("abs", {
  f: Math.abs,
  derivative: (x) => x.sign(),
  reads: "x",
  range: [0.2, 2],
  also: [-2, -0.2],
});

/**
 * −1, 0 or 1.
 * @example sign([3, 0, -2]) // [1, 0, -1]
 */
export const sign = unaryOp("sign", { f: Math.sign });

/**
 * x².
 * @example square([1, -2]) // [1, 4]
 */
export const square = unaryOp("square", { f: (x) => x * x, derivative: (x) => x.mul(2), reads: "x" });

/**
 * 1/x.
 * @example reciprocal([2, 4]) // [0.5, 0.25]
 */
export const reciprocal = unaryOp("reciprocal", {
  f: (x) => 1 / x,
  derivative: (_, y) => y.square().neg(),
  reads: "y",
  float: true,
  range: [0.4, 2],
});

/**
 * Square root.
 * @example sqrt([4, 9]) // [2, 3]
 */
export const sqrt = unaryOp("sqrt", {
  f: Math.sqrt,
  derivative: (_, y) => y.mul(2).reciprocal(),
  reads: "y",
  float: true,
  range: [0.3, 3],
});

/**
 * 1/√x.
 * @example rsqrt([4, 16]) // [0.5, 0.25]
 */
export const rsqrt = unaryOp("rsqrt", {
  f: (x) => 1 / Math.sqrt(x),
  derivative: (x, y) => y.div(x).mul(-0.5),
  reads: "both",
  float: true,
  range: [0.3, 3],
});

/**
 * ∛x, also of negative numbers.
 * @example cbrt([-8, 27]) // [-2, 3]
 */
export const cbrt = unaryOp("cbrt", {
  f: Math.cbrt,
  derivative: (x, y) => y.div(x.mul(3)),
  reads: "both",
  float: true,
  range: [0.3, 3],
  also: [-3, -0.3],
});

declare module "../core/tensor.js" {
  interface Tensor {
    /** −x. */
    neg(): Tensor;
    /** |x|. */
    abs(): Tensor;
    /** −1, 0 or 1. */
    sign(): Tensor;
    /** x². */
    square(): Tensor;
    /** 1/x. */
    reciprocal(): Tensor;
    /** Square root. */
    sqrt(): Tensor;
    /** 1/√x. */
    rsqrt(): Tensor;
    /** ∛x, also of negative numbers. */
    cbrt(): Tensor;
  }
}
