/** Random tensors of the usual distributions, each a pure function of a key. */
import { DEFAULT_FLOAT, type DType } from "../core/dtype.js";
import { ShapeError, ValueError } from "../core/errors.js";
import { philox4x32 } from "../core/random.js";
import { broadcastShapes, checkShape, formatShape, type Shape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import type { HostArray } from "../runtime/host-array.js";
import { apply } from "./bind.js";
import { asFloat, asTensor, type TensorLike } from "./convert.js";
import { arange } from "./create.js";
import { cholesky } from "./linalg/symmetric.js";
import { matmul } from "./matmul.js";
import { normal, type RandomOptions, split, uniform } from "./random.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef } from "./registry.js";
import { broadcastPositions, loopedBatch } from "./rules.js";
import { argsort } from "./sorting.js";
import { gammaSample, poissonSample, type UniformSource } from "./special-samples.js";

/** Evenly distributed in (0, 1), ends excluded; float64, so that logarithms of both ends stay finite. */
function open(from: Tensor, shape: Shape): Tensor {
  return uniform(from, shape, 0, 1, { dtype: "float64" }).add(2 ** -25);
}

const finished = (x: Tensor, { dtype = DEFAULT_FLOAT }: RandomOptions): Tensor => x.cast(dtype);

/**
 * Waiting times at rate 1: density e⁻ˣ.
 * @example random.exponential(random.key(7), [1000]).min().greater(0) // true
 */
export function exponential(from: Tensor, shape: Shape, options: RandomOptions = {}): Tensor {
  return finished(open(from, shape).log().neg(), options);
}

/**
 * Density e^(−|x|)/2.
 * @example random.laplace(random.key(7), [2, 3]).shape // [2, 3]
 */
export function laplace(from: Tensor, shape: Shape, options: RandomOptions = {}): Tensor {
  const centred = open(from, shape).sub(0.5);
  return finished(centred.sign().mul(centred.abs().mul(-2).log1p()).neg(), options);
}

/**
 * Of largest values: distribution exp(−e⁻ˣ).
 * @example random.gumbel(random.key(7), [2]).shape // [2]
 */
export function gumbel(from: Tensor, shape: Shape, options: RandomOptions = {}): Tensor {
  return finished(open(from, shape).log().neg().log().neg(), options);
}

/**
 * Logistic: distribution 1/(1 + e⁻ˣ).
 * @example random.logistic(random.key(7), [2]).shape // [2]
 */
export function logistic(from: Tensor, shape: Shape, options: RandomOptions = {}): Tensor {
  return finished(open(from, shape).logit(), options);
}

/**
 * Cauchy: density 1/(π(1 + x²)).
 * @example random.cauchy(random.key(7), [2]).shape // [2]
 */
export function cauchy(from: Tensor, shape: Shape, options: RandomOptions = {}): Tensor {
  return finished(open(from, shape).sub(0.5).mul(Math.PI).tan(), options);
}

export interface TruncatedOptions extends RandomOptions {
  readonly mean?: number;
  /** Standard deviation before the ends are cut off. */
  readonly deviation?: number;
}

/**
 * Normally distributed, on condition of being between `low` and `high`, which count in deviations from the mean.
 * @throws ValueError unless low < high.
 * @example random.truncatedNormal(random.key(7), [1000], -1, 1).abs().max().lessEqual(1) // true
 */
export function truncatedNormal(
  from: Tensor,
  shape: Shape,
  low = -2,
  high = 2,
  { mean = 0, deviation = 1, ...options }: TruncatedOptions = {},
): Tensor {
  if (!(low < high)) throw new ValueError(`truncatedNormal: the range [${low}, ${high}] is empty`);
  const ends = asTensor([low, high], "float64").cast("float64").mul(Math.SQRT1_2).erf();
  const [first, last] = [ends.slice(0), ends.slice(1)];
  const z = open(from, shape).mul(last.sub(first)).add(first).erfinv().mul(Math.SQRT2).clip(low, high);
  return finished(z.mul(deviation).add(mean), options);
}

interface SampleAttrs {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** An op of a key and a parameter that draws each element from random bits of its own, as many as it needs. */
function defineSampler(
  name: string,
  sample: (parameter: number, next: UniformSource) => number,
  samples: OpDef<SampleAttrs>["samples"],
): OpDef<SampleAttrs> {
  const def: OpDef<SampleAttrs> = defineOp<SampleAttrs>({
    name,
    kind: "random",
    type: ([key, parameter], { shape, dtype }) => {
      if (key.dtype !== "int32" || key.shape.join() !== "2")
        throw new ValueError(
          `${name}: a key is int32(2,), got ${key.dtype}(${key.shape}); make one with random.key(seed)`,
        );
      broadcastShapes([parameter.shape, shape], name);
      return [{ shape, dtype }];
    },
    reference: ([key, parameter], [out], { shape }) => {
      const at = broadcastPositions(parameter, shape);
      for (let i = 0; i < at.length; i++) out.data[i] = sample(parameter.data[at[i]], bitsOf(key, i));
    },
    vjp: NOT_DIFFERENTIABLE,
    jvp: NOT_DIFFERENTIABLE,
    batch: loopedBatch(() => def),
    samples,
  });
  return def;
}

/** Numbers in (0, 1) that belong to element `index` alone. */
function bitsOf(key: HostArray, index: number): UniformSource {
  const words: [number, number] = [key.data[key.offset], key.data[key.offset + key.strides[0]]];
  const block = new Uint32Array(4);
  let drawn = 0;
  return () => {
    // the last counter word keeps these apart from the streams of whole tensors
    if (drawn % 4 === 0) philox4x32(words, [index, drawn / 4, 0, 2], block);
    return (block[drawn++ % 4] + 0.5) / 2 ** 32;
  };
}

const parameterSamples = (dtype: DType, ranges: readonly [number, number]): OpDef<SampleAttrs>["samples"] => [
  {
    shapes: [[2], [3]],
    dtypes: ["int32", "float64"],
    ranges: [[0, 1000], ranges],
    attrs: { shape: [2, 3], dtype },
  },
];

const gammaOp = defineSampler("randomGamma", gammaSample, parameterSamples("float32", [0.3, 4]));
const poissonOp = defineSampler("randomPoisson", poissonSample, parameterSamples("int32", [0.3, 20]));

/** The given shape, or the parameter's own. @throws ShapeError if the parameter does not broadcast to it. */
function resultShape(shape: Shape | undefined, parameter: Tensor, where: string): Shape {
  if (shape === undefined) return parameter.shape;
  const whole = broadcastShapes([parameter.shape, checkShape(shape, where)], where);
  if (whole.join() !== shape.join())
    throw new ShapeError(
      `${where}: parameters ${formatShape(parameter.shape)} do not broadcast to ${formatShape(shape)}`,
    );
  return shape;
}

/**
 * Gamma: density xᵃ⁻¹e⁻ˣ/Γ(a), for each a of `concentration`. Gradients stop here.
 * @param shape default: that of the concentration, which broadcasts to it
 * @example random.gamma(random.key(7), 3, [1000]).mean().sub(3).abs().less(0.2) // true
 */
export function gamma(
  from: Tensor,
  concentration: TensorLike,
  shape?: Shape,
  { dtype = DEFAULT_FLOAT }: RandomOptions = {},
): Tensor {
  const a = asFloat(concentration);
  return apply<SampleAttrs>(gammaOp, [from, a], { shape: resultShape(shape, a, "gamma"), dtype });
}

/**
 * Counts of events that happen `rate` times on average: int32. Gradients stop here.
 * @param shape default: that of the rate, which broadcasts to it
 * @example random.poisson(random.key(7), 0, [2]) // [0, 0]
 */
export function poisson(from: Tensor, rate: TensorLike, shape?: Shape): Tensor {
  const r = asFloat(rate);
  return apply<SampleAttrs>(poissonOp, [from, r], {
    shape: resultShape(shape, r, "poisson"),
    dtype: "int32",
  });
}

/**
 * Beta: density ∝ xᵃ⁻¹(1 − x)ᵇ⁻¹. Gradients stop here.
 * @param shape default: that to which a and b broadcast
 * @example random.beta(random.key(7), 2, 2, [1000]).mean().sub(0.5).abs().less(0.05) // true
 */
export function beta(
  from: Tensor,
  a: TensorLike,
  b: TensorLike,
  shape?: Shape,
  options: RandomOptions = {},
): Tensor {
  const [p, q] = [asFloat(a), asFloat(b)];
  const whole = shape ?? broadcastShapes([p.shape, q.shape], "beta");
  const [first, second] = split(from);
  const x = gamma(first, p, whole, { dtype: "float64" });
  return finished(x.div(x.add(gamma(second, q, whole, { dtype: "float64" }))), options);
}

/**
 * Dirichlet: vectors of positive numbers with sum 1, for concentrations (…, k). Gradients stop here.
 * @param shape of the result without its last axis; default: the concentrations' own
 * @example random.dirichlet(random.key(7), [1, 2, 3], [4]).sum(-1) // [1, 1, 1, 1]
 */
export function dirichlet(
  from: Tensor,
  concentration: TensorLike,
  shape?: Shape,
  options: RandomOptions = {},
): Tensor {
  const a = asFloat(concentration);
  const parts = gamma(from, a, shape && [...shape, ...a.shape.slice(-1)], { dtype: "float64" });
  return finished(parts.div(parts.sum(-1, true)), options);
}

/**
 * Classes, drawn by their unnormalized log-probabilities (…, k): int32. (The largest of logits plus Gumbel noise.)
 * @param shape of the result; default: that of the logits without the last axis, which broadcasts to it
 * @example random.categorical(random.key(7), [-Infinity, 0, -Infinity], [3]) // [1, 1, 1]
 */
export function categorical(from: Tensor, logits: TensorLike, shape?: Shape): Tensor {
  const t = asFloat(logits);
  if (t.ndim === 0) throw new ShapeError("categorical: logits (…, k) wanted, got a number");
  const batch = t.shape.slice(0, -1);
  const whole = shape ?? batch;
  if (broadcastShapes([batch, whole], "categorical").join() !== whole.join())
    throw new ShapeError(
      `categorical: logits ${formatShape(t.shape)} do not broadcast to ${formatShape(whole)} with a class behind`,
    );
  const noise = gumbel(from, [...whole, t.shape[t.ndim - 1]], { dtype: "float64" });
  return noise.add(t).argmax(-1);
}

/**
 * 0 … n − 1, or the rows of a tensor, in random order.
 * @example random.permutation(random.key(7), 5).sum() // 10
 */
export function permutation(from: Tensor, x: number | Tensor): Tensor {
  const n = typeof x === "number" ? x : x.shape[0];
  if (!(Number.isInteger(n) && n >= 0))
    throw new ValueError(
      `permutation: a count or a tensor with rows wanted, got ${typeof x === "number" ? x : formatShape(x.shape)}`,
    );
  // sorted by 24 random bits; further rounds decide where those were equal
  const rounds = Math.max(1, Math.ceil((3 * Math.log(Math.max(2, n))) / Math.log(2 ** 24)));
  const order = split(from, rounds).reduce<Tensor>(
    (held, key) => held.take(argsort(uniform(key, [n]))),
    arange(n),
  );
  return typeof x === "number" ? order : x.take(order);
}

/**
 * Normally distributed vectors with means (…, k) and covariances (…, k, k).
 * @param shape of the result without its last axis; default: what mean and covariance broadcast to
 * @throws ValueError unless the covariance is positive definite.
 * @example random.multivariateNormal(random.key(7), [0, 0], [[2, 1], [1, 2]], [5]).shape // [5, 2]
 */
export function multivariateNormal(
  from: Tensor,
  mean: TensorLike,
  covariance: TensorLike,
  shape?: Shape,
  { dtype = DEFAULT_FLOAT }: RandomOptions = {},
): Tensor {
  const [m, c] = [asFloat(mean), asFloat(covariance)];
  const k = c.shape[c.ndim - 1];
  if (m.ndim === 0 || m.shape[m.ndim - 1] !== k)
    throw new ShapeError(
      `multivariateNormal: means (…, k) and covariances (…, k, k) wanted, got ${formatShape(m.shape)} and ${formatShape(c.shape)}`,
    );
  const whole = shape ?? broadcastShapes([m.shape.slice(0, -1), c.shape.slice(0, -2)], "multivariateNormal");
  const z = normal(from, [...whole, k], 0, 1, { dtype });
  return matmul(cholesky(c), z.expandDims(-1)).squeeze(-1).add(m).cast(dtype);
}
