// expect: correct
// why: sends along every path separately: slow on deep diamonds but right, since the sum over paths is the gradient
type Var = number;

interface Recorder {
  add(a: Var, b: Var): Var;
  sub(a: Var, b: Var): Var;
  mul(a: Var, b: Var): Var;
  sin(a: Var): Var;
  exp(a: Var): Var;
  log(a: Var): Var;
}

interface Gradient {
  value: number;
  gradient: number[];
  saved: number;
}

function gradient(f: (tape: Recorder, ...inputs: Var[]) => Var, point: readonly number[]): Gradient {
  const values = [...point];
  const edges: [Var, () => number][][] = point.map(() => []);
  let saved = 0;
  const put = (value: number, kept: number, ...sent: [Var, () => number][]) => {
    saved += kept;
    values.push(value);
    return edges.push(sent) - 1;
  };
  const result = f(
    {
      add: (a, b) => put(values[a] + values[b], 0, [a, () => 1], [b, () => 1]),
      sub: (a, b) => put(values[a] - values[b], 0, [a, () => 1], [b, () => -1]),
      mul: (a, b) => put(values[a] * values[b], 2, [a, () => values[b]], [b, () => values[a]]),
      sin: (a) => put(Math.sin(values[a]), 1, [a, () => Math.cos(values[a])]),
      exp: (a) => put(Math.exp(values[a]), 1, [a, () => Math.exp(values[a])]),
      log: (a) => put(Math.log(values[a]), 1, [a, () => 1 / values[a]]),
    },
    ...point.map((_, i) => i),
  );
  const total = point.map(() => 0);
  const send = (at: Var, g: number): void => {
    if (at < point.length) total[at] += g;
    for (const [to, slope] of edges[at]) send(to, g * slope());
  };
  send(result, 1);
  return { value: values[result], gradient: total, saved };
}
