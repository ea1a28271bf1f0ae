/**
 * Multi-tensor apply: what is done to each of many tensors by the same program (an optimizer's update of all parameters)
 * becomes one node, hence one job for the threads instead of one per tensor; so does the accumulation of their gradients.
 * (PyTorch's foreach and fused optimizers.)
 */
import { sizeOf } from "../../core/shape.js";
import { fusedManyOp, fusedOp } from "../call.js";
import { type Constant, Graph, type GraphNode, type Value } from "../graph.js";
import type { Pass } from "./pass.js";
import { sortNodes } from "./sort-nodes.js";

export function joinTensors(graph: Graph): Graph {
  const results = new Set(graph.results);
  const scalars = new Map(graph.constants.filter(({ data }) => data.ndim === 0).map((c) => [c.value, c]));
  /** Nodes with their fused forms. */
  const byProgram = new Map<string, (readonly [node: GraphNode, fused: GraphNode])[]>();
  for (const node of graph.nodes) {
    // values that leave the graph have to be there at the end anyway: waiting for the others costs no memory
    const joinable =
      node.op.name === "fused" || (node.op.kind === "elementwise" && node.outputs.length === 1);
    const updates = joinable && node.outputs.every((value) => results.has(value));
    if (!updates || node.outputs.some((value) => sizeOf(value.shape) < 2)) continue;
    if (node.outputs.some((value) => graph.users(value).length > 0)) continue;
    const own = node.op.name === "fused" ? node : asRegion(node, scalars);
    const key = programOf(own);
    if (key === null) continue;
    const list = byProgram.get(key);
    if (list) list.push([node, own]);
    else byProgram.set(key, [[node, own]]);
  }
  const by = new Map<GraphNode, GraphNode>();
  for (const group of byProgram.values()) {
    if (group.length < 2) continue;
    const joined = joinedNode(group.map(([, fused]) => fused));
    for (const [node] of group) by.set(node, joined);
  }
  if (by.size === 0) return graph;
  // nobody reads what the joined nodes make: they can stand behind everything that they read
  const nodes = sortNodes([
    ...graph.nodes.filter((node) => !by.has(node)),
    ...new Set(graph.nodes.flatMap((node) => by.get(node) ?? [])),
  ]);
  if (!nodes) return graph;
  const used = new Set<Value>([...nodes.flatMap((node) => node.inputs), ...graph.results]);
  return graph.with({ nodes, constants: graph.constants.filter(({ value }) => used.has(value)) });
}

/** A single op as a fused group, as the sum that accumulates a gradient is one. */
function asRegion(node: GraphNode, scalars: ReadonlyMap<Value, Constant>): GraphNode {
  const read = [...new Set(node.inputs)];
  const inputs = read.filter((value) => !scalars.has(value));
  const constants = read.flatMap((value) => scalars.get(value) ?? []);
  const graph = new Graph(node.op.name, inputs, constants, [node], node.outputs);
  return {
    op: fusedOp as unknown as GraphNode["op"],
    inputs,
    attrs: { graph },
    outputs: node.outputs,
    loc: node.loc,
  };
}

export const multiTensor: Pass = {
  name: "multi-tensor",
  summary: "joins elementwise groups of one program over different tensors into one job",
  run: joinTensors,
};

/** Text that fused groups of the same ops, constants and dtypes share, whatever their shapes. */
function programOf({ inputs, outputs, attrs }: GraphNode): string | null {
  const region = (attrs as { readonly graph: Graph }).graph;
  const number = new Map<Value, number>();
  const name = (value: Value): string => {
    const known = number.get(value);
    if (known !== undefined) return `${known}`;
    number.set(value, number.size);
    return `${number.size - 1}:${value.dtype}`;
  };
  const [{ shape }] = outputs;
  const parts: string[] = [];
  for (const input of inputs) {
    const like = sizeOf(input.shape) === 1 ? "one" : input.shape.join() === shape.join() ? "all" : null;
    if (like === null) return null; // broadcast rows: more than one loop
    parts.push(like);
  }
  parts.push(region.params.map(name).join());
  for (const { value, data } of region.constants) {
    if (data.size !== 1) return null;
    parts.push(`${name(value)}=${data.item()}`);
  }
  for (const node of region.nodes)
    parts.push(
      `${node.outputs.map(name)}=${node.op.name}(${node.inputs.map(name)})${JSON.stringify(node.attrs)}`,
    );
  parts.push(region.results.map(name).join());
  return parts.join(";");
}

function joinedNode(group: readonly GraphNode[]): GraphNode {
  const graphs = group.map(({ attrs }) => (attrs as { readonly graph: Graph }).graph);
  return {
    op: fusedManyOp as unknown as GraphNode["op"],
    inputs: group.flatMap((node) => node.inputs),
    attrs: { graphs },
    outputs: group.flatMap((node) => node.outputs),
    loc: group[0].loc,
  };
}
