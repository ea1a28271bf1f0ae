/** Combining members' elements: two buffers of one dtype become one. */
import { bytesPerElement, type DType, encodingOf, hostView, isFloat } from "../../../core/dtype.js";
import { DTypeError } from "../../../core/errors.js";
import type { CombineOp } from "../../transport/reduce-op.js";
import { combineInLoops } from "./loops.js";

/**
 * `into[i] = op(into[i], message[i])`. Integers wrap around; booleans are logical (sum and max: or; product and min:
 * and); 16-bit floats are combined in float32 and rounded to the nearest, halves to even; min and max give NaN where
 * either is NaN.
 * @param into whole elements, aligned to them
 * @param message as many bytes; any alignment
 */
export function combine(into: Uint8Array, message: Uint8Array, dtype: DType, op: CombineOp): void {
  const aligned = message.byteOffset % bytesPerElement(dtype) === 0 ? message : message.slice();
  combineInLoops(into, aligned, dtype, op);
}

/** @throws DTypeError if elements of this dtype have no mean: those that are not floating-point */
export function checkMean(dtype: DType): void {
  if (!isFloat(dtype)) throw new DTypeError(`mean: floating-point elements expected, given ${dtype}`);
}

/** Divides floating-point elements in place: what makes a mean of a sum. */
export function divide(data: Uint8Array, dtype: DType, by: number): void {
  const length = data.length / bytesPerElement(dtype);
  const encoding = encodingOf(dtype);
  const numbers = encoding
    ? encoding.decode(data.buffer, data.byteOffset, length)
    : hostView(dtype, data.buffer, data.byteOffset, length);
  for (let i = 0; i < length; i++) numbers[i] /= by;
  encoding?.encode(numbers, data.buffer, data.byteOffset);
}
