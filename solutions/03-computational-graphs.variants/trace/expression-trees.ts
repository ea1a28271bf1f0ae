// expect: correct
// why: tracers are linked nodes; the graph is read off backward from the output by creation time
// cell: trace-answer
interface Linked extends Tracer {
  born: number;
  op: GraphNode["op"];
  from: Linked[];
  value?: number;
}

function capture(f: (...inputs: Tracer[]) => Tracer, arity: number): Captured {
  let clock = 0;
  const make = (op: GraphNode["op"], from: Linked[], value?: number): Linked => {
    const lift = (x: Tracer | number): Linked => (typeof x === "number" ? make("constant", [], x) : (x as Linked));
    const self: Linked = {
      born: clock++,
      op,
      from,
      value,
      add: (other) => make("add", [self, lift(other)]),
      mul: (other) => make("mul", [self, lift(other)]),
      relu: () => make("relu", [self]),
    };
    return self;
  };
  const inputs = Array.from({ length: arity }, () => make("input", []));
  const output = f(...inputs) as Linked;
  const used = new Set<Linked>(inputs);
  const collect = (node: Linked): void => {
    used.add(node);
    for (const operand of node.from) if (!used.has(operand)) collect(operand);
  };
  collect(output);
  const sorted = [...used].sort((a, b) => a.born - b.born);
  const nodes = sorted.map(({ op, from, value }): GraphNode => {
    const node: GraphNode = { op, inputs: from.map((operand) => sorted.indexOf(operand)) };
    if (op === "constant") node.value = value;
    return node;
  });
  return { nodes, output: sorted.indexOf(output) };
}

function run(graph: Captured, args: readonly number[]): number {
  const memo = new Map<number, number>();
  const value = (at: number): number => {
    if (memo.has(at)) return memo.get(at)!;
    const node = graph.nodes[at];
    const operands = node.inputs.map(value);
    const result = {
      input: () => args[at],
      constant: () => node.value ?? 0,
      add: () => operands[0] + operands[1],
      mul: () => operands[0] * operands[1],
      relu: () => (operands[0] > 0 ? operands[0] : 0),
    }[node.op]();
    memo.set(at, result);
    return result;
  };
  return value(graph.output);
}
// cell: table-answer
function correctedTable(): [string, boolean, boolean][] {
  const seen = new Set<string>();
  return printedTable.map(([label, fixed, dynamic]) => {
    const right = seen.has(label) ? candidateLabels.find((candidate) => candidate.includes("deployed"))! : label;
    seen.add(label);
    return [right, fixed, dynamic];
  });
}
