/** Convolutions as layers (卷积层), and their transposes. */
import { Variable } from "../autodiff/variable.js";
import { ValueError } from "../core/errors.js";
import type { Shape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { type Conv2dOptions, conv2d, pair } from "../ops/conv.js";
import {
  type Conv1dOptions,
  type ConvTransposeOptions,
  conv1d,
  convTranspose1d,
  convTranspose2d,
} from "../ops/conv-variants.js";
import { zeros } from "../ops/create.js";
import { checkSizes } from "./check.js";
import { heUniform, type InitOptions } from "./init.js";
import { Module } from "./module.js";

interface LayerOptions extends InitOptions {
  readonly bias?: boolean;
}

export interface Conv1dLayerOptions extends Conv1dOptions, LayerOptions {}
export interface ConvLayerOptions extends Conv2dOptions, LayerOptions {}
export interface ConvTransposeLayerOptions extends ConvTransposeOptions, LayerOptions {}
export type ConvTranspose1dLayerOptions = LayerOptions & {
  readonly [K in keyof ConvTransposeOptions]?: number;
};

/** Filters and a bias; what is done with them is the subclass's. */
abstract class Convolution extends Module {
  weight: Variable;
  /** (outputs, 1, …): it is added to whole maps. */
  bias: Variable | null;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    /** Of the filters. */
    shape: Shape,
    groups: number,
    { bias = true, generator, dtype }: LayerOptions,
  ) {
    super();
    const layer = new.target.name;
    checkSizes(layer, { inputs, outputs, groups });
    if (inputs % groups !== 0 || outputs % groups !== 0)
      throw new ValueError(
        `${layer}: ${inputs} inputs and ${outputs} outputs cannot be divided into ${groups} groups`,
      );
    this.weight = new Variable(heUniform(shape, { generator, dtype }), { name: "weight" });
    const maps = [outputs, ...shape.slice(2).map(() => 1)];
    this.bias = bias ? new Variable(zeros(maps, { dtype }), { name: "bias" }) : null;
  }

  protected shifted(y: Tensor): Tensor {
    return this.bias ? y.add(this.bias) : y;
  }
}

/** Convolution over sequences (N, inputs, L) → (N, outputs, L'). */
export class Conv1d extends Convolution {
  private readonly options: Conv1dOptions;

  constructor(
    inputs: number,
    outputs: number,
    kernel: number,
    { bias, generator, dtype, ...options }: Conv1dLayerOptions = {},
  ) {
    const { groups = 1 } = options;
    checkSizes("Conv1d", { kernel });
    super(inputs, outputs, [outputs, inputs / groups, kernel], groups, { bias, generator, dtype });
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    return this.shifted(conv1d(x, this.weight, this.options));
  }
}

/** Convolution over images (N, inputs, H, W) → (N, outputs, H', W') (卷积层). */
export class Conv2d extends Convolution {
  readonly options: Conv2dOptions;

  constructor(
    inputs: number,
    outputs: number,
    kernel: number | readonly [number, number],
    { bias, generator, dtype, ...options }: ConvLayerOptions = {},
  ) {
    const { groups = 1 } = options;
    const window = pair(kernel, "Conv2d: kernel");
    super(inputs, outputs, [outputs, inputs / groups, ...window], groups, { bias, generator, dtype });
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    return this.shifted(conv2d(x, this.weight, this.options));
  }
}

/** Transposed convolution (反卷积) over sequences (N, inputs, L) → (N, outputs, L'). Filters: (inputs, outputs/groups, kernel). */
export class ConvTranspose1d extends Convolution {
  private readonly options: ConvTranspose1dLayerOptions;

  constructor(
    inputs: number,
    outputs: number,
    kernel: number,
    { bias, generator, dtype, ...options }: ConvTranspose1dLayerOptions = {},
  ) {
    const { groups = 1 } = options;
    checkSizes("ConvTranspose1d", { kernel });
    super(inputs, outputs, [inputs, outputs / groups, kernel], groups, { bias, generator, dtype });
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    return this.shifted(convTranspose1d(x, this.weight, this.options));
  }
}

/** Transposed convolution (反卷积) over images (N, inputs, H, W) → (N, outputs, H', W'). Filters: (inputs, outputs/groups, kH, kW). */
export class ConvTranspose2d extends Convolution {
  private readonly options: ConvTransposeOptions;

  constructor(
    inputs: number,
    outputs: number,
    kernel: number | readonly [number, number],
    { bias, generator, dtype, ...options }: ConvTransposeLayerOptions = {},
  ) {
    const { groups = 1 } = options;
    const window = pair(kernel, "ConvTranspose2d: kernel");
    super(inputs, outputs, [inputs, outputs / groups, ...window], groups, { bias, generator, dtype });
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    return this.shifted(convTranspose2d(x, this.weight, this.options));
  }
}
