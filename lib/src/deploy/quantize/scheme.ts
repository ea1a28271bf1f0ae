/**
 * Linear quantization: q = clip(round(x / scale) + zero, low, high), and back (q − zero) · scale. Symmetric: zero is 0, and
 * the range is the same on both sides. (Book, chapter 8.)
 */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import * as ops from "../../ops/index.js";

export interface Scheme {
  /** 2 to 8. Default 8. */
  readonly bits?: number;
  /** True: int8 around 0. False: uint8 with a zero point. */
  readonly symmetric?: boolean;
}

/** How elements of a tensor are quantized; scale is a scalar, or lies along an axis (its other sizes are 1); so is zero, or one for all. */
export interface QuantParams {
  readonly dtype: "int8" | "uint8";
  readonly scale: Tensor;
  /** Of the same dtype as the elements. */
  readonly zero: Tensor;
  readonly low: number;
  readonly high: number;
}

/** The least and greatest element of a range. */
export type Range = readonly [least: number, most: number];

/**
 * Parameters for these ranges: one, or one per slice of an axis.
 * @param shape of scale and zero: `[]`, or 1 but for the axis
 * @throws ValueError for a number of bits outside 2 to 8, or a range that is none.
 * @example deploy.quantParams([[-1, 1]], [], { symmetric: true }).scale.item() // 0.007874
 */
export function quantParams(
  ranges: readonly Range[],
  shape: readonly number[] = [],
  { bits = 8, symmetric = false }: Scheme = {},
): QuantParams {
  if (!Number.isInteger(bits) || bits < 2 || bits > 8)
    throw new ValueError(`quantization: ${bits} bits; 2 to 8 are supported`);
  const bad = ranges.find(([a, b]) => !(Number.isFinite(a) && Number.isFinite(b) && a <= b));
  if (bad) throw new ValueError(`quantization: [${bad}] is no range`);
  const most = 2 ** (bits - 1) - 1;
  const [low, high] = symmetric ? [-most, most] : [0, 2 ** bits - 1];
  const found = ranges.map(([a, b]) => {
    if (symmetric) return { scale: Math.max(-a, b) / most || 1, zero: 0 };
    const [from, to] = [Math.min(a, 0), Math.max(b, 0)]; // 0 must be exact: pads and rectified values are full of it
    const scale = (to - from) / high || 1;
    return { scale, zero: Math.min(high, Math.max(0, Math.round(-from / scale))) };
  });
  const dtype = symmetric ? "int8" : "uint8";
  return {
    dtype,
    low,
    high,
    scale: ops.tensor(
      found.map(({ scale }) => scale),
      { shape, dtype: "float32" },
    ),
    // one 0 stands for all
    zero: symmetric
      ? ops.tensor(0, { dtype })
      : ops.tensor(
          found.map(({ zero }) => zero),
          { shape, dtype },
        ),
  };
}

/**
 * Elements as whole numbers of 8 bits; halves go to the even neighbour.
 * @example deploy.quantizeTensor(tensor([-1, 0.5, 2]), deploy.quantParams([[-1, 1]], [], { symmetric: true })) // [-127, 64, 127]
 */
export function quantizeTensor(x: Tensor, { scale, zero, low, high, dtype }: QuantParams): Tensor {
  return x.div(scale).round().add(zero.cast("float32")).clip(low, high).cast(dtype);
}

/**
 * What quantized elements stand for.
 * @example deploy.dequantizeTensor(tensor([-127, 127], { dtype: "int8" }), deploy.quantParams([[-1, 1]], [], { symmetric: true })) // [-1, 1]
 */
export function dequantizeTensor(q: Tensor, { scale, zero }: QuantParams): Tensor {
  return q.cast("float32").sub(zero.cast("float32")).mul(scale);
}

/**
 * What quantization leaves of x, differentiable: inside the range the gradient passes straight through, outside it is 0
 * (straight-through estimator, Bengio et al. 2013; Jacob et al. 2018).
 * @example grad((x: Tensor) => deploy.fakeQuantize(x, deploy.quantParams([[-1, 1]], [], { symmetric: true })).sum())(tensor([0.3, 5])) // [1, 0]
 */
export function fakeQuantize(x: Tensor, params: QuantParams): Tensor {
  const { scale, zero, low, high } = params;
  const origin = zero.cast("float32");
  const [least, most] = [low, high].map((limit) => origin.neg().add(limit).mul(scale));
  const inside = ops.minimum(ops.maximum(x, least), most);
  return inside.add(dequantizeTensor(quantizeTensor(x, params), params).sub(inside).stopGradient());
}
