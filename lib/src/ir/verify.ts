/** The rules that every graph obeys, checked after each pass: a table of checks, each a line of its report. */
import { formatType, sameShape, type TensorType } from "../core/shape.js";
import { tokenProblems } from "./effects/order.js";
import { type Graph, type GraphNode, IRError, regionsOf, type Value } from "./graph.js";

/**
 * Returns the graph.
 * @throws IRError listing every broken rule.
 * @example graph.verify(capture((x: Tensor) => x.sin(), tensor([1]))).name // "f"
 */
export function verify(graph: Graph): Graph {
  const found = problems(graph);
  if (found.length > 0) {
    throw new IRError(
      `graph ${graph.name} is not well formed:\n${found.map((line) => `  ${line}`).join("\n")}`,
    );
  }
  return graph;
}

/**
 * What is wrong with a graph, a line each.
 * @example graph.problems(capture((x: Tensor) => x.sin(), tensor([1]))).length // 0
 */
export function problems(graph: Graph, inRegion = false): string[] {
  const found: string[] = [];
  const defined = new Array<Value | undefined>(graph.nextId);
  const define = (value: Value, by: string | GraphNode): void => {
    if (defined[value.id])
      found.push(`%${value.id} is defined twice (again by ${typeof by === "string" ? by : describe(by)})`);
    defined[value.id] = value;
  };
  for (const param of graph.params) define(param, "a parameter");
  for (const { value, data } of graph.constants) {
    define(value, "a constant");
    if (!sameType(value, data))
      found.push(`constant %${value.id} is declared ${formatType(value)} and holds ${formatType(data)}`);
  }
  for (const node of graph.nodes) {
    node.inputs.forEach((input, i) => {
      if (defined[input.id] !== input)
        found.push(`${describe(node)} reads %${input.id} (operand ${i}) before it is defined`);
    });
    for (const line of problemsWithin(node)) found.push(line);
    for (const output of node.outputs) define(output, node);
  }
  graph.results.forEach((result, i) => {
    if (defined[result.id] !== result) found.push(`result ${i}, %${result.id}, is not defined`);
  });
  found.push(...tokenProblems(graph, inRegion));
  return found;
}

/** Nodes never change: one that was in order once is in order in every graph that it stands in. */
const sound = new WeakSet<GraphNode>();

/** What is wrong with a node's own types and regions. */
function problemsWithin(node: GraphNode): string[] {
  if (sound.has(node)) return [];
  const found = typeProblems(node);
  for (const [path, region] of regionsOf(node.attrs))
    found.push(...problems(region, true).map((line) => `${describe(node)}, region ${path}: ${line}`));
  if (found.length === 0) sound.add(node);
  return found;
}

function typeProblems(node: GraphNode): string[] {
  let types: readonly TensorType[];
  try {
    types = node.op.type(node.inputs, node.attrs);
  } catch (error) {
    return [`${describe(node)}: ${(error as Error).message}`];
  }
  if (types.length !== node.outputs.length)
    return [`${describe(node)} defines ${node.outputs.length} value(s), its type rule gives ${types.length}`];
  return types.flatMap((type, i) =>
    sameType(type, node.outputs[i])
      ? []
      : [
          `${describe(node)}: output ${i} is declared ${formatType(node.outputs[i])}, its type rule gives ${formatType(type)}`,
        ],
  );
}

function describe(node: GraphNode): string {
  return `${node.op.name} (%${node.outputs[0]?.id ?? "?"})${node.loc ? ` at ${node.loc}` : ""}`;
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}
