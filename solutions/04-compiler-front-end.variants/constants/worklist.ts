// expect: correct
// why: a work list of edges and a table of uses
interface Constants {
  values: Record<string, number | "varies">;
  reachable: string[];
}

type Cell = { kind: "top" } | { kind: "const"; value: number } | { kind: "bottom" };

function propagate(blocks: Block[], params: string[]): Constants {
  const byName = Object.fromEntries(blocks.map((b) => [b.name, b]));
  const cells: Record<string, Cell> = {};
  for (const p of params) cells[p] = { kind: "bottom" };
  const cell = (x: Operand): Cell => (typeof x === "number" ? { kind: "const", value: x } : (cells[x] ?? { kind: "top" }));
  const meet = (a: Cell, b: Cell): Cell => {
    if (a.kind === "top") return b;
    if (b.kind === "top") return a;
    if (a.kind === "const" && b.kind === "const" && Object.is(a.value, b.value)) return a;
    return { kind: "bottom" };
  };
  const taken: Record<string, Set<string>> = { [blocks[0].name]: new Set() };
  const work: string[] = [blocks[0].name];
  const lower = (name: string, to: Cell): boolean => {
    const before = cell(name);
    const now = meet(before, to);
    if (now.kind === before.kind && (now.kind !== "const" || (before.kind === "const" && Object.is(now.value, before.value)))) return false;
    cells[name] = now;
    return true;
  };
  while (work.length > 0) {
    const b = byName[work.shift()!];
    let moved = false;
    for (const { to, from } of b.phis) for (const pred of taken[b.name]) if (pred in from) moved = lower(to, cell(from[pred])) || moved;
    for (const { to, op, args } of b.code) {
      const given = args.map(cell);
      let value: Cell = { kind: "top" };
      if (op === "input" || given.some((c) => c.kind === "bottom")) value = { kind: "bottom" };
      else if (given.every((c) => c.kind === "const")) {
        const [x, y] = given.map((c) => c.value);
        value = { kind: "const", value: op === "<" ? (x < y ? 1 : 0) : op === "+" ? x + y : op === "-" ? x - y : op === "*" ? x * y : x / y };
      }
      moved = lower(to, value) || moved;
    }
    const targets: string[] = [];
    if (b.end.kind === "jump") targets.push(b.end.to);
    if (b.end.kind === "branch") {
      const test = cell(b.end.test);
      if (test.kind === "bottom" || (test.kind === "const" && test.value !== 0)) targets.push(b.end.yes);
      if (test.kind === "bottom" || (test.kind === "const" && test.value === 0)) targets.push(b.end.no);
    }
    for (const t of targets) {
      taken[t] ??= new Set();
      if (taken[t].has(b.name)) continue;
      taken[t].add(b.name);
      work.push(t);
    }
    if (moved) work.push(...Object.keys(taken));
  }
  const kept = blocks.filter((b) => b.name in taken);
  const values: Record<string, number | "varies"> = {};
  for (const b of kept)
    for (const { to } of [...b.phis, ...b.code]) {
      const c = cell(to);
      values[to] = c.kind === "const" ? c.value : "varies";
    }
  return { values, reachable: kept.map((b) => b.name) };
}
