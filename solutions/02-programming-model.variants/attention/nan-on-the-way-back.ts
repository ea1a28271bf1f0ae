// expect: wrong 8/9
// fails: rows that see nothing: 0, and a gradient without NaN
// why: adds −∞ to what is hidden and replaces the NaN of empty rows: right forward, NaN on the way back
/** Softmax along the last axis over what is visible; rows without anything visible are 0. */
function maskedSoftmax(scores: Tensor, visible: Tensor | null = null): Tensor {
  const mask = visible ?? mlsys.ones([1], { dtype: "bool" });
  const masked = scores.add(mlsys.where(mask, 0, Number.NEGATIVE_INFINITY));
  const weights = masked.sub(mlsys.stopGradient(masked.max(-1, true))).exp();
  const total = weights.sum(-1, true);
  const softened = weights.div(total);
  return mlsys.where(mlsys.equal(softened, softened), softened, 0);
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
