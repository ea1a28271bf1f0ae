/** Which kernel each node gets: tagged by the caller, or chosen by what all of them cost together. */
import { bytesPerElement } from "../../core/dtype.js";
import { ValueError } from "../../core/errors.js";
import { sizeOf } from "../../core/shape.js";
import { type Dag, dagOf, predecessors } from "../../graph/dag.js";
import type { PlacedKernel, Placement } from "../../graph/placement.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import { devices as allDevices, getDevice } from "../../runtime/devices.js";
import { candidatesOf, PLAIN, programType } from "./candidates.js";
import { type KernelFormat, type KernelInfo, type SelectionNode, selectKernels } from "./kernels.js";

/** Milliseconds for entering another device's subgraph; host devices share their memory, so nothing is copied. */
const HAND_OVER = 0.02;

/** Casts and layouts pass over memory, at 10 GB/s. */
function convert(from: KernelFormat, to: KernelFormat, bytes: number): number {
  const passes = Number(from.dtype !== to.dtype) + Number(from.layout !== to.layout);
  return (from.device === to.device ? 0 : HAND_OVER) + (passes * bytes) / 1e7;
}

export function choose(graph: Graph, placement: Placement): Map<GraphNode, PlacedKernel> {
  const { nameOf } = dagOf(graph);
  if (typeof placement === "function")
    return new Map(
      graph.nodes.map((node) => [node, tagged(node, placement(node, nameOf.get(node) as string))]),
    );
  const given = placement === "cost" ? {} : placement;
  const there = allDevices().flatMap(({ name, available }) => (available ? [name] : []));
  const { devices = there, kernels = [] } = given;
  if (devices.length === 0) throw new ValueError("placeOnDevices: there is no device to choose from");
  const candidates = new Map(graph.nodes.map((node) => [node, candidatesOf(node, devices, kernels)]));
  return selected(graph, candidates, nameOf);
}

const tagged = (node: GraphNode, device: string): PlacedKernel => ({
  op: node.op.name,
  device,
  dtype: programType(node) ?? node.outputs[0].dtype,
  layout: PLAIN,
  cost: 0,
});

/** The cheapest choice together with conversions on edges, from the parameters to the results. */
function selected(
  graph: Graph,
  candidates: ReadonlyMap<GraphNode, readonly PlacedKernel[]>,
  nameOf: ReadonlyMap<GraphNode, string>,
): Map<GraphNode, PlacedKernel> {
  const home = { device: getDevice(), layout: PLAIN, cost: 0 };
  const rows: KernelInfo[] = [];
  const nodes: Record<string, { op: string; dtype: string; bytes: number }> = {};
  const edges: [string, string][] = [];
  const rowOf = new Map<KernelInfo, PlacedKernel>();
  const bytesOf = (value: Value): number => sizeOf(value.shape) * bytesPerElement(value.dtype);
  const place = (name: string, value: Value, kernels: readonly Omit<PlacedKernel, "op">[], dtype: string) => {
    nodes[name] = { op: name, dtype, bytes: bytesOf(value) };
    for (const kernel of kernels) {
      const row = { ...kernel, op: name };
      rows.push(row);
      rowOf.set(row, kernel as PlacedKernel);
    }
  };
  const from = new Map<Value, string>();
  graph.params.forEach((param, i) => {
    from.set(param, `parameter ${i}`);
    place(`parameter ${i}`, param, [{ ...home, dtype: param.dtype }], param.dtype);
  });
  for (const node of graph.nodes) {
    const name = nameOf.get(node) as string;
    place(
      name,
      node.outputs[0],
      candidates.get(node) as readonly PlacedKernel[],
      programType(node) ?? node.outputs[0].dtype,
    );
    for (const output of node.outputs) from.set(output, name);
    for (const input of new Set(node.inputs)) {
      const source = from.get(input);
      if (source) edges.push([source, name]);
    }
  }
  graph.results.forEach((result, i) => {
    const source = from.get(result);
    place(`result ${i}`, result, [{ ...home, dtype: result.dtype }], result.dtype);
    if (source) edges.push([source, `result ${i}`]);
  });
  const dag = { nodes: Object.keys(nodes), edges };
  const kernels = cheapest(dag, nodes, rows);
  return new Map(
    graph.nodes.map((node) => [
      node,
      rowOf.get(kernels.get(nameOf.get(node) as string) as KernelInfo) as PlacedKernel,
    ]),
  );
}

/** The exact choice looks at every pair of neighbours at once. */
const EXACT_UP_TO = 300;

function cheapest(
  dag: Dag,
  nodes: Readonly<Record<string, SelectionNode>>,
  rows: readonly KernelInfo[],
): ReadonlyMap<string, KernelInfo> {
  if (dag.nodes.length <= EXACT_UP_TO) {
    try {
      return selectKernels(dag, nodes, rows, { convert }).kernels;
    } catch (error) {
      if (!(error instanceof ValueError)) throw error; // too entangled for tables
    }
  }
  return oneByOne(dag, nodes, rows);
}

/** Each node's cheapest kernel for what its operands are by then: not the best, but quick. */
function oneByOne(
  dag: Dag,
  nodes: Readonly<Record<string, SelectionNode>>,
  rows: readonly KernelInfo[],
): ReadonlyMap<string, KernelInfo> {
  const of = new Map<string, KernelInfo[]>();
  for (const row of rows) of.set(row.op, [...(of.get(row.op) ?? []), row]);
  const before = predecessors(dag);
  const chosen = new Map<string, KernelInfo>();
  for (const name of dag.nodes) {
    const costs = (of.get(name) as KernelInfo[]).map((row) => {
      const edges = (before.get(name) ?? []).map((from) =>
        convert(chosen.get(from) as KernelInfo, row, nodes[from].bytes),
      );
      return { row, cost: edges.reduce((sum, cost) => sum + cost, row.cost) };
    });
    chosen.set(name, costs.reduce((best, each) => (each.cost < best.cost ? each : best)).row);
  }
  return chosen;
}
