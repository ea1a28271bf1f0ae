/** Metrics for `fit` and `evaluate`. */
import type { Tensor } from "../core/tensor.js";

/**
 * Part of the rows whose largest logit is at the label.
 * @example train.accuracy(tensor([[1, 5], [7, 2]]), tensor([1, 1], { dtype: "int32" })) // 0.5
 */
export function accuracy(logits: Tensor, labels: Tensor): Tensor {
  return logits.argmax(-1).equal(labels.cast("int32")).cast("float32").mean();
}
