/** Layers. Each is a few lines over ops: read one, and write your own in the same way. */
import { variableHost } from "../autodiff/tape-mode.js";
import { Variable } from "../autodiff/variable.js";
import { ValueError } from "../core/errors.js";
import type { Tensor } from "../core/tensor.js";
import { type Conv2dOptions, conv2d, pair } from "../ops/conv.js";
import { zeros } from "../ops/create.js";
import { avgPool2d, maxPool2d, type PoolOptions } from "../ops/pool.js";
import { bernoulli, defaultGenerator, type Generator } from "../ops/random.js";
import { heUniform, type InitOptions } from "./init.js";
import { Module } from "./module.js";

export interface DenseOptions extends InitOptions {
  readonly bias?: boolean;
}

/** x·W + b: a fully connected layer (全连接层). x: (…, inputs) → (…, outputs). */
export class Dense extends Module {
  weight: Variable;
  bias: Variable | null;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    { bias = true, ...init }: DenseOptions = {},
  ) {
    super();
    checkSizes("Dense", { inputs, outputs });
    this.weight = new Variable(heUniform([inputs, outputs], init), { name: "weight" });
    this.bias = bias ? new Variable(zeros([outputs], init), { name: "bias" }) : null;
  }

  override forward(x: Tensor): Tensor {
    const y = x.matmul(this.weight);
    return this.bias ? y.add(this.bias) : y;
  }
}

function checkSizes(layer: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes))
    if (!Number.isInteger(size) || size < 1)
      throw new ValueError(`${layer}: ${name} is a whole number from 1, got ${size}`);
}

export interface ConvLayerOptions extends Conv2dOptions, InitOptions {
  readonly bias?: boolean;
}

/** Convolution over images (N, inputs, H, W) → (N, outputs, H', W') (卷积层). */
export class Conv2d extends Module {
  weight: Variable;
  bias: Variable | null;
  private readonly options: Conv2dOptions;

  constructor(
    readonly inputs: number,
    readonly outputs: number,
    kernel: number | readonly [number, number],
    { bias = true, generator, dtype, ...options }: ConvLayerOptions = {},
  ) {
    super();
    const { groups = 1 } = options;
    checkSizes("Conv2d", { inputs, outputs, groups });
    if (inputs % groups !== 0 || outputs % groups !== 0)
      throw new ValueError(
        `Conv2d: ${inputs} inputs and ${outputs} outputs cannot be divided into ${groups} groups`,
      );
    const shape = [outputs, inputs / groups, ...pair(kernel, "Conv2d: kernel")];
    this.weight = new Variable(heUniform(shape, { generator, dtype }), { name: "weight" });
    this.bias = bias ? new Variable(zeros([outputs, 1, 1], { dtype }), { name: "bias" }) : null;
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    const y = conv2d(x, this.weight, this.options);
    return this.bias ? y.add(this.bias) : y;
  }
}

/** Largest value of each window. */
export class MaxPool2d extends Module {
  constructor(
    readonly size: number | readonly [number, number],
    readonly options: PoolOptions = {},
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return maxPool2d(x, this.size, this.options);
  }
}

/** Mean of each window. */
export class AvgPool2d extends Module {
  constructor(
    readonly size: number | readonly [number, number],
    readonly options: PoolOptions = {},
  ) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return avgPool2d(x, this.size, this.options);
  }
}

/** (n, …) → (n, product of the rest). */
export class Flatten extends Module {
  override forward(x: Tensor): Tensor {
    return x.flatten(1);
  }
}

/** An elementwise function as a layer. */
export class Activation extends Module {
  constructor(readonly apply: (x: Tensor) => Tensor) {
    super();
  }

  override forward(x: Tensor): Tensor {
    return this.apply(x);
  }
}

/** max(x, 0). */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return x.relu();
  }
}

/** Hyperbolic tangent. */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return x.tanh();
  }
}

/** 1/(1 + e⁻ˣ). */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return x.sigmoid();
  }
}

/** While training, sets a part of the values to 0 and scales the rest (Srivastava et al. 2014). */
export class Dropout extends Module {
  /** @param rate the part that is set to 0, in [0, 1) */
  constructor(
    readonly rate = 0.5,
    private readonly generator: Generator = defaultGenerator(),
  ) {
    super();
    if (!(rate >= 0 && rate < 1))
      throw new ValueError(`Dropout: the rate is at least 0 and below 1, got ${rate}`);
  }

  override forward(x: Tensor): Tensor {
    if (!this.training || this.rate === 0) return x;
    const kept = bernoulli(this.nextKey(), x.shape, 1 - this.rate).cast(x.dtype);
    return x.mul(kept).mul(1 / (1 - this.rate));
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

/** Modules one after the other. */
export class Sequential extends Module {
  readonly layers: readonly Module[];

  constructor(...layers: Module[]) {
    super();
    this.layers = layers;
  }

  override forward(x: Tensor): Tensor {
    let y = x;
    for (const layer of this.layers) y = (layer.forward as (x: Tensor) => Tensor).call(layer, y);
    return y;
  }
}
