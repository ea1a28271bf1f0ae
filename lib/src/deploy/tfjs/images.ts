/** Images as TensorFlow has them, channels last: what surrounds this library's ops, whose channels come first. */
import type { Tensor } from "../../core/tensor.js";
import { apply } from "../../ops/bind.js";
import { conv2dInputGradOp, conv2dOp } from "../../ops/conv.js";
import * as ops from "../../ops/index.js";

export type Pair = readonly [number, number];
export type Padding = "same" | "valid" | readonly [Pair, Pair];

export const first = (x: Tensor): Tensor => x.transpose([0, 3, 1, 2]);
export const last = (x: Tensor): Tensor => x.transpose([0, 2, 3, 1]);

/** Zeros around an axis, so that there is an output for each stride; what is odd comes behind. */
function samePads(size: number, kernel: number, stride: number, dilation: number): Pair {
  const total = Math.max(0, (Math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1 - size);
  return [Math.floor(total / 2), Math.ceil(total / 2)];
}

function padsOf(x: Tensor, kernel: Pair, stride: Pair, dilation: Pair, padding: Padding): [Pair, Pair] {
  if (padding === "valid") return [[0, 0], [0, 0]]; // biome-ignore format: one line
  if (padding !== "same") return [padding[0], padding[1]];
  const pads = [0, 1].map((i) => samePads(x.shape[1 + i], kernel[i], stride[i], dilation[i]));
  return [pads[0], pads[1]];
}

export interface ConvParts {
  readonly stride: Pair;
  readonly dilation?: Pair;
  readonly padding: Padding;
}

/** @param w filters (kH, kW, in, out) */
export function convolve(x: Tensor, w: Tensor, { stride, dilation = [1, 1], padding }: ConvParts): Tensor {
  const pads = padsOf(x, [w.shape[0], w.shape[1]], stride, dilation, padding);
  const groups = x.shape[3] / w.shape[2];
  return last(
    apply(conv2dOp, [first(x), w.transpose([3, 2, 0, 1])], { stride, dilation, padding: pads, groups }),
  );
}

/** Each channel by itself. @param w filters (kH, kW, channels, filters per channel) */
export function depthwise(x: Tensor, w: Tensor, { stride, dilation = [1, 1], padding }: ConvParts): Tensor {
  const [kh, kw, channels, each] = w.shape;
  const pads = padsOf(x, [kh, kw], stride, dilation, padding);
  const filters = w.transpose([2, 3, 0, 1]).reshape([channels * each, 1, kh, kw]);
  return last(apply(conv2dOp, [first(x), filters], { stride, dilation, padding: pads, groups: channels }));
}

/** @param w filters (kH, kW, out, in) */
export function convolveTransposed(x: Tensor, w: Tensor, { stride, padding }: ConvParts): Tensor {
  const [kh, kw, out] = w.shape;
  const sizes = [kh, kw].map((k, i) => {
    const size = x.shape[1 + i] * stride[i];
    return padding === "same" ? size : size + Math.max(k - stride[i], 0);
  });
  const pads = [kh, kw].map((k, i) =>
    padding === "same" ? samePads(sizes[i], k, stride[i], 1) : ([0, 0] as const),
  );
  return last(
    apply(conv2dInputGradOp, [first(x), w.transpose([3, 2, 0, 1])], {
      stride,
      dilation: [1, 1],
      padding: [pads[0], pads[1]],
      groups: 1,
      shape: [x.shape[0], out, sizes[0], sizes[1]],
    }),
  );
}

/** A mean leaves pads out of what it divides by. */
export function pool(x: Tensor, how: "max" | "mean", kernel: Pair, { stride, padding }: ConvParts): Tensor {
  const pads = padsOf(x, kernel, stride, [1, 1], padding);
  const around = (value: Tensor, fill: number): Tensor => ops.pad(value, [[0, 0], [0, 0], ...pads], fill);
  if (how === "max") return last(ops.maxPool2d(around(first(x), -Infinity), kernel, { stride }));
  const y = ops.avgPool2d(around(first(x), 0), kernel, { stride });
  if (pads.flat().every((n) => n === 0)) return last(y);
  const inside = ops.ones([1, 1, x.shape[1], x.shape[2]], { dtype: x.dtype });
  return last(y.div(ops.avgPool2d(around(inside, 0), kernel, { stride })));
}

/** Bilinear or nearest, with TensorFlow's three ways to place pixels. */
export function resized(
  x: Tensor,
  size: Pair,
  mode: "bilinear" | "nearest",
  { alignCorners = false, halfPixels = false } = {},
): Tensor {
  let y = x;
  size.forEach((to, i) => {
    const axis = 1 + i;
    const from = x.shape[axis];
    const scale = alignCorners && to > 1 ? (from - 1) / (to - 1) : from / to;
    const at = Array.from({ length: to }, (_, k) =>
      halfPixels ? (k + 0.5) * scale - (mode === "bilinear" ? 0.5 : 0) : k * scale,
    );
    const limit = (p: number): number => Math.min(Math.max(p, 0), from - 1);
    if (mode === "nearest") {
      const places = at.map((p) => limit(alignCorners ? Math.round(p) : Math.floor(p)));
      y = ops.take(y, ops.tensor(places, { dtype: "int32" }), axis);
      return;
    }
    const weights = new Float64Array(from * to);
    at.forEach((given, k) => {
      const p = limit(given);
      const low = Math.floor(p);
      weights[low * to + k] += 1 - (p - low);
      weights[limit(low + 1) * to + k] += p - low;
    });
    const matrix = ops.tensor(weights, { shape: [from, to], dtype: x.dtype });
    y = y.swapAxes(axis, 3).matmul(matrix).swapAxes(axis, 3);
  });
  return y;
}
