/** Steps 1 and 2 of obfuscation: the graph is read, put into another order, and cut into clusters that become one op each. */
import { ValueError } from "../../../core/errors.js";
import type { TensorType } from "../../../core/shape.js";
import { GraphBuilder } from "../../../ir/builder.js";
import { hasEffects } from "../../../ir/effects/order.js";
import { type Graph, type GraphNode, mapRegions, typeOf, type Value } from "../../../ir/graph.js";
import { eliminateDeadCode } from "../../../ir/passes/dce.js";
import { foldConstants } from "../../../ir/passes/fold.js";
import type { DenseTensor } from "../../../runtime/dense.js";
import type { Dice } from "../dice.js";

/** A value that goes from one cluster to another, into the graph or out of it. */
export interface Edge {
  readonly type: TensorType;
}

/** What becomes one op. */
export interface Cluster {
  /** What it computes; parameters: what it reads from others, then its weights. */
  readonly core: Graph;
  readonly inputs: readonly Edge[];
  readonly weights: readonly DenseTensor[];
  readonly outputs: readonly Edge[];
}

export interface Clustered {
  readonly params: readonly Edge[];
  readonly results: readonly Edge[];
  /** In an order in which they can run. */
  readonly clusters: readonly Cluster[];
}

/**
 * Step 1: what depends on constants alone is computed, for a cluster would have to compute it in each run.
 * @throws ValueError for a graph with side effects: their order would be lost.
 */
export function parsed(graph: Graph): Graph {
  if (hasEffects(graph))
    throw new ValueError(`obfuscate: graph ${graph.name} has side effects, which can't change their order`);
  return eliminateDeadCode(foldConstants(graph, Number.POSITIVE_INFINITY));
}

/** Step 2, first half. @param most nodes in a cluster, besides what depends on constants alone */
export function clustered(graph: Graph, dice: Dice, most: number): Clustered {
  const edges = new Map<Value, Edge>();
  const edgeOf = (value: Value): Edge => {
    const known = edges.get(value) ?? { type: typeOf(value) };
    edges.set(value, known);
    return known;
  };
  const fixed = constantOnly(graph);
  const order = randomOrder(graph, fixed, dice);
  const groups: GraphNode[][] = [];
  for (let at = 0; at < order.length; ) {
    const size = 1 + dice.below(most);
    groups.push(order.slice(at, at + size)); // neighbours in an order that can run: no path leaves and comes back
    at += size;
  }
  const asks = new Set([...graph.results, ...order.flatMap(({ inputs }) => inputs)]);
  const wanted = groups.map((nodes) => {
    const own = new Set(nodes);
    const outside = (value: Value): boolean =>
      graph.results.includes(value) || graph.users(value).some((user) => !own.has(user) && !fixed.has(user));
    return nodes.flatMap(({ outputs }) => outputs.filter((value) => asks.has(value) && outside(value)));
  });
  // results that no argument has a part in: constants, and what is made of them
  const alone = [...new Set(graph.results)].filter((value) => {
    const from = graph.producer(value);
    return from ? fixed.has(from) : !graph.params.includes(value);
  });
  if (alone.length > 0) {
    groups.push([]);
    wanted.push(alone);
  }
  return {
    params: graph.params.map(edgeOf),
    results: graph.results.map(edgeOf),
    clusters: groups.map((nodes, i) => clusterOf(graph, nodes, wanted[i], fixed, edgeOf)),
  };
}

/** Nodes that depend on constants alone and were not folded: each cluster that reads one has it too. */
function constantOnly(graph: Graph): ReadonlySet<GraphNode> {
  const varying = new Set<Value>(graph.params);
  const fixed = new Set<GraphNode>();
  for (const node of graph.nodes) {
    if (node.inputs.some((input) => varying.has(input)) || node.op.kind === "random")
      for (const output of node.outputs) varying.add(output);
    else fixed.add(node);
  }
  return fixed;
}

/** One of the orders in which the nodes can run. */
function randomOrder(graph: Graph, fixed: ReadonlySet<GraphNode>, dice: Dice): GraphNode[] {
  const waits = new Map<GraphNode, number>();
  const ready: GraphNode[] = [];
  for (const node of graph.nodes) {
    if (fixed.has(node)) continue;
    const before = graph.predecessors(node).filter((other) => !fixed.has(other)).length;
    waits.set(node, before);
    if (before === 0) ready.push(node);
  }
  const order: GraphNode[] = [];
  while (ready.length > 0) {
    const [node] = ready.splice(dice.below(ready.length), 1);
    order.push(node);
    for (const user of new Set(node.outputs.flatMap((output) => graph.users(output)))) {
      const left = (waits.get(user) as number) - 1;
      waits.set(user, left);
      if (left === 0) ready.push(user);
    }
  }
  return order;
}

function clusterOf(
  graph: Graph,
  nodes: readonly GraphNode[],
  results: readonly Value[],
  fixed: ReadonlySet<GraphNode>,
  edgeOf: (value: Value) => Edge,
): Cluster {
  const needed = new Set<GraphNode>(nodes);
  const visit = (value: Value): void => {
    const from = graph.producer(value);
    if (!from || needed.has(from) || !fixed.has(from)) return;
    needed.add(from);
    from.inputs.forEach(visit);
  };
  for (const { inputs } of nodes) inputs.forEach(visit);
  results.forEach(visit);
  const inside = graph.nodes.filter((node) => needed.has(node) && fixed.has(node)).concat(nodes);
  const made = new Set(inside.flatMap(({ outputs }) => outputs));
  const read = [...new Set([...inside.flatMap(({ inputs }) => inputs), ...results])].filter(
    (v) => !made.has(v),
  );
  const data = new Map(graph.constants.map(({ value, data }) => [value, data]));
  const [inputs, weights] = [read.filter((v) => !data.has(v)), read.filter((v) => data.has(v))];
  const builder = new GraphBuilder("");
  const here = new Map<Value, Value>();
  for (const value of [...inputs, ...weights]) here.set(value, builder.param(typeOf(value)));
  copyNodes(builder, inside, here);
  return {
    core: builder.finish(results.map((value) => here.get(value) as Value)),
    inputs: inputs.map(edgeOf),
    weights: weights.map((value) => data.get(value) as DenseTensor),
    outputs: results.map(edgeOf),
  };
}

/** Applies the nodes' ops to what stands for their operands, without names and places in the source. */
export function copyNodes(builder: GraphBuilder, nodes: readonly GraphNode[], here: Map<Value, Value>): void {
  for (const { op, inputs, attrs, outputs } of nodes) {
    const operands = inputs.map((input) => here.get(input) as Value);
    const made = builder.node(op, operands, mapRegions(attrs, nameless));
    outputs.forEach((output, i) => {
      here.set(output, made[i]);
    });
  }
}

/** The same graph without names and places in the source. */
function nameless(graph: Graph): Graph {
  const builder = new GraphBuilder("");
  const here = new Map<Value, Value>();
  for (const param of graph.params) here.set(param, builder.param(typeOf(param)));
  for (const { value, data } of graph.constants) here.set(value, builder.constant(data));
  copyNodes(builder, graph.nodes, here);
  return builder.finish(graph.results.map((result) => here.get(result) as Value));
}
