// expect: correct
// why: one key at a time, the state copied once
function start(size: number): Running {
  return { max: -Infinity, sum: 0, out: Array.from({ length: size }, () => 0) };
}

function absorb(state: Running, scores: number[], values: number[][]): Running {
  let { max, sum } = state;
  const out = state.out.slice();
  for (let i = 0; i < scores.length; i++) {
    const x = scores[i];
    if (x === -Infinity) continue;
    if (x > max) {
      const by = max === -Infinity ? 0 : Math.exp(max - x);
      sum *= by;
      for (let d = 0; d < out.length; d++) out[d] *= by;
      max = x;
    }
    const weight = Math.exp(x - max);
    sum += weight;
    for (let d = 0; d < out.length; d++) out[d] += weight * values[i][d];
  }
  return { max, sum, out };
}

function merge(a: Running, b: Running): Running {
  if (a.sum === 0) return b;
  if (b.sum === 0) return a;
  const [small, large] = a.max < b.max ? [a, b] : [b, a];
  const by = Math.exp(small.max - large.max);
  return { max: large.max, sum: large.sum + by * small.sum, out: large.out.map((x, d) => x + by * small.out[d]) };
}

function finish({ sum, out }: Running): number[] {
  return sum > 0 ? out.map((x) => x / sum) : out.map(() => 0);
}
