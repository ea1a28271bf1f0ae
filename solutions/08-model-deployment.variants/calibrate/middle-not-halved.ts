// expect: wrong 6/7
// fails: the symmetric one, and Jensen–Shannon
// why: compares with the sum instead of the mean
/** Divergence of what is left, if the range ends behind `kept` bins. */
function divergence(counts: number[], kept: number, levels: number): number {
  const own = counts.slice(0, kept);
  const p = [...own];
  p[kept - 1] += counts.slice(kept).reduce((a, b) => a + b, 0);
  const q = own.map(() => 0);
  for (let level = 0; level < levels; level++) {
    const [from, to] = [Math.floor((level * kept) / levels), Math.floor(((level + 1) * kept) / levels)];
    const part = own.slice(from, to);
    const filled = part.filter((c) => c > 0).length;
    const sum = part.reduce((a, b) => a + b, 0);
    part.forEach((c, i) => {
      if (c > 0) q[from + i] = sum / filled;
    });
  }
  return relative(normal(p), normal(q));
}

/** The number of bins to keep. */
function bestRange(counts: number[], levels: number): number {
  let best = counts.length;
  let least = divergence(counts, best, levels);
  for (let kept = counts.length - 1; kept >= levels; kept--) {
    const found = divergence(counts, kept, levels);
    if (found < least - 1e-12) [least, best] = [found, kept];
  }
  return best;
}

function symmetricDivergence(p: number[], q: number[]): number {
  return relative(p, q) + relative(q, p);
}

function jensenShannon(p: number[], q: number[]): number {
  const m = p.map((v, i) => v + q[i]);
  return (relative(p, m) + relative(q, m)) / 2;
}

function normal(list: number[]): number[] {
  const sum = list.reduce((a, b) => a + b, 0);
  return sum === 0 ? list : list.map((v) => v / sum);
}

/** Kullback–Leibler divergence. */
function relative(p: number[], q: number[]): number {
  return p.reduce((sum, v, i) => (v > 0 ? sum + v * Math.log(v / (q[i] > 0 ? q[i] : 1e-9)) : sum), 0);
}
