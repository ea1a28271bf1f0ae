/** Exponentials and logarithms. */
import { unaryOp } from "./elementwise.js";

/**
 * eˣ.
 * @example exp([0, 1]) // [1, 2.718]
 */
export const exp = unaryOp("exp", { f: Math.exp, derivative: (_, y) => y, reads: "y", float: true });

/**
 * 2ˣ.
 * @example exp2([3, -1]) // [8, 0.5]
 */
export const exp2 = unaryOp("exp2", {
  f: (x) => 2 ** x,
  derivative: (_, y) => y.mul(Math.LN2),
  reads: "y",
  float: true,
});

/**
 * eˣ − 1, exact near 0.
 * @example expm1([0, 1]) // [0, 1.718]
 */
export const expm1 = unaryOp("expm1", {
  f: Math.expm1,
  derivative: (_, y) => y.add(1),
  reads: "y",
  float: true,
});

/**
 * Natural logarithm.
 * @example log([1, 10]) // [0, 2.303]
 */
export const log = unaryOp("log", {
  f: Math.log,
  derivative: (x) => x.reciprocal(),
  reads: "x",
  float: true,
  range: [0.3, 3],
});

/**
 * Logarithm to base 2.
 * @example log2([8, 0.5]) // [3, -1]
 */
export const log2 = unaryOp("log2", {
  f: Math.log2,
  derivative: (x) => x.mul(Math.LN2).reciprocal(),
  reads: "x",
  float: true,
  range: [0.3, 3],
});

/**
 * Logarithm to base 10.
 * @example log10([1, 1000]) // [0, 3]
 */
export const log10 = unaryOp("log10", {
  f: Math.log10,
  derivative: (x) => x.mul(Math.LN10).reciprocal(),
  reads: "x",
  float: true,
  range: [0.3, 3],
});

/**
 * ln(1 + x), exact near 0.
 * @example log1p([0, 1]) // [0, 0.6931]
 */
export const log1p = unaryOp("log1p", {
  f: Math.log1p,
  derivative: (x) => x.add(1).reciprocal(),
  reads: "x",
  float: true,
  range: [-0.6, 2],
});

declare module "../core/tensor.js" {
  interface Tensor {
    /** eˣ. */
    exp(): Tensor;
    /** 2ˣ. */
    exp2(): Tensor;
    /** eˣ − 1, exact near 0. */
    expm1(): Tensor;
    /** Natural logarithm. */
    log(): Tensor;
    /** Logarithm to base 2. */
    log2(): Tensor;
    /** Logarithm to base 10. */
    log10(): Tensor;
    /** ln(1 + x), exact near 0. */
    log1p(): Tensor;
  }
}
