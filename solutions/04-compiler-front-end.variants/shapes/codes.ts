// expect: correct
// why: unknown as -1 inside, a worklist of one
function inferShapes(program: Step[], shapes: Record<string, Shape>): Record<string, Shape> {
  type Code = number[];
  const encode = (s: Shape): Code => s.map((x) => (x === "?" ? -1 : x));
  const decode = (s: Code): Shape => s.map((x) => (x < 0 ? "?" : x));
  const show = (s: Code) => "(" + decode(s).join(", ") + (s.length === 1 ? ",)" : ")");
  function simulate(steps: Step[], scope: Map<string, Code>): Map<string, Code> {
    const env = new Map(scope);
    const get = (name: string) => env.get(name)!;
    for (const step of steps) {
      if (step.op === "loop") {
        const names = Object.keys(step.state);
        let now = names.map((name) => get(step.state[name]));
        for (;;) {
          const inner = simulate(step.body, new Map([...env, ...names.map((name, i): [string, Code] => [name, now[i]])]));
          const later = names.map((name) => inner.get(step.next[name])!);
          const joined = now.map((shape, i) => {
            const other = later[i];
            if (other.length !== shape.length) throw new Error("loop: state " + names[i] + " " + show(shape) + " becomes " + show(other));
            return shape.map((x, k) => (x === other[k] ? x : -1));
          });
          const stable = JSON.stringify(joined) === JSON.stringify(now);
          now = joined;
          if (stable) break;
        }
        names.forEach((name, i) => env.set(name, now[i]));
        continue;
      }
      const given = step.args.map(get);
      const a = given[0];
      const b = given[1] ?? [];
      const no = () => new Error(step.op + " of " + step.to + ": " + given.map(show).join(", "));
      const one = (x: number, y: number): number => {
        if (x >= 0 && y >= 0 && x !== y) throw no();
        return Math.max(x, y);
      };
      let out: Code;
      if (step.op === "transpose") out = a.slice().reverse();
      else if (step.op === "matmul") {
        if (a.length !== 2 || b.length !== 2) throw no();
        one(a[1], b[0]);
        out = [a[0], b[1]];
      } else if (step.op === "concat") {
        if (a.length === 0 || a.length !== b.length) throw no();
        out = a.map((x, i) => (i > 0 ? one(x, b[i]) : x < 0 || b[0] < 0 ? -1 : x + b[0]));
      } else {
        const wide = Math.max(a.length, b.length);
        const pad = (s: Code) => [...new Array<number>(wide - s.length).fill(1), ...s];
        const [p, q] = [pad(a), pad(b)];
        out = p.map((x, i) => (x === 1 ? q[i] : q[i] === 1 ? x : one(x, q[i])));
      }
      env.set(step.to, out);
    }
    return env;
  }
  const done = simulate(program, new Map(Object.entries(shapes).map(([name, s]) => [name, encode(s)])));
  return Object.fromEntries([...done].map(([name, s]) => [name, decode(s)]));
}
