// expect: wrong 8/9
// fails: large scores, in float32
// why: takes exponentials of the scores as they are
/** Softmax along the last axis over what is visible; rows without anything visible are 0. */
function maskedSoftmax(scores: Tensor, visible: Tensor | null = null): Tensor {
  const mask = visible ?? mlsys.ones([1], { dtype: "bool" });
  const shifted = mlsys.where(mask, scores, 0);
  const weights = mlsys.where(mask, shifted.exp(), 0);
  const total = weights.sum(-1, true);
  return weights.div(mlsys.where(total.greater(0), total, 1));
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
