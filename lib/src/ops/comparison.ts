/** Comparisons and logic of two operands, with NumPy's broadcasting. */
import type { Tensor } from "../core/tensor.js";
import { promote, type TensorLike } from "./convert.js";
import { binaryOp } from "./elementwise.js";

/**
 * True where a = b.
 * @example equal([1, 2], 2) // [false, true]
 */
export const equal = binaryOp("equal", { f: (a, b) => Number(a === b), bool: true });

/**
 * True where a ≠ b.
 * @example notEqual([1, 2], 2) // [true, false]
 */
export const notEqual = binaryOp("notEqual", { f: (a, b) => Number(a !== b), bool: true });

/**
 * True where a < b.
 * @example less([1, 2], 2) // [true, false]
 */
export const less = binaryOp("less", { f: (a, b) => Number(a < b), bool: true });

/**
 * True where a ≤ b.
 * @example lessEqual([1, 2], 2) // [true, true]
 */
export const lessEqual = binaryOp("lessEqual", { f: (a, b) => Number(a <= b), bool: true });

/**
 * True where a > b.
 * @example greater([1, 2], 1) // [false, true]
 */
export const greater = binaryOp("greater", { f: (a, b) => Number(a > b), bool: true });

/**
 * True where a ≥ b.
 * @example greaterEqual([1, 2], 2) // [false, true]
 */
export const greaterEqual = binaryOp("greaterEqual", { f: (a, b) => Number(a >= b), bool: true });

/**
 * True where both are nonzero.
 * @example logicalAnd([true, true], [true, false]) // [true, false]
 */
export const logicalAnd = binaryOp("logicalAnd", { f: (a, b) => Number(a !== 0 && b !== 0), bool: true });

/**
 * True where one is nonzero.
 * @example logicalOr([true, false], [false, false]) // [true, false]
 */
export const logicalOr = binaryOp("logicalOr", { f: (a, b) => Number(a !== 0 || b !== 0), bool: true });

/**
 * True where exactly one is nonzero.
 * @example logicalXor([true, true], [true, false]) // [false, true]
 */
export const logicalXor = binaryOp("logicalXor", {
  f: (a, b) => Number((a !== 0) !== (b !== 0)),
  bool: true,
});

export interface Closeness {
  /** Part of |b|. Default 1e-5. */
  readonly rtol?: number;
  /** Default 1e-8. */
  readonly atol?: number;
  /** NaN counts as close to NaN. Default false. */
  readonly equalNaN?: boolean;
}

/**
 * True where |a − b| ≤ atol + rtol·|b|; infinities are close to themselves only.
 * @example isclose([1, 2], [1.000001, 2.1]) // [true, false]
 */
export function isclose(
  a: TensorLike,
  b: TensorLike,
  { rtol = 1e-5, atol = 1e-8, equalNaN = false }: Closeness = {},
): Tensor {
  const [x, y] = promote(a, b).map((t) => (t.dtype === "bool" ? t.cast("int32") : t));
  const near = x.sub(y).abs().lessEqual(y.abs().mul(rtol).add(atol)).logicalAnd(y.isfinite());
  const close = near.logicalOr(x.equal(y));
  return equalNaN ? close.logicalOr(x.isnan().logicalAnd(y.isnan())) : close;
}

/**
 * True if every pair is close: see `isclose`. Not for captured functions.
 * @example allclose([1, 2], [1.000001, 2]) // true
 */
export function allclose(a: TensorLike, b: TensorLike, options: Closeness = {}): boolean {
  return isclose(a, b, options).all().item() !== 0;
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** True where a = b. */
    equal(other: TensorLike): Tensor;
    /** True where a ≠ b. */
    notEqual(other: TensorLike): Tensor;
    /** True where a < b. */
    less(other: TensorLike): Tensor;
    /** True where a ≤ b. */
    lessEqual(other: TensorLike): Tensor;
    /** True where a > b. */
    greater(other: TensorLike): Tensor;
    /** True where a ≥ b. */
    greaterEqual(other: TensorLike): Tensor;
    /** True where both are nonzero. */
    logicalAnd(other: TensorLike): Tensor;
    /** True where one is nonzero. */
    logicalOr(other: TensorLike): Tensor;
    /** True where exactly one is nonzero. */
    logicalXor(other: TensorLike): Tensor;
  }
}
