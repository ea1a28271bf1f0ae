// expect: wrong 2/8
// fails: a branch that is decided | the other side, and equal constants that meet | a constant that goes round in a loop | one thing waits for another: branch, block, phi, branch | random programs: what is called constant is constant in every run
// why: a phi with an operand that is not known yet varies
interface Constants {
  values: Record<string, number | "varies">;
  reachable: string[];
}

/** Constants and reachable blocks of a program; control starts in the first block. */
function propagate(blocks: Block[], params: string[]): Constants {
  const values = new Map<string, number | "varies">(params.map((name) => [name, "varies"]));
  const edges = new Set<string>();
  const reachable = new Set([blocks[0].name]);
  let changed = true;
  const set = (name: string, value: number | "varies" | undefined): void => {
    const before = values.get(name);
    if (value === undefined || before === "varies" || Object.is(before, value)) return;
    values.set(name, before === undefined ? value : "varies");
    changed = true;
  };
  const get = (x: Operand) => (typeof x === "number" ? x : values.get(x));
  const go = (from: string, to: string): void => {
    if (edges.has(`${from} ${to}`)) return;
    edges.add(`${from} ${to}`);
    reachable.add(to);
    changed = true;
  };
  while (changed) {
    changed = false;
    for (const { name, phis, code, end } of blocks) {
      if (!reachable.has(name)) continue;
      for (const { to, from } of phis)
        for (const operand of Object.values(from)) set(to, get(operand) ?? "varies");
      for (const { to, op, args } of code) {
        const given = args.map(get);
        if (op === "input" || given.includes("varies")) set(to, "varies");
        else if (!given.includes(undefined)) {
          const [a, b] = given as number[];
          set(to, op === "<" ? Number(a < b) : ARITHMETIC[op](a, b));
        }
      }
      if (end.kind === "jump") go(name, end.to);
      if (end.kind === "branch") {
        const test = get(end.test);
        if (test === "varies" || (test !== undefined && test !== 0)) go(name, end.yes);
        if (test === "varies" || test === 0) go(name, end.no);
      }
    }
  }
  const written = blocks.filter(({ name }) => reachable.has(name));
  const defined = written.flatMap(({ phis, code }) => [...phis, ...code].map(({ to }) => to));
  return {
    values: Object.fromEntries(defined.map((name) => [name, values.get(name)!])),
    reachable: written.map(({ name }) => name),
  };
}
