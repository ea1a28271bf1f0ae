/**
 * Mixed precision (混合精度) for the ops of a function: products in 16 bits, which tensor cores multiply many times faster, and
 * in float32 what loses too much there (PyTorch's `autocast` policy). Parameters stay float32; their casts are part of the
 * function, so that gradients arrive in float32.
 */
import { type DType, isFloat } from "../core/dtype.js";
import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { type InputRule, withInputRule } from "./bind.js";
import { cast } from "./convert.js";

export type LowPrecision = "float16" | "bfloat16";

/** Ops that multiply and add in pairs: their inputs become 16-bit floats. */
const LOW = new Set(["matmul", "conv2d"]);

/** Ops with a large range, or that add up many numbers: their inputs become float32. */
const FULL = new Set([
  ...["exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "pow", "reciprocal", "rsqrt"],
  ...["sinh", "cosh", "tan", "acos", "asin", "erfinv", "softplus", "logSigmoid", "logAddExp"],
  ...["softmax", "logSoftmax", "sum", "prod", "cumsum", "cumprod"],
]);

const isHalf = (dtype: DType): boolean => dtype === "float16" || dtype === "bfloat16";
/** float64 is somebody's wish: it stays. */
const casts = (x: Tensor): boolean => isFloat(x.dtype) && x.dtype !== "float64";

/**
 * Runs `body` with matmul and conv2d in `dtype`, and exponentials, logarithms, softmax and sums of 16-bit floats in float32.
 * Other ops run in the widest type of their operands. Gradients of what ran inside may be computed outside.
 * @returns what `body` returns
 * @throws ValueError for a dtype that is no 16-bit float.
 * @example autocast("bfloat16", () => ones([2, 2]).matmul(ones([2, 2])).dtype) // "bfloat16"
 */
export function autocast<T>(dtype: LowPrecision, body: () => T): T {
  if (!isHalf(dtype)) throw new ValueError(`autocast: float16 or bfloat16 wanted, got ${dtype}`);
  const rule: InputRule = (op, inputs) => {
    if (LOW.has(op.name)) return inputs.map((x) => (casts(x) ? cast(x, dtype) : x));
    if (FULL.has(op.name)) return inputs.map((x) => (isHalf(x.dtype) ? cast(x, "float32") : x));
    return inputs;
  };
  return withInputRule(rule, body);
}
