/** Initial values of weights (Glorot & Bengio 2010; He et al. 2015). */
import type { DType } from "../core/dtype.js";
import { ShapeError } from "../core/errors.js";
import { formatShape, type Shape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { defaultGenerator, type Generator } from "../ops/random.js";

export interface InitOptions {
  readonly generator?: Generator;
  readonly dtype?: DType;
}

/** Inputs and outputs per unit: of a matrix (in, out) or of filters (O, I, kH, kW). */
function fans(shape: Shape): { fanIn: number; fanOut: number } {
  if (shape.length < 2)
    throw new ShapeError(
      `init: weights (inputs, outputs) or filters (O, I, …) have inputs to count, ${formatShape(shape)} has not`,
    );
  if (shape.length === 2) return { fanIn: shape[0], fanOut: shape[1] };
  const receptive = shape.slice(2).reduce((a, b) => a * b, 1);
  return { fanIn: shape[1] * receptive, fanOut: shape[0] * receptive };
}

/**
 * Uniform in ±√(6 / (fanIn + fanOut)): for tanh and sigmoid.
 * @example nn.xavierUniform([784, 128]).abs().max().item() <= Math.sqrt(6 / 912) // true
 */
export function xavierUniform(
  shape: Shape,
  { generator = defaultGenerator(), dtype }: InitOptions = {},
): Tensor {
  const { fanIn, fanOut } = fans(shape);
  const limit = Math.sqrt(6 / (fanIn + fanOut));
  return generator.uniform(shape, -limit, limit, { dtype });
}

/**
 * Normal with deviation √(2 / (fanIn + fanOut)): for tanh and sigmoid.
 * @example nn.xavierNormal([784, 128]).shape // [784, 128]
 */
export function xavierNormal(
  shape: Shape,
  { generator = defaultGenerator(), dtype }: InitOptions = {},
): Tensor {
  const { fanIn, fanOut } = fans(shape);
  return generator.normal(shape, 0, Math.sqrt(2 / (fanIn + fanOut)), { dtype });
}

/**
 * Uniform in ±√(6 / fanIn): for ReLU.
 * @example nn.heUniform([784, 128]).abs().max().item() <= Math.sqrt(6 / 784) // true
 */
export function heUniform(shape: Shape, { generator = defaultGenerator(), dtype }: InitOptions = {}): Tensor {
  const limit = Math.sqrt(6 / fans(shape).fanIn);
  return generator.uniform(shape, -limit, limit, { dtype });
}

/**
 * Normal with deviation √(2 / fanIn): for ReLU.
 * @example nn.heNormal([784, 128]).shape // [784, 128]
 */
export function heNormal(shape: Shape, { generator = defaultGenerator(), dtype }: InitOptions = {}): Tensor {
  return generator.normal(shape, 0, Math.sqrt(2 / fans(shape).fanIn), { dtype });
}
