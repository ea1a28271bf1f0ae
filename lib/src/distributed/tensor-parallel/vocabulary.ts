/**
 * A vocabulary that is cut across members: embeddings, and the cross entropy of logits that no member has whole.
 * (Shoeybi et al., "Megatron-LM", 2019, section 3.)
 */
import type { Variable } from "../../autodiff/variable.js";
import { DTypeError, ShapeError, ValueError } from "../../core/errors.js";
import { formatShape, formatType, sameShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import type { Embedding } from "../../nn/embedding.js";
import type { CrossEntropyOptions } from "../../nn/losses.js";
import { Module } from "../../nn/module.js";
import { where } from "../../ops/select.js";
import type { ProcessGroup } from "../group/process-group.js";
import { maxAcross, reduceFromTensorParallel } from "./collective-ops.js";
import { cutVariable } from "./cuts.js";
import { leave, type SequenceOptions } from "./linear.js";
import { type Part, partOf } from "./parts.js";

/**
 * An ordinary embedding cut by rows: indices (…) → vectors (…, size); each member looks up its own, the sum has all.
 * With `sequence` (…, t) → (…, t/members, size).
 */
export class VocabParallelEmbedding extends Module {
  /** (the own tokens, size) */
  weight: Variable;
  readonly count: number;
  private readonly own: Part;
  private readonly sequence: boolean;
  private readonly paddingIndex: number | null;

  /** @param embedding the whole, the same on all members */
  constructor(
    embedding: Embedding,
    readonly group: ProcessGroup,
    { sequence = false }: SequenceOptions = {},
  ) {
    super();
    this.weight = cutVariable(embedding.weight, { axis: 0 }, group);
    this.count = embedding.count;
    this.own = partOf(this.count, group.rank, group.size);
    this.paddingIndex = embedding.paddingIndex;
    this.sequence = sequence;
  }

  override forward(indices: Tensor): Tensor {
    if (!/^u?int/.test(indices.dtype))
      throw new DTypeError(
        `VocabParallelEmbedding: indices are integers, got ${formatType(indices)}; cast them to int32`,
      );
    const { places, inside } = localPlaces(indices, this.own);
    const counted =
      this.paddingIndex === null ? inside : inside.logicalAnd(indices.notEqual(this.paddingIndex));
    const vectors = where(counted.expandDims(-1), this.weight.take(places, 0), 0);
    return leave(vectors, this.group, this.sequence);
  }

  /** Features (…, size), which have entered the region of cut layers → the own logits (…, the own tokens). */
  logits(hidden: Tensor): Tensor {
    return hidden.matmul(this.weight.transpose());
  }
}

/** Where indices stand in a part of the vocabulary, 0 for those outside. */
function localPlaces(indices: Tensor, { start, length }: Part): { places: Tensor; inside: Tensor } {
  const local = indices.sub(start);
  const inside = local.greaterEqual(0).logicalAnd(local.less(length));
  return { places: where(inside, local, 0), inside };
}

/** As for `nn.crossEntropy`, but for weights of classes. */
export type VocabParallelCrossEntropyOptions = Omit<CrossEntropyOptions, "weights">;

/**
 * `nn.crossEntropy` of logits that are cut along the classes: members exchange a maximum, a sum and the label's logit of
 * each example, never the logits.
 * @param logits (…, the own classes), parts of `classes` as even as possible
 * @param labels integers (…) from 0 to classes − 1, the same on all members
 * @returns the same loss on all members
 * @throws ShapeError if the logits are no such part, or the labels have another shape
 * @example
 * await distributed.launch(2, (group) => {
 *   const own = tensor(group.rank === 0 ? [[2], [0]] : [[0], [2]]);
 *   const labels = tensor([0, 0], { dtype: "int32" });
 *   return distributed.vocabParallelCrossEntropy(own, labels, group, 2).item().toFixed(3);
 * }) // ["1.127", "1.127"]
 */
export function vocabParallelCrossEntropy(
  logits: Tensor,
  labels: Tensor,
  group: ProcessGroup,
  classes: number,
  { reduction = "mean", ignoreIndex, labelSmoothing = 0 }: VocabParallelCrossEntropyOptions = {},
): Tensor {
  const own = partOf(classes, group.rank, group.size);
  if (logits.shape.at(-1) !== own.length || !sameShape(labels.shape, logits.shape.slice(0, -1)))
    throw new ShapeError(
      `vocabParallelCrossEntropy: logits (…, ${own.length}) of ${classes} classes and labels (…) wanted, got ${formatShape(logits.shape)} and ${formatShape(labels.shape)}`,
    );
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1))
    throw new ValueError(
      `vocabParallelCrossEntropy: labelSmoothing is between 0 and 1, got ${labelSmoothing}`,
    );
  const shifted = logits.sub(maxAcross(logits.max(-1, true), group));
  const normal = reduceFromTensorParallel(shifted.exp().sum(-1), group).log();
  const { places, inside } = localPlaces(labels, own);
  const mine = where(inside, shifted.takeAlongAxis(places.expandDims(-1), -1).squeeze(-1), 0);
  let losses = normal.sub(reduceFromTensorParallel(mine, group));
  if (labelSmoothing > 0) {
    const even = normal.sub(reduceFromTensorParallel(shifted.sum(-1), group).div(classes));
    losses = losses.mul(1 - labelSmoothing).add(even.mul(labelSmoothing));
  }
  const counted = ignoreIndex === undefined ? null : labels.notEqual(ignoreIndex).cast(losses.dtype);
  if (counted) losses = losses.mul(counted);
  if (reduction === "none") return losses;
  if (reduction === "sum") return losses.sum();
  return counted ? losses.sum().div(counted.sum()) : losses.mean();
}
