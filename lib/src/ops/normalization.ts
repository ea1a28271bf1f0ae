/** Normalization as functions: mean 0 and variance 1 (or mean square 1) over some axes, then a scale and a shift. */
import { ShapeError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { asFloat, type TensorLike } from "./convert.js";
import { norm } from "./linalg/norms.js";
import type { Axes } from "./reduce.js";

export interface NormalizeOptions {
  /** Multiplies the result. */
  readonly weight?: TensorLike;
  /** Added to the result. */
  readonly bias?: TensorLike;
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
}

function scaled(x: Tensor, { weight, bias }: NormalizeOptions): Tensor {
  const y = weight === undefined ? x : x.mul(weight);
  return bias === undefined ? y : y.add(bias);
}

function standardized(x: Tensor, axes: Axes, epsilon = 1e-5): Tensor {
  return x.sub(x.mean(axes, true)).mul(x.variance(axes, true).add(epsilon).rsqrt());
}

/**
 * Each example over its last axes (Ba, Kiros & Hinton 2016). Weight and bias have the shape of those axes.
 * @example layerNorm([[1, 3], [0, 4]], -1, { epsilon: 0 }) // [[-1, 1], [-1, 1]]
 */
export function layerNorm(x: TensorLike, axes: Axes = -1, options: NormalizeOptions = {}): Tensor {
  return scaled(standardized(asFloat(x), axes, options.epsilon), options);
}

/**
 * By the root of the mean square over the last axes, without a shift of the mean (Zhang & Sennrich 2019).
 * @example rmsNorm([3, 4], -1, { epsilon: 0, weight: 5 * Math.SQRT1_2 }) // [3, 4]
 */
export function rmsNorm(
  x: TensorLike,
  axes: Axes = -1,
  { epsilon = 1e-6, ...options }: NormalizeOptions = {},
): Tensor {
  const t = asFloat(x);
  return scaled(t.mul(t.square().mean(axes, true).add(epsilon).rsqrt()), options);
}

/** Weight or bias of one number per channel, beside x (n, channels, …). */
function perChannel(v: TensorLike | undefined, x: Tensor, where: string): Tensor | undefined {
  if (v === undefined) return undefined;
  const t = asFloat(v);
  if (t.shape.join() !== String(x.shape[1]))
    throw new ShapeError(
      `${where}: one number for each of the ${x.shape[1]} channels wanted, got ${formatShape(t.shape)}`,
    );
  return t.reshape([t.size, ...x.shape.slice(2).map(() => 1)]);
}

function ofChannels(x: Tensor, options: NormalizeOptions, where: string): NormalizeOptions {
  return { weight: perChannel(options.weight, x, where), bias: perChannel(options.bias, x, where) };
}

function withChannels(x: TensorLike, where: string): Tensor {
  const t = asFloat(x);
  if (t.ndim < 2) throw new ShapeError(`${where}: (n, channels, …) wanted, got ${formatShape(t.shape)}`);
  return t;
}

/**
 * Each example over groups of channels and all axes behind them (Wu & He 2018). x: (n, channels, …); weight and bias: (channels).
 * @throws ShapeError unless the groups divide the channels.
 * @example groupNorm([[1, 3, 10, 30]], 2, { epsilon: 0 }) // [[-1, 1, -1, 1]]
 */
export function groupNorm(x: TensorLike, groups: number, options: NormalizeOptions = {}): Tensor {
  const t = withChannels(x, "groupNorm");
  const [n, channels, ...rest] = t.shape;
  if (!(Number.isInteger(groups) && groups > 0 && channels % groups === 0))
    throw new ShapeError(`groupNorm: ${channels} channels do not divide into ${groups} groups`);
  const grouped = t.reshape([n, groups, channels / groups, ...rest]);
  const axes = grouped.shape.map((_, i) => i).slice(2);
  const y = standardized(grouped, axes, options.epsilon).reshape(t.shape);
  return scaled(y, ofChannels(t, options, "groupNorm"));
}

/**
 * Each channel of each example over the axes behind (Ulyanov, Vedaldi & Lempitsky 2016). x: (n, channels, …).
 * @example instanceNorm([[[1, 3], [10, 30]]], { epsilon: 0 }) // [[[-1, 1], [-1, 1]]]
 */
export function instanceNorm(x: TensorLike, options: NormalizeOptions = {}): Tensor {
  const t = withChannels(x, "instanceNorm");
  const axes = t.shape.map((_, i) => i).slice(2);
  return scaled(standardized(t, axes, options.epsilon), ofChannels(t, options, "instanceNorm"));
}

export interface BatchNormalizeOptions extends NormalizeOptions {
  /** One number per channel. Default: of the batch. */
  readonly mean?: TensorLike;
  /** One number per channel. Default: of the batch. */
  readonly variance?: TensorLike;
}

/**
 * Each channel over the batch and the axes behind (Ioffe & Szegedy 2015), by given statistics or the batch's own.
 * x: (n, channels, …); everything per channel.
 * @example batchNorm([[1, 10], [3, 30]], { epsilon: 0 }) // [[-1, -1], [1, 1]]
 */
export function batchNorm(x: TensorLike, options: BatchNormalizeOptions = {}): Tensor {
  const t = withChannels(x, "batchNorm");
  const axes = t.shape.map((_, i) => i).filter((i) => i !== 1);
  const mean = perChannel(options.mean, t, "batchNorm") ?? t.mean(axes, true);
  const variance = perChannel(options.variance, t, "batchNorm") ?? t.variance(axes, true);
  const y = t.sub(mean).mul(variance.add(options.epsilon ?? 1e-5).rsqrt());
  return scaled(y, ofChannels(t, options, "batchNorm"));
}

/**
 * Vectors along `axis` divided by their length (their norm of order `ord`), or by `epsilon` if that is larger.
 * @example normalize([3, 4]) // [0.6, 0.8]
 */
export function normalize(x: TensorLike, axis = -1, { ord = 2, epsilon = 1e-12 } = {}): Tensor {
  const t = asFloat(x);
  return t.div(norm(t, axis, true, { ord }).maximum(epsilon));
}
