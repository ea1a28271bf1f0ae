// expect: correct
// why: a number of a group for each op, until nothing changes
function fuse(p: Program): string[][] {
  const count = p.ops.length;
  const indexOf: Record<string, number> = {};
  p.ops.forEach((o, i) => {
    indexOf[o.name] = i;
  });
  const readers: number[][] = p.ops.map(() => []);
  p.ops.forEach((o, i) => {
    for (const x of o.inputs) if (x in indexOf && !readers[indexOf[x]].includes(i)) readers[indexOf[x]].push(i);
  });
  const group: number[] = p.ops.map((_, i) => i);
  const mayJoin = (i: number): boolean => p.ops[i].kind === "elementwise" && !p.results.includes(p.ops[i].name) && readers[i].length > 0;
  for (let i = count - 1; i >= 0; i--) {
    if (!mayJoin(i)) continue;
    const roots = new Set(readers[i].map((k) => group[k]));
    const [root] = roots;
    if (roots.size === 1 && p.ops[root].kind === "elementwise" && p.bytes[p.ops[root].name] === p.bytes[p.ops[i].name]) group[i] = root;
  }
  const found: string[][] = [];
  for (let root = 0; root < count; root++) {
    const members = p.ops.filter((_, i) => group[i] === root).map((o) => o.name);
    if (members.length >= 2) found.push(members);
  }
  return found;
}

function traffic(p: Program, groups: string[][]): number {
  const kernel = new Map<string, string>();
  for (const o of p.ops) kernel.set(o.name, o.kind === "view" ? `view ${o.name}` : o.name);
  for (const names of groups) for (const name of names) kernel.set(name, `group ${names.join()}`);
  const reads = new Set<string>();
  const writes = new Set<string>(p.results.filter((name) => kernel.has(name)));
  const used = new Set<string>();
  for (const o of p.ops)
    for (const x of o.inputs) {
      used.add(x);
      if (kernel.get(x) === kernel.get(o.name)) continue;
      if (o.kind !== "view") reads.add(`${kernel.get(o.name)}|${x}`);
      writes.add(x);
    }
  for (const o of p.ops) if (!used.has(o.name)) writes.add(o.name);
  let total = 0;
  for (const entry of reads) total += p.bytes[entry.split("|")[1]];
  for (const o of p.ops) if (o.kind !== "view" && writes.has(o.name)) total += p.bytes[o.name];
  return total;
}
