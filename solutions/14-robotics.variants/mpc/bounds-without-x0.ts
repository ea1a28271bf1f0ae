// expect: wrong 6/11
// fails: which inputs are allowed | no better plan on a grid | driven home within bounds | no plan, and one from outside
// why: bounds of states as if the robot were at zero
interface Range {
  lower: number[];
  upper: number[];
}
interface Model {
  a: Matrix;
  b: Matrix;
  q: Matrix;
  r: Matrix;
  /** Weight of the last state. */
  final: Matrix;
  horizon: number;
  input: Range;
  state: Range;
}
interface Program extends Range {
  p: Matrix;
  q: number[];
  a: Matrix;
}

function prediction({ a, b, horizon }: Model): { phi: Matrix; gamma: Matrix } {
  const powers = [identity(a.length)];
  for (let k = 0; k < horizon; k++) powers.push(times(a, powers[k]));
  const steps = Array.from({ length: horizon }, (_, k) => k);
  const zero = b.map((row) => row.map(() => 0));
  const rowsOf = (blocks: Matrix[]): Matrix => blocks[0].map((_, i) => blocks.flatMap((block) => block[i]));
  return {
    phi: powers.slice(1).flat(),
    gamma: steps.flatMap((k) => rowsOf(steps.map((j) => (j <= k ? times(powers[k - j], b) : zero)))),
  };
}

function program(model: Model, x0: number[]): Program {
  const { horizon, q, r, final, input, state } = model;
  const { phi, gamma } = prediction(model);
  const steps = Array.from({ length: horizon }, (_, k) => k);
  const blocks = (of: (k: number) => Matrix): Matrix =>
    steps.flatMap((k) => of(k).map((row) => steps.flatMap((j) => (j === k ? row : row.map(() => 0)))));
  const weights = times(
    transposed(gamma),
    blocks((k) => (k === horizon - 1 ? final : q)),
  );
  const free = apply(phi, x0);
  const inputs = blocks(() => identity(r.length));
  const side = (which: "lower" | "upper"): number[] => [
    ...steps.flatMap(() => input[which]),
    ...steps.flatMap(() => state[which]),
  ];
  return {
    p: plus(times(weights, gamma), blocks(() => r)).map((row) => row.map((v) => 2 * v)),
    q: apply(weights, free).map((v) => 2 * v),
    a: [...inputs, ...gamma],
    lower: side("lower"),
    upper: side("upper"),
  };
}

function plan(model: Model, x0: number[]): number[][] | null {
  const m = model.r.length;
  const { status, x } = control.solveQp(program(model, x0));
  if (status !== "solved") return null;
  return Array.from({ length: model.horizon }, (_, k) => Array.from(x.subarray(k * m, (k + 1) * m)));
}
