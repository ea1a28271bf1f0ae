// expect: wrong 7/9
// fails: rows that see nothing: 0, and a gradient without NaN | causal: queries are the last positions; both masks hold
// why: adds −10⁹ to what is hidden: a row that sees nothing looks at everything
/** Softmax along the last axis over what is visible; rows without anything visible are 0. */
function maskedSoftmax(scores: Tensor, visible: Tensor | null = null): Tensor {
  const masked = visible ? mlsys.where(visible, scores, scores.sub(1e9)) : scores;
  const weights = masked.sub(mlsys.stopGradient(masked.max(-1, true))).exp();
  const total = weights.sum(-1, true);
  return weights.div(total);
}

/** q (…, t, d), k (…, s, d), v (…, s, e) → (…, t, e). */
function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  { causal = false, visible = null }: AttentionOptions = {},
): Tensor {
  const [t, s] = [q.shape[q.ndim - 2], k.shape[k.ndim - 2]];
  const scores = q.matmul(k.swapAxes(-2, -1)).div(Math.sqrt(q.shape[q.ndim - 1]));
  let mask = visible;
  if (causal) {
    const past = mlsys.lessEqual(mlsys.arange(s), mlsys.arange(t).reshape([t, 1]).add(s - t));
    mask = mask ? mlsys.logicalAnd(mask, past) : past;
  }
  return maskedSoftmax(scores, mask).matmul(v);
}

/** Self-attention of x (n, t, size) in heads. @throws Error when they do not divide the size */
function multiHead(
  { query, key, value, output }: HeadParameters,
  x: Tensor,
  heads: number,
  causal = false,
): Tensor {
  const [n, t, size] = x.shape;
  if (size % heads !== 0) throw new Error(`multiHead: ${heads} heads do not divide a size of ${size}`);
  const apart = (weights: Tensor) => x.matmul(weights).reshape([n, t, heads, size / heads]).transpose([0, 2, 1, 3]);
  const seen = attention(apart(query), apart(key), apart(value), { causal });
  return seen.transpose([0, 2, 1, 3]).reshape([n, t, size]).matmul(output);
}
