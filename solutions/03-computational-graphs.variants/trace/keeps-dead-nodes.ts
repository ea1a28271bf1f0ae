// expect: wrong 5/6
// fails: what the output does not need is left out, inputs stay
// why: records everything and leaves it all in
// cell: trace-answer
/** Records one run of `f` on `arity` tracers as a graph. */
function capture(f: (...inputs: Tracer[]) => Tracer, arity: number): Captured {
  const nodes: GraphNode[] = [];
  class Recorded implements Tracer {
    constructor(readonly at: number) {}
    add(other: Tracer | number): Tracer {
      return record("add", [this.at, position(other)]);
    }
    mul(other: Tracer | number): Tracer {
      return record("mul", [this.at, position(other)]);
    }
    relu(): Tracer {
      return record("relu", [this.at]);
    }
  }
  const record = (op: GraphNode["op"], inputs: number[], value?: number): Recorded => {
    nodes.push(value === undefined ? { op, inputs } : { op, inputs, value });
    return new Recorded(nodes.length - 1);
  };
  const position = (x: Tracer | number): number => (typeof x === "number" ? record("constant", [], x).at : (x as Recorded).at);

  const inputs = Array.from({ length: arity }, () => record("input", []));
  const output = (f(...inputs) as Recorded).at;
  const needed = new Set([...inputs.map((input) => input.at), output]);
  for (let at = nodes.length - 1; at >= 0; at--) if (needed.has(at)) for (const input of nodes[at].inputs) needed.add(input);
  const kept = nodes.map((_, at) => at).filter((at) => needed.has(at) || at >= 0);
  const renumbered = new Map(kept.map((at, i) => [at, i]));
  return {
    nodes: kept.map((at) => ({ ...nodes[at], inputs: nodes[at].inputs.map((input) => renumbered.get(input)!) })),
    output: renumbered.get(output)!,
  };
}

/** Evaluates a captured graph. */
function run(graph: Captured, args: readonly number[]): number {
  const values: number[] = [];
  graph.nodes.forEach(({ op, inputs, value }, at) => {
    const [a, b] = inputs.map((input) => values[input]);
    if (op === "input") values.push(args[at]);
    else if (op === "constant") values.push(value!);
    else if (op === "add") values.push(a + b);
    else if (op === "mul") values.push(a * b);
    else values.push(Math.max(0, a));
  });
  return values[graph.output];
}
// cell: table-answer
/** `printedTable` with the right label in its last row. */
function correctedTable(): [string, boolean, boolean][] {
  const rows = printedTable.map((row): [string, boolean, boolean] => [...row]);
  rows[rows.length - 1][0] = candidateLabels[0];
  return rows;
}
