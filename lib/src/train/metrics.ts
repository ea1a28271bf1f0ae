/** Metrics for `fit` and `evaluate`. */
import type { Tensor } from "../core/tensor.js";

/** Part of the rows whose largest logit is at the label. */
export function accuracy(logits: Tensor, labels: Tensor): Tensor {
  return logits.argmax(-1).equal(labels.cast("int32")).cast("float32").mean();
}
