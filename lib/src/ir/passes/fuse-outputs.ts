/**
 * Fusion with several results: elementwise groups over one shape are joined also where what flows between them is read by
 * others too, or where they read the same operand. What an optimizer does to a parameter (two moments, the new value)
 * then passes over memory once. (XLA calls it multi-output fusion; book, chapter 5: aggregation.)
 */
import { sameShape, sizeOf } from "../../core/shape.js";
import { fusedOp } from "../call.js";
import { type Constant, Graph, type GraphNode, type Value } from "../graph.js";
import type { Pass } from "./pass.js";
import { sortNodes } from "./sort-nodes.js";

/** Ops of a group, and what a kernel is told: more arguments than that make it run on one thread. */
const MAX_OPS = 32;
const MAX_ARGUMENTS = 20;

export function fuseOutputs(graph: Graph): Graph {
  const clusters = findClusters(graph);
  if (clusters.length === 0) return graph;
  const joined = join(graph, clusters);
  if (joined) return joined;
  // each is free of cycles, but not all together: one after the other then
  return clusters.reduce((current, cluster) => join(current, [cluster]) ?? current, graph);
}

export const fuseOutputsPass: Pass = {
  name: "fuse-outputs",
  summary: "joins elementwise groups that feed each other or read the same, with several results",
  run: fuseOutputs,
};

const isGroup = ({ op, outputs }: GraphNode): boolean =>
  (op.kind === "elementwise" && outputs.length === 1) || op.name === "fused";

/** Disjoint sets of nodes, each of which can be one node. */
function findClusters(graph: Graph): GraphNode[][] {
  const position = new Map(graph.nodes.map((node, i) => [node, i]));
  const taken = new Set<GraphNode>();
  const clusters: GraphNode[][] = [];
  for (const root of [...graph.nodes].reverse()) {
    if (taken.has(root) || !isGroup(root) || sizeOf(root.outputs[0].shape) < 2) continue;
    const cluster = new Set([root]);
    const open = [root];
    for (let node = open.pop(); node; node = open.pop()) {
      for (const candidate of neighbours(graph, node)) {
        if (cluster.has(candidate) || taken.has(candidate) || !isGroup(candidate)) continue;
        if (!sameShape(candidate.outputs[0].shape, root.outputs[0].shape)) continue;
        const wider = new Set([...cluster, candidate]);
        if (!fits(wider) || !isConvex(graph, wider, position)) continue;
        cluster.add(candidate);
        open.push(candidate);
      }
    }
    if (cluster.size < 2) continue;
    for (const node of cluster) taken.add(node);
    clusters.push([...cluster].sort((a, b) => (position.get(a) as number) - (position.get(b) as number)));
  }
  return clusters;
}

/** What feeds a node, what reads its results, and what reads an operand of its shape as well. */
function neighbours(graph: Graph, node: GraphNode): Set<GraphNode> {
  const found = new Set(graph.predecessors(node));
  for (const output of node.outputs) for (const user of graph.users(output)) found.add(user);
  for (const input of node.inputs)
    if (sameShape(input.shape, node.outputs[0].shape)) for (const user of graph.users(input)) found.add(user);
  return found;
}

function fits(nodes: ReadonlySet<GraphNode>): boolean {
  let ops = 0;
  let constants = 0;
  const made = new Set([...nodes].flatMap((node) => node.outputs));
  const inputs = new Set<Value>();
  for (const node of nodes) {
    const region = regionOf(node);
    ops += region?.nodes.length ?? 1;
    constants += region?.constants.length ?? 0;
    for (const input of node.inputs) if (!made.has(input)) inputs.add(input);
  }
  return ops <= MAX_OPS && made.size + inputs.size + constants <= MAX_ARGUMENTS;
}

/** True if no path leaves the set and comes back. */
function isConvex(
  graph: Graph,
  nodes: ReadonlySet<GraphNode>,
  position: ReadonlyMap<GraphNode, number>,
): boolean {
  const end = Math.max(...[...nodes].map((node) => position.get(node) as number));
  const seen = new Set<GraphNode>(nodes);
  const outside: GraphNode[] = [];
  const leave = (node: GraphNode): boolean => {
    for (const output of node.outputs)
      for (const user of graph.users(output)) {
        if (nodes.has(user) && !nodes.has(node)) return false;
        if (seen.has(user) || (position.get(user) as number) > end) continue;
        seen.add(user);
        outside.push(user);
      }
    return true;
  };
  for (const node of nodes) leave(node);
  for (let node = outside.pop(); node; node = outside.pop()) if (!leave(node)) return false;
  return true;
}

/** The graph with each cluster as one node; `null` if that makes a cycle. */
function join(graph: Graph, clusters: readonly (readonly GraphNode[])[]): Graph | null {
  const by = new Map<GraphNode, GraphNode>();
  const results = new Set(graph.results);
  const scalars = new Map(graph.constants.filter(({ data }) => data.ndim === 0).map((c) => [c.value, c]));
  for (const cluster of clusters) {
    const inside = new Set(cluster);
    const wanted = cluster
      .flatMap((node) => node.outputs)
      .filter((value) => results.has(value) || graph.users(value).some((user) => !inside.has(user)));
    const node = joinedNode(graph, cluster, wanted, scalars);
    for (const member of cluster) by.set(member, node);
  }
  const nodes = sortNodes([...new Set(graph.nodes.map((node) => by.get(node) ?? node))]);
  if (!nodes) return null;
  const used = new Set<Value>([...nodes.flatMap((node) => node.inputs), ...graph.results]);
  return graph.with({ nodes, constants: graph.constants.filter(({ value }) => used.has(value)) });
}

const regionOf = (node: GraphNode): Graph | null =>
  node.op.name === "fused" ? (node.attrs as { readonly graph: Graph }).graph : null;

/** One node that computes what the cluster's nodes compute and others want. */
function joinedNode(
  graph: Graph,
  cluster: readonly GraphNode[],
  wanted: readonly Value[],
  scalars: ReadonlyMap<Value, Constant>,
): GraphNode {
  const constants = new Map<Value, Constant>();
  const nodes: GraphNode[] = [];
  let { nextId } = graph;
  for (const node of cluster) {
    const region = regionOf(node);
    if (!region) {
      nodes.push(node);
      continue;
    }
    const here = new Map(region.params.map((param, i) => [param, node.inputs[i]]));
    region.results.forEach((result, i) => {
      here.set(result, node.outputs[i]);
    });
    // regions number their values each for itself: what stays inside gets numbers that nobody has
    const inside = (value: Value): Value => {
      const known = here.get(value);
      if (known) return known;
      const own = { ...value, id: nextId++ };
      here.set(value, own);
      return own;
    };
    for (const { value, data } of region.constants)
      constants.set(inside(value), { value: inside(value), data });
    for (const inner of region.nodes)
      nodes.push({ ...inner, inputs: inner.inputs.map(inside), outputs: inner.outputs.map(inside) });
  }
  const made = new Set(nodes.flatMap((node) => node.outputs));
  const inputs: Value[] = [];
  for (const value of new Set(nodes.flatMap((node) => node.inputs))) {
    if (made.has(value) || constants.has(value)) continue;
    const scalar = scalars.get(value);
    if (scalar) constants.set(value, scalar);
    else inputs.push(value);
  }
  const name = nodes.map((node) => node.op.name).join("_");
  return {
    op: fusedOp as unknown as GraphNode["op"],
    inputs,
    attrs: { graph: new Graph(name, inputs, [...constants.values()], nodes, wanted) },
    outputs: wanted,
    loc: cluster[cluster.length - 1].loc,
  };
}
