/** Losses: how far a prediction is from the truth, averaged over the batch. */
import { isFloat } from "../core/dtype.js";
import { ShapeError } from "../core/errors.js";
import { formatShape, sameShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { asTensor, type TensorLike } from "../ops/convert.js";

function sameShapes(prediction: Tensor, target: TensorLike, where: string): Tensor {
  const y = asTensor(target, prediction.dtype);
  if (!sameShape(prediction.shape, y.shape)) {
    throw new ShapeError(
      `${where}: predictions ${formatShape(prediction.shape)} and targets ${formatShape(y.shape)} differ in shape`,
    );
  }
  return y;
}

/**
 * Mean of (prediction − target)².
 * @example nn.mse(tensor([1, 2]), [2, 4]) // 2.5
 */
export function mse(prediction: Tensor, target: TensorLike): Tensor {
  return prediction
    .sub(sameShapes(prediction, target, "mse"))
    .square()
    .mean();
}

/**
 * Mean of |prediction − target|.
 * @example nn.mae(tensor([1, 2]), [2, 4]) // 1.5
 */
export function mae(prediction: Tensor, target: TensorLike): Tensor {
  return prediction
    .sub(sameShapes(prediction, target, "mae"))
    .abs()
    .mean();
}

/**
 * Mean of −ln softmax(logits)[label].
 * @param logits (n, classes), before softmax
 * @param labels integers (n), or probabilities (n, classes)
 * @example nn.crossEntropy(tensor([[2, 0], [0, 2]]), tensor([0, 0], { dtype: "int32" })) // 1.127
 */
export function crossEntropy(logits: Tensor, labels: Tensor): Tensor {
  const logp = logits.logSoftmax(-1);
  if (isFloat(labels.dtype))
    return logp
      .mul(sameShapes(logits, labels, "crossEntropy"))
      .sum(-1)
      .mean()
      .neg();
  if (!sameShape(labels.shape, logits.shape.slice(0, -1))) {
    throw new ShapeError(
      `crossEntropy: logits ${formatShape(logits.shape)} want labels ${formatShape(logits.shape.slice(0, -1))}, got ${formatShape(labels.shape)}`,
    );
  }
  return logp.takeAlongAxis(labels.expandDims(-1), -1).mean().neg();
}

/**
 * Mean of −(y·ln σ(x) + (1−y)·ln(1−σ(x))) of logits x, without overflow.
 * @example nn.binaryCrossEntropy(tensor([0, 2]), [1, 1]) // 0.41
 */
export function binaryCrossEntropy(logits: Tensor, target: TensorLike): Tensor {
  const y = sameShapes(logits, target, "binaryCrossEntropy");
  return logits.softplus().sub(logits.mul(y)).mean();
}
