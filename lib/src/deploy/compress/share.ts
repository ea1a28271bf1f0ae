/**
 * Weight sharing: the weights of a layer become one of a few values, found by k-means; training goes on in those values, whose
 * gradient is the sum over the weights that have them. The second stage of Deep Compression (Han, Mao & Dally 2016).
 */
import { Variable } from "../../autodiff/variable.js";
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import type { Module } from "../../nn/module.js";
import { tensor } from "../../ops/convert.js";
import { where } from "../../ops/select.js";
import { tidy } from "../../ops/tidy.js";
import { type Parameter, parameterOf, removeAll, weights } from "../sparsity/mask.js";

/** Where the first centroids lie: evenly between the extremes (the paper's best), or each for the same number of weights. */
export type Initialization = "linear" | "density";

export interface Clusters {
  /** Ascending. */
  readonly centroids: Float64Array;
  /** The cluster of each value. */
  readonly indices: Int32Array;
  /** Sum of squared distances. */
  readonly error: number;
  readonly iterations: number;
}

/**
 * k-means of numbers (Lloyd 1982), until no number changes its cluster. Clusters that lose all numbers keep their centroid.
 * @throws ValueError for no number, one that is not finite, or a count of clusters that is not whole and from 1.
 * @example Array.from(deploy.kMeans([1, 2, 9, 10], 2).centroids) // [1.5, 9.5]
 */
export function kMeans(
  values: ArrayLike<number>,
  clusters: number,
  {
    initial = "linear",
    iterations = 300,
  }: { readonly initial?: Initialization; readonly iterations?: number } = {},
): Clusters {
  if (!Number.isInteger(clusters) || clusters < 1)
    throw new ValueError(`kMeans: ${clusters} is no number of clusters`);
  if (values.length === 0) throw new ValueError("kMeans: there is no number");
  const sorted = Float64Array.from(values).sort();
  if (!sorted.every(Number.isFinite)) throw new ValueError("kMeans: a number is not finite");
  const n = sorted.length;
  // Sums of the numbers before each place: the mean of a cluster, which is a stretch of the sorted ones, is a difference.
  const before = new Float64Array(n + 1);
  for (let i = 0; i < n; i++) before[i + 1] = before[i] + sorted[i];
  const centroids = Float64Array.from({ length: clusters }, (_, k) =>
    initial === "density"
      ? sorted[Math.floor(((k + 0.5) / clusters) * n)]
      : sorted[0] + (sorted[n - 1] - sorted[0]) * (clusters === 1 ? 0.5 : k / (clusters - 1)),
  );
  let ends = new Int32Array(0);
  let done = 0;
  for (; done < iterations; done++) {
    const now = Int32Array.from(centroids, (c, k) =>
      k === clusters - 1 ? n : firstAbove(sorted, (c + centroids[k + 1]) / 2),
    );
    if (now.every((end, k) => end === ends[k])) break;
    ends = now;
    for (let k = 0; k < clusters; k++) {
      const from = k === 0 ? 0 : ends[k - 1];
      if (ends[k] > from) centroids[k] = (before[ends[k]] - before[from]) / (ends[k] - from);
    }
  }
  const indices = new Int32Array(n);
  let error = 0;
  for (let i = 0; i < n; i++) {
    indices[i] = nearest(centroids, values[i]);
    error += (values[i] - centroids[indices[i]]) ** 2;
  }
  return { centroids, indices, error, iterations: done };
}

/** The first place in ascending numbers that is above a limit. */
function firstAbove(sorted: Float64Array, limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (sorted[middle] > limit) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The cluster of a number; on the border, the lower one. */
function nearest(centroids: Float64Array, x: number): number {
  let [low, high] = [0, centroids.length - 1];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (x > (centroids[middle] + centroids[middle + 1]) / 2) low = middle + 1;
    else high = middle;
  }
  return low;
}

export interface ShareOptions {
  /** The codebook has 2ᵇⁱᵗˢ values: a number, or one for each parameter. Default 5 (the paper: 8 for convolutions, 5 for others). */
  readonly bits?: number | ((parameter: Parameter) => number);
  /** Default "linear". */
  readonly initial?: Initialization;
  /** Weights of 0 stay 0 and need no value. Default true. */
  readonly keepZeros?: boolean;
  /** Default: the weights of all Dense and convolution layers. */
  readonly parameters?: readonly Parameter[];
}

