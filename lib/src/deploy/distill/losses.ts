/** Losses by which a small model learns from a large one: from its answers, from its features, from where it looks. */
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape, sameShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { crossEntropy } from "../../nn/losses.js";
import type { Module } from "../../nn/module.js";

export interface SoftOptions {
  /** Both sides' logits are divided by it: above 1, small probabilities count more. Default 4. */
  readonly temperature?: number;
  /** Multiplies by the temperature's square, so that gradients keep their size whatever it is (Hinton et al., section 2). Default true. */
  readonly squared?: boolean;
}

export interface DistillationOptions extends SoftOptions {
  /** λ: the part of the teacher. Default 1. */
  readonly weight?: number;
  /** The part of the labels. Default 1. */
  readonly labelWeight?: number;
}

/**
 * H(τ(s), τ(t)): the cross-entropy between what teacher and student say at a temperature, averaged over examples (Hinton,
 * Vinyals & Dean 2015). The teacher gets no gradient.
 * @param student logits (…, classes)
 * @param teacher logits of the same shape
 * @throws ShapeError for different shapes; ValueError for a temperature that is not positive.
 * @example deploy.softCrossEntropy(tensor([[0, 0]]), tensor([[1, -1]]), { temperature: 1 }) // 0.6931
 */
export function softCrossEntropy(
  student: Tensor,
  teacher: Tensor,
  { temperature = 4, squared = true }: SoftOptions = {},
): Tensor {
  if (!(temperature > 0 && temperature < Number.POSITIVE_INFINITY))
    throw new ValueError(`softCrossEntropy: a temperature is positive, got ${temperature}`);
  checkSame("softCrossEntropy", student, teacher);
  const wanted = teacher.stopGradient().div(temperature).softmax(-1);
  const loss = student.div(temperature).logSoftmax(-1).mul(wanted).sum(-1).neg().mean();
  return squared ? loss.mul(temperature ** 2) : loss;
}

/**
 * H(s, y) + λ·H(τ(s), τ(t)): labels and a teacher together. (Book, chapter 8.)
 * @param labels class numbers (…), as for `nn.crossEntropy`
 * @throws as `softCrossEntropy`, and ValueError for weights that are negative.
 * @example deploy.distillationLoss(tensor([[2, 0]]), tensor([[1, 0]]), tensor([0], { dtype: "int32" }), { temperature: 1, weight: 0.5 }) // 0.4593
 */
export function distillationLoss(
  student: Tensor,
  teacher: Tensor,
  labels: Tensor,
  { weight = 1, labelWeight = 1, ...soft }: DistillationOptions = {},
): Tensor {
  if (!(weight >= 0 && labelWeight >= 0))
    throw new ValueError(`distillationLoss: weights are from 0, got ${weight} and ${labelWeight}`);
  return crossEntropy(student, labels)
    .mul(labelWeight)
    .add(softCrossEntropy(student, teacher, soft).mul(weight));
}

/**
 * ½|r(s) − t|², averaged over examples: the features of a student's layer, put through a regressor, are to be those of a
 * teacher's (Romero et al. 2015, "FitNets").
 * @param student features (n, …)
 * @param regressor brings them to the teacher's shape: a 1×1 convolution for maps, a Dense for vectors; needed where shapes differ
 * @throws ShapeError where they differ behind it.
 * @example deploy.hintLoss(tensor([[1, 2]]), tensor([[0, 0]])) // 2.5
 */
export function hintLoss(student: Tensor, teacher: Tensor, regressor?: Module): Tensor {
  const found = regressor ? ((regressor.forward as (x: Tensor) => unknown)(student) as Tensor) : student;
  checkSame("hintLoss", found, teacher);
  return found.sub(teacher.stopGradient()).square().flatten(1).sum(1).mean().mul(0.5);
}

/**
 * Where a layer looks: the mean square over channels at each place, as vectors of length 1 (Zagoruyko & Komodakis 2017).
 * @param features (n, channels, …) → (n, places)
 * @throws ShapeError for fewer than three axes.
 * @example deploy.attentionMap(tensor([[[3, 4]]])) // [[0.4903, 0.8716]]
 */
export function attentionMap(features: Tensor): Tensor {
  if (features.ndim < 3)
    throw new ShapeError(`attentionMap: (n, channels, …) wanted, got ${formatShape(features.shape)}`);
  const map = features.square().mean(1).flatten(1);
  return map.div(map.square().sum(1, true).maximum(1e-24).sqrt());
}

/**
 * The mean squared difference of attention maps. Channels may differ in number, places may not.
 * @param student (n, channels, …)
 * @param teacher (n, other channels, …)
 * @throws ShapeError as `attentionMap`, and for maps of different sizes.
 * @example deploy.attentionTransfer(tensor([[[3, 4]]]), tensor([[[3, 4], [3, 4]]])) // 0
 */
export function attentionTransfer(student: Tensor, teacher: Tensor): Tensor {
  const [mine, wanted] = [attentionMap(student), attentionMap(teacher.stopGradient())];
  checkSame("attentionTransfer", mine, wanted);
  return mine.sub(wanted).square().mean();
}

function checkSame(where: string, student: Tensor, teacher: Tensor): void {
  if (!sameShape(student.shape, teacher.shape))
    throw new ShapeError(
      `${where}: the student's ${formatShape(student.shape)} is not the teacher's ${formatShape(teacher.shape)}`,
    );
}
