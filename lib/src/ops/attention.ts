/** Attention (注意力机制): each query takes the mean of the values, weighted by how well their keys fit. */
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { asTensor, promote, type TensorLike } from "./convert.js";
import { ones } from "./create.js";
import { tril } from "./gather.js";
import { where } from "./select.js";
import "./softmax.js";

export interface AttentionOptions {
  /**
   * Bool, broadcastable to (…, tq, tk): where a query may look (PyTorch's `attn_mask`). A query that may look nowhere gets 0.
   * Or floating-point: added to the scores.
   */
  readonly mask?: TensorLike;
  /** Position i sees the positions 0 … i of the keys. Default false. */
  readonly causal?: boolean;
  /** Factor of the scores. Default 1/√d. */
  readonly scale?: number;
}

/** Scores of what may not be seen: below all others, and finite, so that a row of them makes no NaN. */
const HIDDEN = { float16: -6e4 } as Readonly<Record<string, number>>;

/**
 * Weights softmax(q·kᵀ/√d) of scaled dot-product attention: (…, tq, tk), rows that add up to 1 (or to 0 where nothing may
 * be seen).
 * @param q queries (…, tq, d)
 * @param k keys (…, tk, d)
 * @example attentionWeights([[0, 0]], [[1, 2], [3, 4]]) // [[0.5, 0.5]]
 */
export function attentionWeights(q: TensorLike, k: TensorLike, options: AttentionOptions = {}): Tensor {
  const [queries, keys] = promote(q, k);
  if (queries.ndim < 2 || keys.ndim < 2 || queries.shape.at(-1) !== keys.shape.at(-1))
    throw new ShapeError(
      `attention: queries (…, tq, d) and keys (…, tk, d) wanted, got ${formatShape(queries.shape)} and ${formatShape(keys.shape)}`,
    );
  const [tq, tk, d] = [queries.shape[queries.ndim - 2], keys.shape[keys.ndim - 2], keys.shape[keys.ndim - 1]];
  const { scale = 1 / Math.sqrt(d), causal = false } = options;
  if (!Number.isFinite(scale)) throw new ValueError(`attention: the scale is a finite number, got ${scale}`);
  let scores = queries.matmul(keys.swapAxes(-2, -1)).mul(scale);
  let seen: Tensor | null = causal ? tril(ones([tq, tk], { dtype: "bool" })) : null;
  if (options.mask !== undefined) {
    const mask = asTensor(options.mask);
    if (mask.dtype === "bool") seen = seen ? seen.logicalAnd(mask) : mask;
    else scores = scores.add(mask);
  }
  if (!seen) return scores.softmax(-1);
  const weights = where(seen, scores, HIDDEN[scores.dtype] ?? -1e30).softmax(-1);
  // with a causal mask alone every query sees at least the first key
  return options.mask === undefined ? weights : where(seen, weights, 0);
}

/**
 * Scaled dot-product attention softmax(q·kᵀ/√d)·v (Vaswani et al. 2017).
 * @param q queries (…, tq, d)
 * @param k keys (…, tk, d)
 * @param v values (…, tk, dv)
 * @returns (…, tq, dv)
 * @throws ShapeError if they do not fit.
 * @example attention([[0, 0]], [[1, 2], [3, 4]], [[2], [4]]) // [[3]]
 */
export function attention(
  q: TensorLike,
  k: TensorLike,
  v: TensorLike,
  options: AttentionOptions = {},
): Tensor {
  const values = asTensor(v);
  const weights = attentionWeights(q, k, options);
  if (values.ndim < 2 || values.shape[values.ndim - 2] !== weights.shape.at(-1))
    throw new ShapeError(
      `attention: ${weights.shape.at(-1)} keys want as many values (…, tk, dv), got ${formatShape(values.shape)}`,
    );
  return weights.matmul(values);
}
