/** Expressions as syntax trees, where a value that is read twice stands twice, and as DAGs, where it is shared. (Book, chapter 4.) */

import type { Graph, Value } from "../graph.js";
import { eliminateCommon } from "../passes/cse.js";
import { literal, plainAttrs, SIGNS } from "./names.js";
import type { Rendering } from "./rendering.js";

interface Entry {
  readonly label: string;
  readonly inputs: readonly Value[];
}

/** What a value is: a name, a number, or an op with its attributes. */
function entryOf(graph: Graph, value: Value): Entry {
  const constant = graph.constants.find((each) => each.value === value);
  if (constant) return { label: literal(constant), inputs: [] };
  const node = graph.producer(value);
  if (!node) return { label: value.name ?? `%${value.id}`, inputs: [] };
  const attrs = plainAttrs(node).map(([key, entry]) => `${key}=${JSON.stringify(entry)}`);
  const output = node.outputs.length > 1 ? `.${node.outputs.indexOf(value)}` : "";
  const name = `${SIGNS[node.op.name] ?? node.op.name}${output}`;
  return { label: attrs.length > 0 ? `${name} [${attrs.join(", ")}]` : name, inputs: node.inputs };
}

/** Larger trees are cut: sharing can make a tree exponentially larger than its DAG. */
const MAX_LINES = 500;

export const ast: Rendering = {
  name: "ast",
  summary: "each result as an expression tree; what is read twice stands twice",
  render: (graph) => {
    const lines: string[] = [];
    const visit = (value: Value, first: string, rest: string): void => {
      if (lines.length >= MAX_LINES) return;
      const { label, inputs } = entryOf(graph, value);
      lines.push(`${first}${label}`);
      inputs.forEach((input, i) => {
        const last = i === inputs.length - 1;
        visit(input, `${rest}${last ? "└─ " : "├─ "}`, `${rest}${last ? "   " : "│  "}`);
      });
    };
    for (const result of graph.results) visit(result, "", "");
    return lines.length >= MAX_LINES
      ? [...lines, `… (more than ${MAX_LINES} nodes)`].join("\n")
      : lines.join("\n");
  },
};

export const dag: Rendering = {
  name: "dag",
  summary: "numbered nodes of the expressions; equal subexpressions are one node",
  render: (graph) => {
    const shared = eliminateCommon(graph);
    const numbers = new Map<Value, number>();
    const leaves = new Map<string, number>();
    const lines: string[] = [];
    const visit = (value: Value): number => {
      const known = numbers.get(value);
      if (known !== undefined) return known;
      const { label, inputs } = entryOf(shared, value);
      const operands = inputs.map(visit);
      const same = inputs.length === 0 ? leaves.get(label) : undefined;
      const number = same ?? lines.length + 1;
      if (same === undefined) lines.push(`${number}: ${[label, ...operands.map((n) => `#${n}`)].join(" ")}`);
      if (inputs.length === 0) leaves.set(label, number);
      numbers.set(value, number);
      return number;
    };
    const results = shared.results.map(visit);
    return [...lines, `result ${results.map((n) => `#${n}`).join(", ")}`].join("\n");
  },
};
