/** Initial values of weights (Glorot & Bengio 2010; He et al. 2015; Saxe et al. 2014; Klambauer et al. 2017). */
import { DEFAULT_FLOAT, type DType } from "../core/dtype.js";
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape, type Shape, sizeOf } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { diagonal, qr } from "../ops/linalg/index.js";
import { defaultGenerator, type Generator } from "../ops/random.js";
import { erfinv } from "../ops/special-functions.js";

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
  const receptive = sizeOf(shape.slice(2));
  return { fanIn: shape[1] * receptive, fanOut: shape[0] * receptive };
}

const evenly = (
  shape: Shape,
  limit: number,
  { generator = defaultGenerator(), dtype }: InitOptions,
): Tensor => generator.uniform(shape, -limit, limit, { dtype });

const normally = (
  shape: Shape,
  deviation: number,
  { generator = defaultGenerator(), dtype }: InitOptions,
): Tensor => generator.normal(shape, 0, deviation, { dtype });

/**
 * Uniform in ±√(6 / (fanIn + fanOut)): for tanh and sigmoid.
 * @example nn.xavierUniform([784, 128]).abs().max().item() <= Math.sqrt(6 / 912) // true
 */
export function xavierUniform(shape: Shape, options: InitOptions = {}): Tensor {
  const { fanIn, fanOut } = fans(shape);
  return evenly(shape, Math.sqrt(6 / (fanIn + fanOut)), options);
}

/**
 * Normal with deviation √(2 / (fanIn + fanOut)): for tanh and sigmoid.
 * @example nn.xavierNormal([784, 128]).shape // [784, 128]
 */
export function xavierNormal(shape: Shape, options: InitOptions = {}): Tensor {
  const { fanIn, fanOut } = fans(shape);
  return normally(shape, Math.sqrt(2 / (fanIn + fanOut)), options);
}

/**
 * Uniform in ±√(6 / fanIn): for ReLU.
 * @example nn.heUniform([784, 128]).abs().max().item() <= Math.sqrt(6 / 784) // true
 */
export function heUniform(shape: Shape, options: InitOptions = {}): Tensor {
  return evenly(shape, Math.sqrt(6 / fans(shape).fanIn), options);
}

/**
 * Normal with deviation √(2 / fanIn): for ReLU.
 * @example nn.heNormal([784, 128]).shape // [784, 128]
 */
export function heNormal(shape: Shape, options: InitOptions = {}): Tensor {
  return normally(shape, Math.sqrt(2 / fans(shape).fanIn), options);
}

/**
 * Uniform in ±√(3 / fanIn): variance 1/fanIn, for SELU and linear units.
 * @example nn.lecunUniform([300, 128]).abs().max().item() <= 0.1 // true
 */
export function lecunUniform(shape: Shape, options: InitOptions = {}): Tensor {
  return evenly(shape, Math.sqrt(3 / fans(shape).fanIn), options);
}

/**
 * Normal with deviation √(1 / fanIn): for SELU and linear units.
 * @example nn.lecunNormal([300, 128]).shape // [300, 128]
 */
export function lecunNormal(shape: Shape, options: InitOptions = {}): Tensor {
  return normally(shape, Math.sqrt(1 / fans(shape).fanIn), options);
}

/** The part of a normal distribution that lies within two deviations. */
const WITHIN_TWO = 0.9544997361036416;

/**
 * Normal with this deviation before all beyond two deviations is cut off (drawn by the inverse of the distribution).
 * @example nn.truncatedNormal([1000], 0.5).abs().max().item() <= 1 // true
 */
export function truncatedNormal(
  shape: Shape,
  deviation = 1,
  { generator = defaultGenerator(), dtype = DEFAULT_FLOAT }: InitOptions = {},
): Tensor {
  if (!(deviation >= 0))
    throw new ValueError(`truncatedNormal: the deviation is at least 0, got ${deviation}`);
  const u = generator.uniform(shape, -WITHIN_TWO, WITHIN_TWO, { dtype: "float64" });
  return erfinv(u)
    .mul(Math.SQRT2 * deviation)
    .cast(dtype);
}

/**
 * A matrix with orthonormal rows or columns, whichever are fewer, times `gain`: products with it keep lengths. Filters
 * (O, …) count as matrices (O, product of the rest).
 * @example const w = nn.orthogonal([2, 2]); w.matmul(w.transpose()).sub(eye(2)).abs().max().item() < 1e-6 // true
 */
export function orthogonal(
  shape: Shape,
  {
    gain = 1,
    generator = defaultGenerator(),
    dtype = DEFAULT_FLOAT,
  }: InitOptions & { readonly gain?: number } = {},
): Tensor {
  if (shape.length < 2)
    throw new ShapeError(`orthogonal: a matrix or filters wanted, got the shape ${formatShape(shape)}`);
  const [rows, columns] = [shape[0], sizeOf(shape.slice(1))];
  const tall = [Math.max(rows, columns), Math.min(rows, columns)];
  const { q, r } = qr(generator.normal(tall, 0, 1, { dtype: "float64" }));
  const unique = q.mul(diagonal(r).sign()); // else the distribution depends on the factorization's signs
  const matrix = rows < columns ? unique.transpose() : unique;
  return matrix.mul(gain).cast(dtype).reshape(shape);
}
