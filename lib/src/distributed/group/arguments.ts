/** What can be combined. */
import { isFloat } from "../../core/dtype.js";
import { DTypeError, ValueError } from "../../core/errors.js";
import type { TensorType } from "../../core/shape.js";
import { REDUCE_OPS, type ReduceOp } from "../transport/reduce-op.js";

/** @throws ValueError for an op that there is not; DTypeError for the mean of what is not floating-point */
export function checkReduction(where: string, { dtype }: TensorType, op: ReduceOp): void {
  if (!REDUCE_OPS.includes(op))
    throw new ValueError(`${where}: op ${JSON.stringify(op)}; known: ${REDUCE_OPS.join(", ")}`);
  if (op === "mean" && !isFloat(dtype))
    throw new DTypeError(`${where}: the mean of ${dtype} is no ${dtype}; convert it to a float first`);
}
