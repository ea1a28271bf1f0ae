/** Losses (损失函数): how far predictions are from the truth. Each is the mean over its elements unless told otherwise. */
import { isFloat } from "../core/dtype.js";
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape, sameShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { asTensor, type TensorLike } from "../ops/convert.js";
import { where } from "../ops/select.js";

/** What becomes of the losses of all elements (or examples). */
export type Reduction = "mean" | "sum" | "none";

function reduced(losses: Tensor, reduction: Reduction, where_: string): Tensor {
  if (reduction === "none") return losses;
  if (reduction === "mean" || reduction === "sum") return losses[reduction]();
  throw new ValueError(`${where_}: the reduction is "mean", "sum" or "none", got ${String(reduction)}`);
}

function sameShapes(prediction: Tensor, target: TensorLike, where_: string): Tensor {
  const y = asTensor(target, prediction.dtype);
  if (!sameShape(prediction.shape, y.shape)) {
    throw new ShapeError(
      `${where_}: predictions ${formatShape(prediction.shape)} and targets ${formatShape(y.shape)} differ in shape`,
    );
  }
  return y;
}

/**
 * (prediction − target)²: mean squared error (均方误差).
 * @example nn.mse(tensor([1, 2]), [2, 4]) // 2.5
 */
export function mse(prediction: Tensor, target: TensorLike, reduction: Reduction = "mean"): Tensor {
  return reduced(prediction.sub(sameShapes(prediction, target, "mse")).square(), reduction, "mse");
}

/**
 * |prediction − target|: mean absolute error (平均绝对误差).
 * @example nn.mae(tensor([1, 2]), [2, 4]) // 1.5
 */
export function mae(prediction: Tensor, target: TensorLike, reduction: Reduction = "mean"): Tensor {
  return reduced(prediction.sub(sameShapes(prediction, target, "mae")).abs(), reduction, "mae");
}

/**
 * ½d² where |d| ≤ `delta`, else delta·(|d| − ½delta), of the difference d (Huber 1964).
 * @example nn.huber(tensor([0, 0]), [0.5, 3]) // 1.312
 */
export function huber(
  prediction: Tensor,
  target: TensorLike,
  { delta = 1, reduction = "mean" }: { readonly delta?: number; readonly reduction?: Reduction } = {},
): Tensor {
  if (!(delta > 0)) throw new ValueError(`huber: delta is above 0, got ${delta}`);
  const size = prediction.sub(sameShapes(prediction, target, "huber")).abs();
  const losses = where(size.lessEqual(delta), size.square().mul(0.5), size.sub(0.5 * delta).mul(delta));
  return reduced(losses, reduction, "huber");
}

export interface NllOptions {
  /** A weight per class; the mean is the weighted one. */
  readonly weights?: TensorLike;
  /** Examples with this label do not count. */
  readonly ignoreIndex?: number;
  readonly reduction?: Reduction;
}

/**
 * −logp[label]: negative log likelihood.
 * @param logp (…, classes), logarithms of probabilities, as `logSoftmax` gives them
 * @param labels integers (…)
 * @example nn.nll(tensor([[-0.1, -2.4], [-1.2, -0.4]]), tensor([0, 1], { dtype: "int32" })) // 0.25
 */
export function nll(logp: Tensor, labels: Tensor, options: NllOptions = {}): Tensor {
  const { reduction = "mean" } = options;
  const { places, weight } = examples(logp, labels, options, "nll");
  const losses = logp.takeAlongAxis(places.expandDims(-1), -1).squeeze(-1).neg();
  return weight ? weighted(losses.mul(weight), weight, reduction, "nll") : reduced(losses, reduction, "nll");
}

interface Examples {
  /** The labels, with a class that exists in place of those that do not count. */
  readonly places: Tensor;
  /** 1 for what counts, else 0; `null` where all count. */
  readonly counted: Tensor | null;
  /** The weight of each example's class, 0 for what does not count; `null` where all are 1. */
  readonly weight: Tensor | null;
}

function examples(
  logp: Tensor,
  labels: Tensor,
  { weights, ignoreIndex }: NllOptions,
  where_: string,
): Examples {
  if (!sameShape(labels.shape, logp.shape.slice(0, -1)))
    throw new ShapeError(
      `${where_}: logits ${formatShape(logp.shape)} want labels ${formatShape(logp.shape.slice(0, -1))}, got ${formatShape(labels.shape)}`,
    );
  const on = ignoreIndex === undefined ? null : labels.notEqual(ignoreIndex);
  const places = on ? where(on, labels, 0) : labels;
  const counted = on?.cast(logp.dtype) ?? null;
  if (weights === undefined) return { places, counted, weight: counted };
  const ofClass = asTensor(weights, logp.dtype);
  const classes = logp.shape[logp.ndim - 1];
  if (!sameShape(ofClass.shape, [classes]))
    throw new ShapeError(
      `${where_}: a weight for each of ${classes} classes wanted, got ${formatShape(ofClass.shape)}`,
    );
  const taken = ofClass.take(places, 0);
  return { places, counted, weight: counted ? taken.mul(counted) : taken };
}

/** Losses that carry weights already: their mean is over the weights. */
function weighted(losses: Tensor, weight: Tensor, reduction: Reduction, where_: string): Tensor {
  return reduction === "mean" ? losses.sum().div(weight.sum()) : reduced(losses, reduction, where_);
}

export interface CrossEntropyOptions extends NllOptions {
  /** Part of the probability that is spread evenly over all classes (Szegedy et al. 2016). Default 0. */
  readonly labelSmoothing?: number;
}

