// expect: correct
// why: finds the level of each bin, and sums logarithms
function divergence(counts: number[], kept: number, levels: number): number {
  const owner = new Array<number>(kept);
  for (let l = 0; l < levels; l++)
    for (let i = Math.floor((l * kept) / levels); i < Math.floor(((l + 1) * kept) / levels); i++) owner[i] = l;
  const sums = new Float64Array(levels);
  const filled = new Float64Array(levels);
  let [inside, all] = [0, 0];
  counts.forEach((c, i) => {
    all += c;
    if (i >= kept) return;
    inside += c;
    sums[owner[i]] += c;
    if (c > 0) filled[owner[i]]++;
  });
  let total = 0;
  for (let i = 0; i < kept; i++) {
    let p = counts[i] / all;
    if (i === kept - 1) p += (all - inside) / all;
    if (p <= 0) continue;
    const q = counts[i] > 0 ? sums[owner[i]] / filled[owner[i]] / inside : 1e-9;
    total += p * Math.log(p) - p * Math.log(q);
  }
  return total;
}

function bestRange(counts: number[], levels: number): number {
  const all = Array.from({ length: counts.length - levels + 1 }, (_, i) => levels + i);
  const found = all.map((kept) => divergence(counts, kept, levels));
  const least = Math.min(...found);
  return all[found.findLastIndex((d) => d < least + 1e-12)];
}

const kl = (p: number[], q: number[]): number => {
  let sum = 0;
  p.forEach((a, i) => {
    if (a > 0) sum += a * (Math.log(a) - Math.log(Math.max(q[i], 1e-9)));
  });
  return sum;
};

function symmetricDivergence(p: number[], q: number[]): number {
  return kl(q, p) + kl(p, q);
}

function jensenShannon(p: number[], q: number[]): number {
  const middle = p.map((a, i) => 0.5 * (a + q[i]));
  return 0.5 * (kl(p, middle) + kl(q, middle));
}
