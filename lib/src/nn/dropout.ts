/** Dropout (随机失活): while training, a part of the values is set to 0 and the rest scaled so that the mean stays. */
import { variableHost } from "../autodiff/tape-mode.js";
import { Variable } from "../autodiff/variable.js";
import { ShapeError } from "../core/errors.js";
import { formatShape, type Shape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { bernoulli, defaultGenerator, type Generator } from "../ops/random.js";
import { checkRate } from "./check.js";
import { Module } from "./module.js";

/** Sets single values to 0 (Srivastava et al. 2014). */
export class Dropout extends Module {
  /** @param rate the part that is set to 0, in [0, 1) */
  constructor(
    readonly rate = 0.5,
    readonly generator: Generator = defaultGenerator(),
  ) {
    super();
    checkRate(new.target.name, rate);
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.rate === 0) return x;
    const kept = this.mask(this.nextKey(), x).cast(x.dtype);
    return x.mul(kept).mul(1 / (1 - this.rate));
  }

  /** True for what is kept; broadcastable to `x`. */
  protected mask(key: Tensor, x: Tensor): Tensor {
    return bernoulli(key, this.maskShape(x), 1 - this.rate);
  }

  /** Values that share an element of the mask fall together. */
  protected maskShape(x: Tensor): Shape {
    return x.shape;
  }

  /** A fresh key. A captured graph reads it from a variable, which gets another one before each run. */
  private nextKey(): Tensor {
    const host = variableHost();
    if (!host) return this.generator.key();
    const key = new Variable(this.generator.key(), { requiresGrad: false, name: "dropout.key" });
    host.beforeRun(() => key.assign(this.generator.key()));
    return key.present;
  }
}

/** Sets whole maps of images (N, C, H, W) or sequences (N, C, L) to 0 (Tompson et al. 2015). */
export class SpatialDropout extends Dropout {
  protected override maskShape(x: Tensor): Shape {
    if (x.ndim < 3)
      throw new ShapeError(`SpatialDropout: maps (N, C, …) wanted, got ${formatShape(x.shape)}`);
    return [...x.shape.slice(0, 2), ...x.shape.slice(2).map(() => 1)];
  }
}
