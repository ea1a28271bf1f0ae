// expect: wrong 4/10
// fails: a layer | broadcasting, with unknown sizes | unknown sizes spread from round to round | errors inside a loop
// why: broadcasts from the first axis
/** Shapes of all names at the top level. @throws Error naming op, result and shapes */
function inferShapes(program: Step[], shapes: Record<string, Shape>): Record<string, Shape> {
  const text = (s: Shape): string => (s.length === 1 ? `(${s[0]},)` : `(${s.join(", ")})`);
  const agree = (a: Size, b: Size): boolean => a === b || a === "?" || b === "?";
  const known = (a: Size, b: Size): Size => (a === "?" ? b : a);
  const run = (steps: Step[], around: Record<string, Shape>): Record<string, Shape> => {
    const env = { ...around };
    for (const step of steps) {
      if (step.op === "loop") {
        let state = Object.fromEntries(Object.entries(step.state).map(([name, from]) => [name, env[from]]));
        for (let changed = true; changed; ) {
          changed = false;
          const inside = run(step.body, { ...env, ...state });
          for (const [name, shape] of Object.entries(state)) {
            const after = inside[step.next[name]];
            if (after.length !== shape.length)
              throw new Error(`loop: ${name} is ${text(shape)} before a round and ${text(after)} after it`);
            const both = shape.map((size, i) => (size === after[i] ? size : "?"));
            if (both.some((size, i) => size !== shape[i])) changed = true;
            state = { ...state, [name]: both };
          }
        }
        Object.assign(env, state);
        continue;
      }
      const [a, b] = step.args.map((name) => env[name]);
      const fail = (): never => {
        throw new Error(`${step.op} (${step.to}): ${[a, b].filter(Boolean).map(text).join(" and ")} do not fit`);
      };
      switch (step.op) {
        case "matmul":
          if (a.length !== 2 || b.length !== 2 || !agree(a[1], b[0])) fail();
          env[step.to] = [a[0], b[1]];
          break;
        case "add": {
          const rank = Math.max(a.length, b.length);
          env[step.to] = Array.from({ length: rank }, (_, i): Size => {
            const [p, q] = [a, b].map((s) => s[i] ?? 1);
            if (p === 1) return q;
            if (q === 1) return p;
            return agree(p, q) ? known(p, q) : fail();
          });
          break;
        }
        case "transpose":
          env[step.to] = a.toReversed();
          break;
        case "concat":
          if (a.length !== b.length || a.length === 0 || !a.every((size, i) => i === 0 || agree(size, b[i]))) fail();
          env[step.to] = a.map((size, i) => {
            if (i > 0) return known(size, b[i]);
            return size === "?" || b[0] === "?" ? "?" : size + b[0];
          });
          break;
      }
    }
    return env;
  };
  return run(program, shapes);
}
