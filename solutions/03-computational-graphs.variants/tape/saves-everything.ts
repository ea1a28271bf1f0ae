// expect: wrong 5/7
// fails: an input that is not used, a result that is an input | only what the rules need is kept
// why: keeps inputs of sums too
/** A position on the tape. */
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
  /** Numbers kept for the backward pass. */
  saved: number;
}

/** Runs `f` on a tape at `point`, then backward. */
function gradient(f: (tape: Recorder, ...inputs: Var[]) => Var, point: readonly number[]): Gradient {
  interface Entry {
    readonly inputs: readonly Var[];
    readonly saved: readonly number[];
    readonly backward: (g: number, saved: readonly number[]) => readonly number[];
  }
  const values: number[] = [];
  const entries: Entry[] = [];
  const record = (value: number, inputs: Var[], saved: number[], backward: Entry["backward"]): Var => {
    values.push(value);
    entries.push({ inputs, saved, backward });
    return values.length - 1;
  };
  const tape: Recorder = {
    add: (a, b) => record(values[a] + values[b], [a, b], [values[a], values[b]], (g) => [g, g]),
    sub: (a, b) => record(values[a] - values[b], [a, b], [values[a], values[b]], (g) => [g, -g]),
    mul: (a, b) => record(values[a] * values[b], [a, b], [values[a], values[b]], (g, [x, y]) => [g * y, g * x]),
    sin: (a) => record(Math.sin(values[a]), [a], [values[a]], (g, [x]) => [g * Math.cos(x)]),
    exp: (a) => record(Math.exp(values[a]), [a], [Math.exp(values[a])], (g, [y]) => [g * y]),
    log: (a) => record(Math.log(values[a]), [a], [values[a]], (g, [x]) => [g / x]),
  };
  const inputs = point.map((x) => record(x, [], [x], () => []));
  const result = f(tape, ...inputs);
  const adjoints = new Array<number>(values.length).fill(0);
  adjoints[result] = 1;
  for (let at = result; at >= 0; at--) {
    const entry = entries[at];
    const sent = entry.backward(adjoints[at], entry.saved);
    entry.inputs.forEach((input, i) => {
      adjoints[input] += sent[i];
    });
  }
  const saved = entries.reduce((sum, entry) => sum + entry.saved.length, 0);
  return { value: values[result], gradient: inputs.map((input) => adjoints[input]), saved };
}
