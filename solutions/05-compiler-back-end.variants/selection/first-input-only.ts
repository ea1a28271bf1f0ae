// expect: wrong 5/8
// fails: trees, and several of them | two hundred nodes
// why: forgets further inputs in its sums
interface Selected {
  /** Positions in the list of kernels, by node. */
  choice: Record<string, number>;
  cost: number;
}

/** Steps from one format to another. */
function conversions(from: Format, to: Format): string[] {
  const cast = from.dtype === to.dtype ? [] : ["cast"];
  const copy = from.device === to.device ? [] : ["copy"];
  const layout = from.layout === to.layout ? [] : ["layout"];
  return BITS[to.dtype] < BITS[from.dtype] ? [...cast, ...copy, ...layout] : [...copy, ...cast, ...layout];
}

/** The kernels with which everything together costs least. @throws Error naming an op without a kernel */
function select(nodes: NetNode[], kernels: Kernel[], convert: (from: Format, to: Format, bytes: number) => number): Selected {
  /** Per node: for each kernel that can do it, the least cost of its part of the tree. */
  const tables = new Map<string, Map<number, number>>();
  const byName = new Map(nodes.map((node) => [node.name, node]));
  const bestFor = (input: string, k: number): [cost: number, kernel: number] => {
    let best: [number, number] = [Number.POSITIVE_INFINITY, -1];
    for (const [j, cost] of tables.get(input)!) {
      const whole = cost + convert(kernels[j], kernels[k], byName.get(input)!.bytes);
      if (whole < best[0]) best = [whole, j];
    }
    return best;
  };
  for (const { name, op, inputs } of nodes) {
    const table = new Map<number, number>();
    kernels.forEach((kernel, k) => {
      if (kernel.op === op) table.set(k, inputs.slice(0, 1).reduce((sum, input) => sum + bestFor(input, k)[0], kernel.cost));
    });
    if (table.size === 0) throw new Error(`no kernel does ${op} (${name})`);
    tables.set(name, table);
  }
  const choice: Record<string, number> = {};
  let cost = 0;
  for (const { name, inputs } of [...nodes].reverse()) {
    if (!(name in choice)) {
      const [k, least] = [...tables.get(name)!].reduce((a, b) => (b[1] < a[1] ? b : a));
      choice[name] = k;
      cost += least;
    }
    for (const input of inputs) choice[input] = bestFor(input, choice[name])[1];
  }
  return { choice, cost };
}