/** A model whose layers share weights. */
export interface SharedWeights {
  /** The codebooks: trainable, in the modules as `weightCodebook`. */
  readonly codebooks: readonly Variable[];
  /** Writes the shared values into the weights for good, and takes the codebooks out. */
  readonly finish: () => void;
}

/**
 * Lets the layers of a model share weights. Until `finish`, the model has codebooks as parameters instead of those weights: make
 * an optimizer for it, and train as before. Masks become permanent first.
 * @throws ValueError for bits that are not whole and from 1 to 16, and for a parameter that is shared already.
 * @example
 * const model = new nn.Sequential(new nn.Dense(8, 8));
 * const shared = deploy.shareWeights(model, { bits: 2 });
 * shared.finish();
 * new Set((model.layers[0] as nn.Dense).weight.toTypedArray()).size <= 4 // true
 */
export function shareWeights(model: Module, options: ShareOptions = {}): SharedWeights {
  const { parameters = weights(model), bits = 5 } = options;
  if (parameters.length === 0) throw new ValueError("shareWeights: there is no parameter");
  const plans = parameters.map((parameter) => {
    const wanted = typeof bits === "number" ? bits : bits(parameter);
    if (!Number.isInteger(wanted) || wanted < 1 || wanted > 16)
      throw new ValueError(`shareWeights: ${wanted} bits; 1 to 16 are possible`);
    const [module, name] = parameter;
    if (Object.hasOwn(module, bookName(name)))
      throw new ValueError(`shareWeights: ${module.constructor.name}.${name} is shared already`);
    return { parameter, variable: parameterOf(parameter), wanted };
  });
  removeAll(model);
  const shared = plans.map(({ parameter, variable, wanted }) => share(parameter, variable, wanted, options));
  return {
    codebooks: shared.map(({ codebook }) => codebook),
    finish: () => {
      for (const { finish } of shared) finish();
    },
  };
}

const bookName = (name: string): string => `${name}Codebook`;

function share(
  [module, name]: Parameter,
  weight: Variable,
  bits: number,
  { initial, keepZeros = true }: ShareOptions,
): { codebook: Variable; finish: () => void } {
  const { shape, dtype, requiresGrad } = weight;
  const values = weight.value.toTypedArray();
  const places: number[] = [];
  values.forEach((value, i) => {
    if (!keepZeros || value !== 0) places.push(i);
  });
  const found = kMeans(places.length > 0 ? places.map((i) => values[i]) : [0], 2 ** bits, { initial });
  const at = new Int32Array(values.length);
  places.forEach((place, i) => {
    at[place] = found.indices[i];
  });
  const [codebook, indices, zero] = tidy(() => {
    const fixed = { requiresGrad: false };
    return [
      new Variable(tensor(found.centroids, { dtype }), { name: bookName(name) }),
      new Variable(tensor(at, { shape, dtype: "int32" }), fixed),
      new Variable(keepZeros ? weight.value.equal(0) : tensor(false), fixed),
    ];
  });
  const expanded = (book: Tensor): Tensor => where(zero, 0, book.take(indices));
  weight.requiresGrad = false;
  Object.assign(module, { [bookName(name)]: codebook });
  const plain: Tensor[] = [];
  const before = module.registerForwardPreHook((of) => {
    const held = of as unknown as Record<string, Tensor>;
    plain.push(held[name]);
    held[name] = expanded(held[bookName(name)]);
  });
  const after = module.registerForwardHook(
    (of) => {
      const held = plain.pop();
      if (held) Object.assign(of, { [name]: held });
    },
    { alwaysCall: true },
  );
  return {
    codebook,
    finish: () => {
      if (!Object.hasOwn(module, bookName(name))) return;
      tidy(() => {
        weight.assign(expanded(codebook.value));
        return null;
      });
      weight.requiresGrad = requiresGrad;
      before();
      after();
      Reflect.deleteProperty(module, bookName(name));
    },
  };
}
