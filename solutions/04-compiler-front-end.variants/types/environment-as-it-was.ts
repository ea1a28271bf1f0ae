// expect: wrong 8/9
// fails: what let must not generalize
// why: looks at the environment's types without the substitution
/** Makes two types equal. @throws Error "mismatch" or "infinite" */
function unify(a: Type, b: Type): Record<string, Type> {
  const table: Record<string, Type> = {};
  const seen = (t: Type): Type => {
    if (t.kind === "var") return t.name in table ? seen(table[t.name]) : t;
    return { ...t, of: t.of.map(seen) };
  };
  const holds = (t: Type, name: string): boolean => (t.kind === "var" ? t.name === name : t.of.some((part) => holds(part, name)));
  const solve = (left: Type, right: Type): void => {
    const [x, y] = [seen(left), seen(right)];
    if (x.kind === "var" && y.kind === "var" && x.name === y.name) return;
    if (x.kind === "var") {
      if (holds(y, x.name)) throw new Error(`infinite: ${x.name} would contain itself`);
      table[x.name] = y;
    } else if (y.kind === "var") solve(y, x);
    else if (x.name !== y.name || x.of.length !== y.of.length) throw new Error(`mismatch: ${x.name} and ${y.name}`);
    else x.of.forEach((part, i) => solve(part, y.of[i]));
  };
  solve(a, b);
  return Object.fromEntries(Object.keys(table).map((name) => [name, seen(table[name])]));
}

/** The most general type of a closed expression. @throws Error "mismatch", "infinite" or "unbound" */
function infer(e: Lambda): string {
  let table: Record<string, Type> = {};
  let count = 0;
  const fresh = (): Type => ({ kind: "var", name: `t${count++}` });
  const seen = (t: Type, through = table): Type => {
    if (t.kind === "var") return t.name in through ? seen(through[t.name], through) : t;
    return { ...t, of: t.of.map((part) => seen(part, through)) };
  };
  const equal = (x: Type, y: Type): void => {
    table = { ...table, ...unify(seen(x), seen(y)) };
  };
  const variables = (t: Type): string[] => (t.kind === "var" ? [t.name] : t.of.flatMap(variables));
  type Scheme = { any: string[]; type: Type };
  type Env = Record<string, Scheme>;
  const type = (e: Lambda, env: Env): Type => {
    switch (e.kind) {
      case "int":
        return INT;
      case "bool":
        return BOOL;
      case "name": {
        if (!Object.hasOwn(env, e.name)) throw new Error(`unbound: ${e.name}`);
        const { any, type } = env[e.name];
        return seen(seen(type), Object.fromEntries(any.map((name) => [name, fresh()])));
      }
      case "fn": {
        const parameter = fresh();
        return arrow(parameter, type(e.body, { ...env, [e.param]: { any: [], type: parameter } }));
      }
      case "apply": {
        const f = type(e.f, env);
        const argument = type(e.arg, env);
        const result = fresh();
        equal(f, arrow(argument, result));
        return result;
      }
      case "if": {
        equal(type(e.test, env), BOOL);
        const then = type(e.then, env);
        equal(then, type(e.else, env));
        return then;
      }
      case "let": {
        const value = seen(type(e.value, env));
        const fixed = Object.values(env).flatMap((s) => variables(s.type).filter((name) => !s.any.includes(name)));
        const any = variables(value).filter((name) => !fixed.includes(name));
        return type(e.body, { ...env, [e.name]: { any, type: value } });
      }
    }
  };
  const known = (t: Type): Scheme => ({ any: [], type: t });
  const start: Env = {
    "+": known(arrow(INT, arrow(INT, INT))),
    "<": known(arrow(INT, arrow(INT, BOOL))),
    not: known(arrow(BOOL, BOOL)),
  };
  const found = seen(type(e, start));
  const names: string[] = [];
  const show = (t: Type, inside: boolean): string => {
    if (t.kind === "var") {
      if (!names.includes(t.name)) names.push(t.name);
      return "abcdefghijklmnopqrstuvwxyz"[names.indexOf(t.name)];
    }
    if (t.name !== "->") return t.name;
    const text = `${show(t.of[0], true)} -> ${show(t.of[1], false)}`;
    return inside ? `(${text})` : text;
  };
  return show(found, false);
}
