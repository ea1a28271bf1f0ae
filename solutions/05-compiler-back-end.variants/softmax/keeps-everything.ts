// expect: wrong 7/8
// fails: a state is small, and stays as it was
// why: keeps all scores for the end, and writes into the given state
/** The state before the first block. */
function start(size: number): Running {
  return { max: Number.NEGATIVE_INFINITY, sum: 0, out: new Array<number>(size).fill(0) };
}

/** The state after one more block. */
function absorb(state: Running, scores: number[], values: number[][]): Running {
  const max = Math.max(...scores, Number.NEGATIVE_INFINITY);
  const seen = scores.map((x) => (x === Number.NEGATIVE_INFINITY ? 0 : Math.exp(x - max)));
  const block: Running = {
    max,
    sum: seen.reduce((a, b) => a + b, 0),
    out: state.out.map((_, d) => seen.reduce((total, e, i) => total + (e === 0 ? 0 : e * values[i][d]), 0)),
  };
  const kept = state as Running & { scores?: number[] };
  kept.scores = [...(kept.scores ?? []), ...scores];
  return { ...merge(state, block), scores: kept.scores } as Running;
}

/** The state of two parts together. */
function merge(a: Running, b: Running): Running {
  const max = Math.max(a.max, b.max);
  const scale = (part: Running): number => (part.max === Number.NEGATIVE_INFINITY ? 0 : Math.exp(part.max - max));
  const [p, q] = [scale(a), scale(b)];
  return { max, sum: a.sum * p + b.sum * q, out: a.out.map((x, d) => x * p + b.out[d] * q) };
}

/** The weighted mean. */
function finish(state: Running): number[] {
  return state.out.map((x) => (state.sum === 0 ? 0 : x / state.sum));
}