/**
 * −ln softmax(logits)[label]: cross entropy (交叉熵).
 * @param logits (…, classes), before softmax
 * @param labels integers (…), or probabilities (…, classes)
 * @example nn.crossEntropy(tensor([[2, 0], [0, 2]]), tensor([0, 0], { dtype: "int32" })) // 1.127
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { labelSmoothing = 0, reduction = "mean" } = options;
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ValueError(`crossEntropy: labelSmoothing is between 0 and 1, got ${labelSmoothing}`);
  const logp = logits.logSoftmax(-1);
  if (isFloat(labels.dtype)) {
    if (options.ignoreIndex !== undefined || options.weights !== undefined || labelSmoothing > 0)
      throw new ValueError(
        "crossEntropy: weights, ignoreIndex and labelSmoothing go with integer labels; change the probabilities instead",
      );
    return reduced(
      logp
        .mul(sameShapes(logits, labels, "crossEntropy"))
        .sum(-1)
        .neg(),
      reduction,
      "crossEntropy",
    );
  }
  const { places, counted, weight } = examples(logits, labels, options, "crossEntropy");
  const exact = logp.takeAlongAxis(places.expandDims(-1), -1).squeeze(-1).neg();
  let losses = weight ? exact.mul(weight) : exact;
  if (labelSmoothing > 0) {
    const { weights } = options;
    const even = (weights === undefined ? logp : logp.mul(asTensor(weights, logp.dtype))).mean(-1).neg();
    losses = losses.mul(1 - labelSmoothing).add((counted ? even.mul(counted) : even).mul(labelSmoothing));
  }
  return weight
    ? weighted(losses, weight, reduction, "crossEntropy")
    : reduced(losses, reduction, "crossEntropy");
}

export interface BinaryCrossEntropyOptions {
  /** Factor of the positive examples' part. Default 1. */
  readonly positiveWeight?: TensorLike;
  readonly reduction?: Reduction;
}

/**
 * −(w·y·ln σ(x) + (1−y)·ln(1−σ(x))) of logits x, without overflow.
 * @example nn.binaryCrossEntropy(tensor([0, 2]), [1, 1]) // 0.41
 */
export function binaryCrossEntropy(
  logits: Tensor,
  target: TensorLike,
  { positiveWeight, reduction = "mean" }: BinaryCrossEntropyOptions = {},
): Tensor {
  const y = sameShapes(logits, target, "binaryCrossEntropy");
  const negative = logits.softplus(); // −ln(1 − σ(x))
  if (positiveWeight === undefined)
    return reduced(negative.sub(logits.mul(y)), reduction, "binaryCrossEntropy");
  const positive = logits.neg().softplus().mul(asTensor(positiveWeight, logits.dtype));
  return reduced(positive.mul(y).add(negative.sub(negative.mul(y))), reduction, "binaryCrossEntropy");
}

/**
 * Σ p·(ln p − ln q) over the last axis, averaged over the rest: the Kullback–Leibler divergence of q from p.
 * @param logq logarithms of the predicted probabilities (…, classes)
 * @param target probabilities p (…, classes); where they are 0 they add 0
 * @example nn.klDivergence(tensor([[0.5, 0.5]]).log(), [[1, 0]]) // 0.6931
 */
export function klDivergence(logq: Tensor, target: TensorLike, reduction: Reduction = "mean"): Tensor {
  const p = sameShapes(logq, target, "klDivergence");
  const logp = where(p.greater(0), p, 1).log(); // 0·ln 0 is 0
  return reduced(p.mul(logp.sub(logq)).sum(-1), reduction, "klDivergence");
}

/**
 * max(0, 1 − y·score): what a support vector machine minimizes.
 * @param target −1 or 1
 * @example nn.hinge(tensor([0.5, -2]), [1, 1]) // 1.75
 */
export function hinge(scores: Tensor, target: TensorLike, reduction: Reduction = "mean"): Tensor {
  const y = sameShapes(scores, target, "hinge");
  return reduced(scores.mul(y).neg().add(1).relu(), reduction, "hinge");
}

/**
 * a·b/(|a||b|) along an axis; 0 where one of them is shorter than `epsilon`.
 * @example nn.cosineSimilarity(tensor([[1, 0]]), [[1, 1]]) // [0.7071]
 */
export function cosineSimilarity(
  a: Tensor,
  b: TensorLike,
  { axis = -1, epsilon = 1e-8 }: { readonly axis?: number; readonly epsilon?: number } = {},
): Tensor {
  const other = sameShapes(a, b, "cosineSimilarity");
  const length = (x: Tensor): Tensor =>
    x
      .square()
      .sum(axis)
      .maximum(epsilon ** 2)
      .sqrt();
  return a
    .mul(other)
    .sum(axis)
    .div(length(a).mul(length(other)));
}

/**
 * max(0, |anchor − positive| − |anchor − negative| + margin) along the last axis (Schroff et al. 2015).
 * @example nn.tripletMargin(tensor([[0]]), [[1]], [[1.5]]) // 0.5
 */
export function tripletMargin(
  anchor: Tensor,
  positive: TensorLike,
  negative: TensorLike,
  { margin = 1, reduction = "mean" }: { readonly margin?: number; readonly reduction?: Reduction } = {},
): Tensor {
  const distance = (other: TensorLike): Tensor =>
    anchor
      .sub(sameShapes(anchor, other, "tripletMargin"))
      .add(1e-6)
      .square()
      .sum(-1)
      .sqrt();
  return reduced(distance(positive).sub(distance(negative)).add(margin).relu(), reduction, "tripletMargin");
}
