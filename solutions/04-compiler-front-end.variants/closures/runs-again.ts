// expect: correct
// why: a table of rules, and a list of steps from the end
const RULES: Record<string, (a: number, b: number) => [number, (d: number) => number[]]> = {
  "+": (a, b) => [a + b, (d) => [d, d]],
  "-": (a, b) => [a - b, (d) => [d, -d]],
  "*": (a, b) => [a * b, (d) => [d * b, d * a]],
  "/": (a, b) => [a / b, (d) => [d / b, -(d / b) * (a / b)]],
  sin: (a) => [Math.sin(a), (d) => [d * Math.cos(a)]],
  exp: (a) => [Math.exp(a), (d) => [d * Math.exp(a)]],
  log: (a) => [Math.log(a), (d) => [d / a]],
  relu: (a) => [a > 0 ? a : 0, (d) => [a > 0 ? d : 0]],
};

function fprop(program: Func[], name: string, args: number[]): [result: number, bprop: (dout: number) => number[]] {
  const { params, code, result } = program.filter((f) => f.name === name)[0];
  const env: Record<string, number> = {};
  params.forEach((p, i) => (env[p] = args[i]));
  const value = (x: Operand) => (typeof x === "number" ? x : env[x]);
  // each step: from what has arrived to what arrives before it
  let back = (arrived: Record<string, number>) => arrived;
  for (const { to, op, args: all } of code) {
    const called = op === "call" ? all[0] : op === "if" ? (value(all[0]) > 0 ? all[1] : all[2]) : null;
    const operands = op === "call" ? all.slice(1) : op === "if" ? all.slice(3) : all;
    const given = operands.map(value);
    const [y, bprop] = called === null ? RULES[op](given[0], given[1]) : fprop(program, String(called).replace("@", ""), given);
    env[to] = y;
    const before = back;
    back = (arrived) => {
      if (!(to in arrived)) return before(arrived);
      const next = { ...arrived };
      bprop(arrived[to]).forEach((d, i) => {
        const name = operands[i];
        if (typeof name === "string") next[name] = (next[name] ?? 0) + d;
      });
      return before(next);
    };
  }
  const go = back;
  return [
    value(result),
    (dout) => {
      const arrived = go(typeof result === "string" ? { [result]: dout } : {});
      return params.map((p) => arrived[p] ?? 0);
    },
  ];
}
