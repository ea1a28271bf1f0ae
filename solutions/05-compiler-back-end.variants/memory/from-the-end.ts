// expect: correct
// why: walks back once and notes what is needed from there on
interface Lifetime {
  first: number;
  last: number;
}

function owner(p: Program, name: string): string {
  const maker = p.ops.find((o) => o.name === name);
  return maker !== undefined && maker.kind === "view" ? owner(p, maker.inputs[0]) : name;
}

function lifetimes(p: Program): Record<string, Lifetime> {
  const needed = new Map<string, number>();
  for (const result of p.results) needed.set(owner(p, result), p.ops.length);
  const lives: Record<string, Lifetime> = {};
  for (let i = p.ops.length - 1; i >= 0; i--) {
    const o = p.ops[i];
    for (const input of o.inputs) {
      const from = owner(p, input);
      if (!needed.has(from)) needed.set(from, i);
    }
    if (o.kind !== "view") lives[o.name] = { first: i, last: Math.max(i, needed.get(o.name) ?? i) };
  }
  return lives;
}

function peakBytes(p: Program): number {
  const change = new Array<number>(p.ops.length + 2).fill(0);
  for (const [name, life] of Object.entries(lifetimes(p))) {
    change[life.first] += p.bytes[name];
    change[life.last + 1] -= p.bytes[name];
  }
  let [now, most] = [0, 0];
  for (const by of change) {
    now += by;
    most = Math.max(most, now);
  }
  return most;
}

function inPlace(p: Program): Record<string, string> {
  const lives = lifetimes(p);
  const result: Record<string, string> = {};
  for (const [i, o] of p.ops.entries()) {
    if (o.kind !== "elementwise") continue;
    for (const input of o.inputs) {
      const aliases = new Set(o.inputs.filter((x) => owner(p, x) === input));
      const own = owner(p, input) === input && !p.params.includes(input);
      if (!own || lives[input].last > i || aliases.size > 1 || p.bytes[input] !== p.bytes[o.name]) continue;
      result[o.name] = input;
      break;
    }
  }
  return result;
}
