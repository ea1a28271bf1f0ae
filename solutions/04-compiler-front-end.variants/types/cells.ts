// expect: correct
// why: variables are cells that are linked; levels instead of a look at the environment
type Cell = { tag: "cell"; id: number; level: number; link: T | null };
type T = Cell | { tag: "con"; name: string; of: T[] };

function unify(a: Type, b: Type): Record<string, Type> {
  let table: [string, Type][] = [];
  const put = (t: Type, name: string, by: Type): Type => (t.kind === "var" ? (t.name === name ? by : t) : { kind: "con", name: t.name, of: t.of.map((p) => put(p, name, by)) });
  const todo: [Type, Type][] = [[a, b]];
  while (todo.length > 0) {
    let [x, y] = todo.pop()!;
    if (x.kind !== "var" && y.kind === "var") [x, y] = [y, x];
    if (x.kind === "var") {
      if (y.kind === "var" && y.name === x.name) continue;
      const name = x.name;
      if (JSON.stringify(put(y, name, { kind: "con", name: "!self!", of: [] })).includes("!self!")) throw new Error("infinite type");
      const by = y;
      table = [...table.map(([n, t]): [string, Type] => [n, put(t, name, by)]), [name, by]];
      for (const pair of todo) {
        pair[0] = put(pair[0], name, by);
        pair[1] = put(pair[1], name, by);
      }
      continue;
    }
    if (y.kind === "var") continue;
    if (x.name !== y.name) throw new Error("type mismatch");
    for (let i = x.of.length - 1; i >= 0; i--) todo.push([x.of[i], y.of[i]]);
  }
  return Object.fromEntries(table);
}

function infer(e: Lambda): string {
  let ids = 0;
  let level = 0;
  const cell = (): Cell => ({ tag: "cell", id: ids++, level, link: null });
  const con = (name: string, ...of: T[]): T => ({ tag: "con", name, of });
  const prune = (t: T): T => (t.tag === "cell" && t.link ? prune(t.link) : t);
  const adjust = (t0: T, c: Cell): void => {
    const t = prune(t0);
    if (t === c) throw new Error("infinite type");
    if (t.tag === "cell") t.level = Math.min(t.level, c.level);
    else for (const p of t.of) adjust(p, c);
  };
  const same = (x0: T, y0: T): void => {
    const x = prune(x0);
    const y = prune(y0);
    if (x === y) return;
    if (x.tag === "cell") {
      adjust(y, x);
      x.link = y;
    } else if (y.tag === "cell") same(y, x);
    else if (x.name !== y.name) throw new Error("mismatch of " + x.name + " and " + y.name);
    else x.of.forEach((p, i) => same(p, y.of[i]));
  };
  const instance = (t0: T, table = new Map<Cell, T>()): T => {
    const t = prune(t0);
    if (t.tag === "con") return con(t.name, ...t.of.map((p) => instance(p, table)));
    if (t.level <= level) return t;
    if (!table.has(t)) table.set(t, cell());
    return table.get(t)!;
  };
  const [I, B] = [con("int"), con("bool")];
  const to = (x: T, y: T) => con("->", x, y);
  const type = (e: Lambda, env: Map<string, T>): T => {
    if (e.kind === "int") return I;
    if (e.kind === "bool") return B;
    if (e.kind === "name") {
      const found = env.get(e.name);
      if (found === undefined) throw new Error("unbound name " + e.name);
      return instance(found);
    }
    if (e.kind === "fn") {
      const p = cell();
      return to(p, type(e.body, new Map([...env, [e.param, p]])));
    }
    if (e.kind === "apply") {
      const f = type(e.f, env);
      const x = type(e.arg, env);
      const r = cell();
      same(f, to(x, r));
      return r;
    }
    if (e.kind === "if") {
      same(type(e.test, env), B);
      const t = type(e.then, env);
      same(type(e.else, env), t);
      return t;
    }
    level++;
    const value = type(e.value, env);
    level--;
    return type(e.body, new Map([...env, [e.name, value]]));
  };
  const found = type(e, new Map<string, T>([["+", to(I, to(I, I))], ["<", to(I, to(I, B))], ["not", to(B, B)]]));
  const letters = new Map<number, string>();
  const text = (t0: T): string => {
    const t = prune(t0);
    if (t.tag === "cell") {
      if (!letters.has(t.id)) letters.set(t.id, String.fromCharCode(97 + letters.size));
      return letters.get(t.id)!;
    }
    if (t.name !== "->") return t.name;
    const left = prune(t.of[0]);
    const shown = text(left);
    return (left.tag === "con" && left.name === "->" ? "(" + shown + ")" : shown) + " -> " + text(t.of[1]);
  };
  return text(found);
}
