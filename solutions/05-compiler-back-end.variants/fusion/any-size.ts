// expect: wrong 6/8
// fails: random programs | results and other sizes are borders
// why: joins ops of different sizes
/** Groups of elementwise ops that become one kernel each. */
function fuse(p: Program): string[][] {
  const taken = new Set<string>();
  const groups: string[][] = [];
  const readers = (name: string) => p.ops.filter(({ inputs }) => inputs.includes(name));
  for (const root of [...p.ops].reverse()) {
    if (root.kind !== "elementwise" || taken.has(root.name)) continue;
    const group = new Set([root.name]);
    // An op's readers stand behind it: one walk back sees all of them decided.
    for (const { name, kind } of p.ops.slice(0, p.ops.indexOf(root)).reverse()) {
      if (kind !== "elementwise" || taken.has(name) || p.results.includes(name)) continue;
      const by = readers(name);
      if (by.length > 0 && by.every((reader) => group.has(reader.name))) group.add(name);
    }
    for (const name of group) taken.add(name);
    if (group.size > 1) groups.unshift(p.ops.map(({ name }) => name).filter((name) => group.has(name)));
  }
  return groups;
}

/** Bytes that all kernels read and write. */
function traffic(p: Program, groups: string[][]): number {
  const grouped = new Set(groups.flat());
  const singles = p.ops.filter(({ name, kind }) => kind !== "view" && !grouped.has(name)).map(({ name }) => [name]);
  const sum = (names: string[]) => names.reduce((total, name) => total + p.bytes[name], 0);
  return [...groups, ...singles].reduce((total, names) => {
    const inside = new Set(names);
    const read = new Set(p.ops.filter(({ name }) => inside.has(name)).flatMap(({ inputs }) => inputs.filter((x) => !inside.has(x))));
    const written = names.filter((name) => {
      const readers = p.ops.filter(({ inputs }) => inputs.includes(name));
      return p.results.includes(name) || readers.length === 0 || readers.some((reader) => !inside.has(reader.name));
    });
    return total + sum([...read]) + sum(written);
  }, 0);
}
