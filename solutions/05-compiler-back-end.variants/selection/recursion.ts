// expect: correct
// why: from the roots, remembered per node and kernel
interface Selected {
  choice: Record<string, number>;
  cost: number;
}

function conversions(from: Format, to: Format): string[] {
  const steps: string[] = [];
  const narrower = BITS[to.dtype] < BITS[from.dtype];
  if (from.device !== to.device) steps.push("copy");
  if (from.dtype !== to.dtype) {
    if (narrower) steps.unshift("cast");
    else steps.push("cast");
  }
  if (from.layout !== to.layout) steps.push("layout");
  return steps;
}

function select(nodes: NetNode[], kernels: Kernel[], convert: (from: Format, to: Format, bytes: number) => number): Selected {
  const find = (name: string): NetNode => nodes.find((n) => n.name === name)!;
  const able = (n: NetNode): number[] => {
    const list = kernels.flatMap((k, i) => (k.op === n.op ? [i] : []));
    if (list.length === 0) throw new Error("nobody does " + n.op);
    return list;
  };
  const memo = new Map<string, { cost: number; picks: number[] }>();
  const below = (n: NetNode, k: number): { cost: number; picks: number[] } => {
    const key = n.name + " " + k;
    const known = memo.get(key);
    if (known) return known;
    let cost = kernels[k].cost;
    const picks: number[] = [];
    for (const name of n.inputs) {
      const input = find(name);
      const options = able(input).map((j) => ({ j, cost: below(input, j).cost + convert(kernels[j], kernels[k], input.bytes) }));
      const least = options.reduce((a, b) => (a.cost <= b.cost ? a : b));
      cost += least.cost;
      picks.push(least.j);
    }
    const made = { cost, picks };
    memo.set(key, made);
    return made;
  };
  const read = new Set(nodes.flatMap((n) => n.inputs));
  const choice: Record<string, number> = {};
  const fix = (n: NetNode, k: number): void => {
    choice[n.name] = k;
    below(n, k).picks.forEach((j, i) => fix(find(n.inputs[i]), j));
  };
  let total = 0;
  for (const n of nodes) {
    able(n);
    if (read.has(n.name)) continue;
    const k = able(n).reduce((a, b) => (below(n, b).cost < below(n, a).cost ? b : a));
    total += below(n, k).cost;
    fix(n, k);
  }
  return { choice, cost: total };
}
