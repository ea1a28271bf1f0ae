/** Bits of integers and booleans. */
import { dtypeKind } from "../core/dtype.js";
import { DTypeError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import type { TensorLike } from "./convert.js";
import { type BinaryRow, binaryOp } from "./elementwise.js";

const whole =
  (name: string) =>
  (a: Tensor, b: Tensor): void => {
    for (const x of [a, b])
      if (dtypeKind(x.dtype) === "float" || x.dtype === "int64")
        throw new DTypeError(`${name}: bits are those of booleans and integers up to int32, got ${x.type}`);
  };

const bits = (name: string, f: BinaryRow["f"], high = 100): BinaryRow => ({
  f,
  check: whole(name),
  onBools: true,
  dtypes: ["int32", "int32"],
  ranges: [
    [-100, 100],
    [0, high],
  ],
});

/**
 * Bits that are set in both.
 * @example bitwiseAnd(tensor([12], { dtype: "int32" }), 10) // [8]
 */
export const bitwiseAnd = binaryOp(
  "bitwiseAnd",
  bits("bitwiseAnd", (a, b) => a & b),
);

/**
 * Bits that are set in one of the two at least.
 * @example bitwiseOr(tensor([12], { dtype: "int32" }), 10) // [14]
 */
export const bitwiseOr = binaryOp(
  "bitwiseOr",
  bits("bitwiseOr", (a, b) => a | b),
);

/**
 * Bits that are set in exactly one.
 * @example bitwiseXor(tensor([12], { dtype: "int32" }), 10) // [6]
 */
export const bitwiseXor = binaryOp(
  "bitwiseXor",
  bits("bitwiseXor", (a, b) => a ^ b),
);

/**
 * a · 2ᵇ, of integers: bits move to the left by b in 0…31.
 * @example leftShift(tensor([3], { dtype: "int32" }), 2) // [12]
 */
export const leftShift = binaryOp(
  "leftShift",
  bits("leftShift", (a, b) => a << b, 20),
);

/**
 * ⌊a / 2ᵇ⌋, of integers: bits move to the right by b in 0…31, the sign stays.
 * @example rightShift(tensor([-12], { dtype: "int32" }), 2) // [-3]
 */
export const rightShift = binaryOp(
  "rightShift",
  bits("rightShift", (a, b) => a >> b, 20),
);

declare module "../core/tensor.js" {
  interface Tensor {
    /** Bits that are set in both. */
    bitwiseAnd(other: TensorLike): Tensor;
    /** Bits that are set in one of the two at least. */
    bitwiseOr(other: TensorLike): Tensor;
    /** Bits that are set in exactly one. */
    bitwiseXor(other: TensorLike): Tensor;
    /** a · 2ᵇ, of integers. */
    leftShift(other: TensorLike): Tensor;
    /** ⌊a / 2ᵇ⌋, of integers. */
    rightShift(other: TensorLike): Tensor;
  }
}
