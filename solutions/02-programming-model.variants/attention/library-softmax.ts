// expect: wrong 0/9
// why: uses the softmax that it should build
/** Softmax along the last axis over what is visible; rows without anything visible are 0. */
function maskedSoftmax(scores: Tensor, visible: Tensor | null = null): Tensor {
  if (!visible) return scores.softmax(-1);
  const any = mlsys.any(visible.broadcastTo(scores.shape), -1, true);
  const safe = mlsys.where(any, mlsys.where(visible, scores, Number.NEGATIVE_INFINITY), 0);
  return mlsys.where(any, safe.softmax(-1), 0);
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
