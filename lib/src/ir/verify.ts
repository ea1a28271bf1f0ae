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
  const ids = new Set<number>();
  const defined = new Set<Value>();
  const define = (value: Value, by: string | GraphNode): void => {
    if (ids.has(value.id))
      found.push(`%${value.id} is defined twice (again by ${typeof by === "string" ? by : describe(by)})`);
    ids.add(value.id);
    defined.add(value);
  };
  for (const param of graph.params) define(param, "a parameter");
  for (const { value, data } of graph.constants) {
    define(value, "a constant");
    if (!sameType(value, data))
      found.push(`constant %${value.id} is declared ${formatType(value)} and holds ${formatType(data)}`);
  }
  for (const node of graph.nodes) {
    node.inputs.forEach((input, i) => {
      if (!defined.has(input))
        found.push(`${describe(node)} reads %${input.id} (operand ${i}) before it is defined`);
    });
    found.push(...typeProblems(node));
    for (const [path, region] of regionsOf(node.attrs))
      found.push(...problems(region, true).map((line) => `${describe(node)}, region ${path}: ${line}`));
    for (const output of node.outputs) define(output, node);
  }
  graph.results.forEach((result, i) => {
    if (!defined.has(result)) found.push(`result ${i}, %${result.id}, is not defined`);
  });
  found.push(...tokenProblems(graph, inRegion));
  return found;
}

/** Nodes never change: what fitted its type rule once does so in every graph that it stands in. */
const typed = new WeakSet<GraphNode>();

function typeProblems(node: GraphNode): string[] {
  if (typed.has(node)) return [];
  const found = typeProblemsOf(node, describe(node));
  if (found.length === 0) typed.add(node);
  return found;
}

function typeProblemsOf(node: GraphNode, where: string): string[] {
  let types: readonly TensorType[];
  try {
    types = node.op.type(node.inputs, node.attrs);
  } catch (error) {
    return [`${where}: ${(error as Error).message}`];
  }
  if (types.length !== node.outputs.length)
    return [`${where} defines ${node.outputs.length} value(s), its type rule gives ${types.length}`];
  return types.flatMap((type, i) =>
    sameType(type, node.outputs[i])
      ? []
      : [
          `${where}: output ${i} is declared ${formatType(node.outputs[i])}, its type rule gives ${formatType(type)}`,
        ],
  );
}

function describe(node: GraphNode): string {
  return `${node.op.name} (%${node.outputs[0]?.id ?? "?"})${node.loc ? ` at ${node.loc}` : ""}`;
}

export function sameType(a: TensorType, b: TensorType): boolean {
  return a.dtype === b.dtype && sameShape(a.shape, b.shape);
}
