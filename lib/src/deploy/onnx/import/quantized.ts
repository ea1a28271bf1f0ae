/** Numbers of 8 bits: quantize, dequantize, and products of whole numbers. */
import type { Tensor } from "../../../core/tensor.js";
import { apply } from "../../../ops/bind.js";
import { conv2dOp } from "../../../ops/conv.js";
import * as ops from "../../../ops/index.js";
import { OnnxError } from "../schema.js";
import { numberLike } from "./elementwise.js";
import type { ImportRow, RowContext } from "./row.js";

const LIMITS: Readonly<Record<string, readonly [number, number]>> = {
  int8: [-128, 127],
  uint8: [0, 255],
  int16: [-32768, 32767],
};

/** A scale or zero point per tensor, per slice of an axis, or per block of one. */
function alongside(c: RowContext, x: Tensor, given: Tensor): Tensor {
  if (given.ndim === 0 || given.size === 1) return given.reshape([]);
  const axis = c.axis(c.attributes.int("axis", 1), x.ndim);
  const block = c.attributes.int("block_size", 0);
  if (block > 0) {
    const repeated = ops.repeat(given, block, axis);
    return repeated.slice(...x.shape.map((dim): [number, number] => [0, dim]));
  }
  return given.reshape(x.shape.map((dim, i) => (i === axis ? dim : 1)));
}

/** q = clip(round(x / scale) + zero point). Halves go to the even neighbour. */
function quantized(x: Tensor, scale: Tensor, zero: Tensor | null, dtype: Tensor["dtype"]): Tensor {
  const limits = LIMITS[dtype];
  if (!limits) throw new OnnxError(`quantization to ${dtype}`);
  const whole = x.div(scale).round();
  return (zero ? whole.add(zero.cast(x.dtype)) : whole).clip(...limits).cast(dtype);
}

function quantizeLinear(c: RowContext): Tensor {
  const x = c.input(0);
  const zero = c.optional(2);
  return quantized(x, alongside(c, x, c.input(1)), zero && alongside(c, x, zero), zero?.dtype ?? "uint8");
}

function dequantizeLinear(c: RowContext): Tensor {
  const x = c.input(0);
  const scale = alongside(c, x, c.input(1));
  const zero = c.optional(2);
  const wide = x.cast(scale.dtype);
  return (zero ? wide.sub(alongside(c, x, zero).cast(scale.dtype)) : wide).mul(scale);
}

/** Scale and zero point from the range of this very tensor. */
function dynamicQuantizeLinear(c: RowContext): Tensor[] {
  const x = c.input(0);
  const nothing = numberLike(x, 0);
  const [low, high] = [ops.minimum(x.min(), nothing), ops.maximum(x.max(), nothing)];
  const range = high.sub(low).div(numberLike(x, 255));
  const scale = ops.where(range.equal(nothing), numberLike(x, 1), range);
  const zero = low.neg().div(scale).round().clip(0, 255).cast("uint8");
  return [quantized(x, scale, zero, "uint8"), scale, zero];
}

/** Whole numbers of 8 bits as int32, without their zero point. Sums of products stay whole in float64. */
function centred(c: RowContext, i: number, zeroAt: number, rows: boolean): Tensor {
  const x = c.input(i).cast("float64");
  const zero = c.optional(zeroAt)?.cast("float64");
  if (!zero) return x;
  return x.sub(rows && zero.ndim === 1 && zero.size > 1 ? zero.reshape([-1, 1]) : zero);
}

const matmulInteger = (c: RowContext): Tensor =>
  centred(c, 0, 2, true)
    .matmul(centred(c, 1, 3, false))
    .cast("int32");

function qLinearMatMul(c: RowContext): Tensor {
  const a = c.input(0).cast("float32").sub(c.input(2).cast("float32")).mul(c.input(1));
  const b = c.input(3).cast("float32").sub(c.input(5).cast("float32")).mul(c.input(4));
  return quantized(a.matmul(b), c.input(6), c.input(7), c.input(7).dtype);
}

function convInteger(c: RowContext): Tensor {
  const { attributes } = c;
  const [x, w] = [centred(c, 0, 2, false), centred(c, 1, 3, false)];
  if (x.ndim !== 4) throw new OnnxError(`${x.type}: two spatial axes are supported`);
  const pads = attributes.ints("pads") ?? [0, 0, 0, 0];
  const pair = (name: string): [number, number] => (attributes.ints(name) ?? [1, 1]) as [number, number];
  return apply(conv2dOp, [x, w], {
    stride: pair("strides"),
    dilation: pair("dilations"),
    padding: [
      [pads[0], pads[2]],
      [pads[1], pads[3]],
    ],
    groups: attributes.int("group", 1),
  }).cast("int32");
}

export const QUANTIZED: readonly ImportRow[] = [
  { op: "QuantizeLinear", run: quantizeLinear },
  { op: "DequantizeLinear", run: dequantizeLinear },
  { op: "DynamicQuantizeLinear", run: dynamicQuantizeLinear },
  { op: "MatMulInteger", run: matmulInteger },
  { op: "ConvInteger", run: convInteger },
  { op: "QLinearMatMul", run: qLinearMatMul },
];
