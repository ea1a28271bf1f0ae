/** Pooling (池化) as layers: one number for each window, without weights. */
import type { Tensor } from "../core/tensor.js";
import { avgPool2d, maxPool2d, type PoolOptions } from "../ops/pool.js";
import {
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  avgPool1d,
  maxPool1d,
  type Pool1dOptions,
} from "../ops/resize.js";
import { Module } from "./module.js";

type Size = number | readonly [number, number];

/** Largest value of each window of sequences (N, C, L). Padding counts as −∞. */
export class MaxPool1d extends Module {
  constructor(
    readonly size: number,
    readonly options: Pool1dOptions = {},
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return maxPool1d(x, this.size, this.options);
  }
}

/** Mean of each window of sequences (N, C, L). Padding counts as 0. */
export class AvgPool1d extends Module {
  constructor(
    readonly size: number,
    readonly options: Pool1dOptions = {},
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return avgPool1d(x, this.size, this.options);
  }
}

/** Largest value of each window of images (N, C, H, W). Padding counts as −∞. */
export class MaxPool2d extends Module {
  constructor(
    readonly size: Size,
    readonly options: PoolOptions = {},
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return maxPool2d(x, this.size, this.options);
  }
}

/** Mean of each window of images (N, C, H, W). Padding counts as 0. */
export class AvgPool2d extends Module {
  constructor(
    readonly size: Size,
    readonly options: PoolOptions = {},
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return avgPool2d(x, this.size, this.options);
  }
}

/** Means of windows that divide images of any size into `size` rows and columns; size 1 is global pooling. */
export class AdaptiveAvgPool2d extends Module {
  constructor(readonly size: Size) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.size);
  }
}

/** Largest values of windows that divide images of any size into `size` rows and columns; size 1 is global pooling. */
export class AdaptiveMaxPool2d extends Module {
  constructor(readonly size: Size) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return adaptiveMaxPool2d(x, this.size);
  }
}
