// expect: correct
// why: weights as exp(score − log Σ exp); masks as numbers added in front of the queries; one head after the other
function maskedSoftmax(scores: Tensor, visible: Tensor | null = null): Tensor {
  if (!visible) {
    const shifted = scores.sub(mlsys.stopGradient(scores.max(-1, true)));
    return shifted.sub(shifted.exp().sum(-1, true).log()).exp();
  }
  const seen = visible.broadcastTo(scores.shape).cast(scores.dtype);
  const counts = seen.sum(-1, true);
  const clean = mlsys.where(visible, scores, 0);
  const lowest = mlsys.stopGradient(clean.min(-1, true));
  const top = mlsys.stopGradient(mlsys.where(visible, clean, lowest).max(-1, true));
  const weights = clean.sub(top).mul(seen).exp().mul(seen);
  return weights.div(weights.sum(-1, true).add(counts.equal(0).cast(scores.dtype)));
}

function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  const [t, d] = q.shape.slice(-2);
  const s = k.shape[k.ndim - 2];
  const scores = q.mul(d ** -0.5).matmul(k.swapAxes(k.ndim - 1, k.ndim - 2));
  const masks: Tensor[] = [];
  if (options.visible) masks.push(options.visible);
  if (options.causal) masks.push(tensor(Array.from({ length: t }, (_, i) => Array.from({ length: s }, (_s, j) => j - (s - t) <= i))));
  const visible = masks.length === 2 ? mlsys.logicalAnd(masks[0], masks[1]) : (masks[0] ?? null);
  return maskedSoftmax(scores, visible).matmul(v);
}

function multiHead({ query, key, value, output }: HeadParameters, x: Tensor, heads: number, causal = false): Tensor {
  const size = query.shape[1];
  const width = size / heads;
  if (!Number.isInteger(width)) throw new RangeError(`size ${size} is no multiple of ${heads}`);
  const results: Tensor[] = [];
  for (let from = 0; from < size; from += width) {
    const [q, k, v] = [query, key, value].map((weights) => x.matmul(weights.slice(":", [from, from + width])));
    results.push(attention(q, k, v, { causal }));
  }
  return mlsys.concat(results, 2).matmul(output);
}
