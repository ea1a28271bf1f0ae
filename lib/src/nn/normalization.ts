/** Normalization layers: mean 0 and variance 1 over some axes, then a learned scale and shift. */
import { variableHost } from "../autodiff/tape-mode.js";
import { Variable } from "../autodiff/variable.js";
import type { DType } from "../core/dtype.js";
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape, type Shape, sizeOf } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { ones, zeros } from "../ops/create.js";
import { batchNorm, groupNorm, layerNorm, rmsNorm } from "../ops/normalization.js";
import { tidy } from "../ops/tidy.js";
import { checkSizes } from "./check.js";
import { Module } from "./module.js";

export interface NormOptions {
  /** Added to the variance. Default 1e-5. */
  readonly epsilon?: number;
  readonly dtype?: DType;
}

/** Normalizes each example over its last axes (Ba, Kiros & Hinton 2016). `shape`: sizes of those axes. */
export class LayerNorm extends Module {
  readonly shape: Shape;
  readonly epsilon: number;
  weight: Variable;
  bias: Variable;

  constructor(shape: number | Shape, { epsilon = 1e-5, dtype }: NormOptions = {}) {
    super();
    this.shape = typeof shape === "number" ? [shape] : shape;
    this.epsilon = epsilon;
    this.weight = new Variable(ones(this.shape, { dtype }), { name: "weight" });
    this.bias = new Variable(zeros(this.shape, { dtype }), { name: "bias" });
  }

  override forward(x: Tensor): Tensor {
    const axes = lastAxes("LayerNorm", this.shape, x);
    return layerNorm(x, axes, this);
  }
}

export interface BatchNormOptions extends NormOptions {
  /** Part of each new batch in the running statistics. Default 0.1. */
  readonly momentum?: number;
}

/**
 * Normalizes each channel (axis 1) over the batch and the axes behind (批归一化, Ioffe & Szegedy 2015). While training, by the
 * batch's own mean and variance, which also move the running ones; in evaluation, by the running ones.
 * x: (n, channels) or (n, channels, …).
 */
export class BatchNorm extends Module {
  readonly epsilon: number;
  readonly momentum: number;
  weight: Variable;
  bias: Variable;
  runningMean: Variable;
  runningVariance: Variable;

  constructor(
    readonly channels: number,
    { epsilon = 1e-5, momentum = 0.1, dtype }: BatchNormOptions = {},
  ) {
    super();
    if (!(momentum >= 0 && momentum <= 1))
      throw new ValueError(`BatchNorm: the momentum is between 0 and 1, got ${momentum}`);
    this.epsilon = epsilon;
    this.momentum = momentum;
    this.weight = new Variable(ones([channels], { dtype }), { name: "weight" });
    this.bias = new Variable(zeros([channels], { dtype }), { name: "bias" });
    const kept = { requiresGrad: false };
    this.runningMean = new Variable(zeros([channels], { dtype }), { ...kept, name: "runningMean" });
    this.runningVariance = new Variable(ones([channels], { dtype }), { ...kept, name: "runningVariance" });
  }

  override forward(x: Tensor): Tensor {
    const { channels } = this;
    if (x.ndim < 2 || x.shape[1] !== channels)
      throw new ShapeError(`BatchNorm: (n, ${channels}, …) wanted, got ${formatShape(x.shape)}`);
    const { weight, bias, epsilon } = this;
    if (!this.training)
      return batchNorm(x, { mean: this.runningMean, variance: this.runningVariance, weight, bias, epsilon });
    const count = x.shape[0] * sizeOf(x.shape.slice(2));
    if (count < 2)
      throw new ShapeError(
        `BatchNorm: ${formatShape(x.shape)} has one value per channel, which has no variance; train on larger batches`,
      );
    const axes = [0, ...x.shape.slice(2).map((_, i) => i + 2)];
    const [mean, variance] = [x.mean(axes), x.variance(axes)];
    this.track(mean, variance, count);
    return batchNorm(x, { mean, variance, weight, bias, epsilon });
  }

  /** Moves the running statistics. The variance counts as that of a sample: over count − 1. */
  private track(mean: Tensor, variance: Tensor, count: number): void {
    const { momentum } = this;
    const move = (running: Variable, batch: Tensor): void =>
      running.assign(running.present.mul(1 - momentum).add(bottom(batch).mul(momentum)));
    const both = (): null => {
      move(this.runningMean, mean);
      move(this.runningVariance, bottom(variance).mul(count / (count - 1)));
      return null;
    };
    if (variableHost()) both();
    else tidy(both);
  }
}

/** Normalizes each of `groups` groups of channels (axis 1) of each example (Wu & He 2018). x: (n, channels, …). */
export class GroupNorm extends Module {
  readonly epsilon: number;
  weight: Variable;
  bias: Variable;

  constructor(
    readonly groups: number,
    readonly channels: number,
    { epsilon = 1e-5, dtype }: NormOptions = {},
  ) {
    super();
    checkSizes(new.target.name, { groups, channels });
    if (channels % groups !== 0)
      throw new ValueError(
        `${new.target.name}: ${channels} channels cannot be divided into ${groups} groups`,
      );
    this.epsilon = epsilon;
    this.weight = new Variable(ones([channels], { dtype }), { name: "weight" });
    this.bias = new Variable(zeros([channels], { dtype }), { name: "bias" });
  }

  override forward(x: Tensor): Tensor {
    const { channels, groups } = this;
    if (x.ndim < 2 || x.shape[1] !== channels)
      throw new ShapeError(
        `${this.constructor.name}: (n, ${channels}, …) wanted, got ${formatShape(x.shape)}`,
      );
    return groupNorm(x, groups, this);
  }
}

/** Normalizes each channel of each example: GroupNorm with a group per channel (Ulyanov et al. 2016). */
export class InstanceNorm extends GroupNorm {
  constructor(channels: number, options: NormOptions = {}) {
    super(channels, channels, options);
  }
}

/** Divides each example by its root mean square over the last axes, and scales it (Zhang & Sennrich 2019). */
export class RMSNorm extends Module {
  readonly shape: Shape;
  readonly epsilon: number;
  weight: Variable;

  constructor(shape: number | Shape, { epsilon = 1e-5, dtype }: NormOptions = {}) {
    super();
    this.shape = typeof shape === "number" ? [shape] : shape;
    this.epsilon = epsilon;
    this.weight = new Variable(ones(this.shape, { dtype }), { name: "weight" });
  }

  override forward(x: Tensor): Tensor {
    const axes = lastAxes("RMSNorm", this.shape, x);
    return rmsNorm(x, axes, this);
  }
}

/** The axes that a layer of this shape normalizes. @throws ShapeError if x does not end in it. */
function lastAxes(layer: string, shape: Shape, x: Tensor): number[] {
  const rank = shape.length;
  if (x.ndim < rank || x.shape.slice(-rank).join() !== shape.join())
    throw new ShapeError(
      `${layer}: the last axes must be ${formatShape(shape)}, got ${formatShape(x.shape)}`,
    );
  return shape.map((_, i) => i - rank);
}

/** The value under the transformations that differentiate: statistics are not part of what they see. */
function bottom(x: Tensor): Tensor {
  let value = x;
  for (let below = value.peel(); below !== null; below = value.peel()) value = below;
  return value;
}
