/** Convolutions of other forms, each one of conv2d's ops seen from another side: 1-D, and transposed (反卷积). */
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { apply } from "./bind.js";
import { type Conv2dOptions, conv2d, conv2dInputGradOp, pair } from "./conv.js";
import { promote, type TensorLike } from "./convert.js";

export interface Conv1dOptions {
  readonly stride?: number;
  /** Zeros on each side; "same" keeps the size at stride 1. Default 0. */
  readonly padding?: number | "same" | "valid";
  readonly dilation?: number;
  readonly groups?: number;
}

/**
 * y[n, o, r] = Σ x[n, i, r·stride + p·dilation − padding] · w[o, i, p].
 * @param x sequences (N, C, L)
 * @param w filters (O, C/groups, K)
 * @example conv1d([[[1, 2, 3, 4]]], [[[1, 1]]]) // [[[3, 5, 7]]]
 */
export function conv1d(x: TensorLike, w: TensorLike, options: Conv1dOptions = {}): Tensor {
  const [series, filters] = promote(x, w);
  if (series.ndim !== 3 || filters.ndim !== 3)
    throw new ShapeError(
      `conv1d: sequences (N, C, L) and filters (O, I, K) wanted, got ${formatShape(series.shape)} and ${formatShape(filters.shape)}`,
    );
  const { stride = 1, padding = 0, dilation = 1, groups } = options;
  return conv2d(series.expandDims(2), filters.expandDims(2), {
    stride: [1, stride],
    padding: typeof padding === "number" ? [0, padding] : padding,
    dilation: [1, dilation],
    groups,
  }).squeeze(2);
}

export interface ConvTransposeOptions extends Pick<Conv2dOptions, "stride" | "dilation" | "groups"> {
  /** What the forward convolution was padded by: taken off the result on each side. Default 0. */
  readonly padding?: number | readonly [number, number];
  /** Rows and columns added below and on the right, where the stride leaves the size open. Default 0. */
  readonly outputPadding?: number | readonly [number, number];
}

/**
 * The transpose of conv2d: from the size of its results back to that of its images, as its gradient does.
 * Output size: (size − 1)·stride − 2·padding + dilation·(kernel − 1) + outputPadding + 1.
 * @param x (N, I, H, W)
 * @param w filters (I, O/groups, kH, kW)
 * @example convTranspose2d([[[[1, 2]]]], [[[[1, 1]]]], { stride: [1, 2] }) // [[[[1, 1, 2, 2]]]]
 */
export function convTranspose2d(x: TensorLike, w: TensorLike, options: ConvTransposeOptions = {}): Tensor {
  const [images, filters] = promote(x, w);
  if (images.ndim !== 4 || filters.ndim !== 4 || images.shape[1] !== filters.shape[0])
    throw new ShapeError(
      `convTranspose2d: images (N, I, H, W) and filters (I, O/groups, kH, kW) wanted, got ${formatShape(images.shape)} and ${formatShape(filters.shape)}`,
    );
  const { groups = 1 } = options;
  if (!Number.isInteger(groups) || groups < 1 || filters.shape[0] % groups !== 0)
    throw new ValueError(
      `convTranspose2d: ${filters.shape[0]} channels cannot be divided into ${groups} groups`,
    );
  const stride = pair(options.stride ?? 1, "convTranspose2d: stride");
  const dilation = pair(options.dilation ?? 1, "convTranspose2d: dilation");
  const [h, v] = pair(options.padding ?? 0, "convTranspose2d: padding", 0);
  const extra = pair(options.outputPadding ?? 0, "convTranspose2d: outputPadding", 0);
  if (extra.some((e, i) => e >= Math.max(stride[i], dilation[i])))
    throw new ValueError(
      `convTranspose2d: the output padding is smaller than the stride or the dilation, got [${extra}]`,
    );
  const size = [0, 1].map(
    (i) =>
      (images.shape[2 + i] - 1) * stride[i] -
      2 * [h, v][i] +
      dilation[i] * (filters.shape[2 + i] - 1) +
      extra[i] +
      1,
  );
  if (size.some((n) => n < 1))
    throw new ShapeError(`convTranspose2d: the padding leaves nothing of ${formatShape(images.shape)}`);
  return apply(conv2dInputGradOp, [images, filters], {
    stride,
    dilation,
    groups,
    padding: [
      [h, h],
      [v, v],
    ],
    shape: [images.shape[0], filters.shape[1] * groups, ...size],
  });
}

/**
 * `convTranspose2d` of sequences (N, I, L) with filters (I, O/groups, K).
 * @example convTranspose1d([[[1, 2]]], [[[1, 1]]], { stride: 2 }) // [[[1, 1, 2, 2]]]
 */
export function convTranspose1d(
  x: TensorLike,
  w: TensorLike,
  {
    stride = 1,
    padding = 0,
    outputPadding = 0,
    dilation = 1,
    groups,
  }: { readonly [K in keyof ConvTransposeOptions]?: number } = {},
): Tensor {
  const [series, filters] = promote(x, w);
  if (series.ndim !== 3 || filters.ndim !== 3)
    throw new ShapeError(
      `convTranspose1d: sequences (N, I, L) and filters (I, O, K) wanted, got ${formatShape(series.shape)} and ${formatShape(filters.shape)}`,
    );
  return convTranspose2d(series.expandDims(2), filters.expandDims(2), {
    stride: [1, stride],
    padding: [0, padding],
    outputPadding: [0, outputPadding],
    dilation: [1, dilation],
    groups,
  }).squeeze(2);
}
