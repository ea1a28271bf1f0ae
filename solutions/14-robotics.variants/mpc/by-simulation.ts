// expect: correct
// why: columns of Φ and Γ are what the system does with one number of x₀ or u; sums of steps; the solver for small problems
interface Range {
  lower: number[];
  upper: number[];
}
interface Model {
  a: Matrix;
  b: Matrix;
  q: Matrix;
  r: Matrix;
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

function run({ a, b, horizon }: Model, x0: number[], u: number[]): number[] {
  const m = b[0].length;
  const out: number[] = [];
  let x = x0;
  for (let k = 0; k < horizon; k++) {
    const push = apply(b, u.slice(k * m, k * m + m));
    x = apply(a, x).map((value, i) => value + push[i]);
    out.push(...x);
  }
  return out;
}

function prediction(model: Model): { phi: Matrix; gamma: Matrix } {
  const n = model.a.length;
  const moves = model.horizon * model.b[0].length;
  const nothing = (length: number): number[] => new Array<number>(length).fill(0);
  return {
    phi: transposed(identity(n).map((one) => run(model, one, nothing(moves)))),
    gamma: transposed(identity(moves).map((one) => run(model, nothing(n), one))),
  };
}

function program(model: Model, x0: number[]): Program {
  const { phi, gamma } = prediction(model);
  const [n, m, N] = [model.a.length, model.b[0].length, model.horizon];
  const free = apply(phi, x0);
  const p = Array.from({ length: N * m }, () => new Array<number>(N * m).fill(0));
  const q = new Array<number>(N * m).fill(0);
  for (let k = 0; k < N; k++) {
    const weight = k + 1 < N ? model.q : model.final;
    const part = gamma.slice(k * n, (k + 1) * n);
    const here = times(transposed(part), weight, part);
    const pull = apply(times(transposed(part), weight), free.slice(k * n, (k + 1) * n));
    for (let i = 0; i < N * m; i++) {
      q[i] += 2 * pull[i];
      for (let j = 0; j < N * m; j++) p[i][j] += 2 * here[i][j];
    }
    for (let i = 0; i < m; i++) for (let j = 0; j < m; j++) p[k * m + i][k * m + j] += 2 * model.r[i][j];
  }
  const rows: [row: number[], lower: number, upper: number][] = [];
  for (let i = 0; i < N * n; i++) rows.push([gamma[i], model.state.lower[i % n] - free[i], model.state.upper[i % n] - free[i]]);
  for (const [i, row] of identity(N * m).entries()) rows.push([row, model.input.lower[i % m], model.input.upper[i % m]]);
  return { p, q, a: rows.map(([row]) => row), lower: rows.map(([, bound]) => bound), upper: rows.map(([, , bound]) => bound) };
}

function plan(model: Model, x0: number[]): number[][] | null {
  const found = control.solveQp(program(model, x0), { method: "active-set" });
  if (found.status !== "solved") return null;
  const m = model.b[0].length;
  const inputs: number[][] = [];
  for (let k = 0; k < model.horizon; k++) inputs.push([...found.x.slice(k * m, k * m + m)]);
  return inputs;
}
