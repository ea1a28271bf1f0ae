/** Coding numbers in small float formats as ops, so that captured training steps hold their state in 16 bits. */
import { DTypeError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { apply } from "../../ops/bind.js";
import { asTensor, type TensorLike } from "../../ops/convert.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef } from "../../ops/registry.js";
import { elementwiseBatch } from "../../ops/rules.js";
import { elementPositions } from "../../runtime/host-array.js";
import { floatFormat } from "./float-format.js";

interface FormatAttrs {
  /** "sign-exponent-mantissa". */
  readonly format: string;
}

const constant = { vjp: NOT_DIFFERENTIABLE, jvp: NOT_DIFFERENTIABLE } as const;

const encodeOp: OpDef<FormatAttrs> = defineOp<FormatAttrs>({
  name: "encodeFloat",
  type: ([x], { format }) => {
    floatFormat(format);
    return [{ shape: x.shape, dtype: "int16" }];
  },
  reference: ([x], [out], { format }) => {
    const codes = floatFormat(format).encode(Float64Array.from(elementPositions(x), (p) => x.data[p]));
    for (let i = 0; i < codes.length; i++) out.data[i] = (codes[i] << 16) >> 16; // its 16 bits
  },
  ...constant,
  batch: elementwiseBatch(() => encodeOp),
  samples: [{ shapes: [[2, 3]], attrs: { format: "1-6-9" } }],
});

const decodeOp: OpDef<FormatAttrs> = defineOp<FormatAttrs>({
  name: "decodeFloat",
  type: ([x], { format }) => {
    floatFormat(format);
    if (x.dtype !== "int16") throw new DTypeError(`decodeFloat: codes are int16, got ${x.dtype}`);
    return [{ shape: x.shape, dtype: "float32" }];
  },
  reference: ([x], [out], { format }) => {
    const values = floatFormat(format).decode(Int32Array.from(elementPositions(x), (p) => x.data[p]));
    for (let i = 0; i < values.length; i++) out.data[i] = values[i];
  },
  ...constant,
  batch: elementwiseBatch(() => decodeOp),
  samples: [{ shapes: [[2, 3]], attrs: { format: "1-6-9" }, dtypes: ["int16"], ranges: [[0, 1000]] }],
});

/**
 * Codes of the numbers in a small float format, as int16.
 * @example distributed.decodeFloat(distributed.encodeFloat([1.5, 1000.3], "0-6-10"), "0-6-10") // [1.5, 1000.5]
 * @throws ValueError for a format that there is not
 */
export function encodeFloat(x: TensorLike, format: string): Tensor {
  return apply(encodeOp, [asTensor(x)], { format });
}

/**
 * The numbers that codes stand for, float32.
 * @example distributed.decodeFloat(tensor([0], { dtype: "int16" }), "1-6-9") // [0]
 */
export function decodeFloat(codes: Tensor, format: string): Tensor {
  return apply(decodeOp, [codes], { format });
}
