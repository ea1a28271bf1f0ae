/**
 * Plan: how each value lies and how each op's factors are cut; what that costs. Propagation makes one from annotations, the
 * search makes one from costs; the partitioner writes the devices' graphs from either.
 */
import { sizeOf } from "../../core/shape.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import type { ReduceOp } from "../transport/reduce-op.js";
import { bytesOf, type ClusterCost } from "./cost.js";
import { dimsOf, type FactorAxes, legal, merged } from "./factors.js";
import type { LogicalMesh } from "./mesh.js";
import { type Propagated, proposals } from "./propagate.js";
import { reshard } from "./reshard.js";
import { ruleOf } from "./rules/index.js";
import { keyOf, localShape, replicated, type Sharding } from "./sharding.js";

export interface ShardingPlan {
  readonly mesh: LogicalMesh;
  readonly cluster: ClusterCost;
  readonly graph: Graph;
  readonly values: ReadonlyMap<Value, Sharding>;
  readonly cuts: ReadonlyMap<GraphNode, FactorAxes>;
  readonly notes: readonly string[];
}

/** How an op's operands must lie for its factors to be cut so, and how its results lie then. */
export interface Layouts {
  readonly inputs: readonly Sharding[];
  readonly outputs: readonly Sharding[];
  /** How terms of the results are combined. */
  readonly op: ReduceOp;
}

export function layoutsOf(node: GraphNode, cuts: FactorAxes, held: readonly Sharding[]): Layouts {
  const rule = ruleOf(node);
  const summed = rule.factors.flatMap(({ kind }, f) => (kind === "parallel" ? [] : cuts[f]));
  const kind = rule.factors.find((factor, f) => factor.kind !== "parallel" && cuts[f].length > 0)?.kind;
  const op: ReduceOp = kind === undefined || kind === "whole" || kind === "parallel" ? "sum" : kind;
  const kept = op === "sum" ? throughLinear(node, held, cuts.flat()) : [];
  return {
    inputs: rule.inputs.map((factors, i) => ({
      dims: dimsOf(factors, cuts),
      partial: kept.filter((axis) => held[i]?.partial.includes(axis)),
    })),
    outputs: rule.outputs.map((factors) => ({ dims: dimsOf(factors, cuts), partial: [...summed, ...kept] })),
    op,
  };
}

/** Axes of unfinished sums that may go through the op as they are. */
function throughLinear(node: GraphNode, held: readonly Sharding[], cut: readonly string[]): string[] {
  const { linear } = ruleOf(node);
  if (linear === undefined) return [];
  const axes = [...new Set(held.flatMap(({ partial }) => partial))].filter((axis) => !cut.includes(axis));
  return axes.filter((axis) => {
    const at = held.flatMap(({ partial }, i) => (partial.includes(axis) ? [i] : []));
    return linear === "joint" ? at.length === held.length : at.length === 1 && linear.includes(at[0]);
  });
}

/** Floating-point operations of a node, whole. */
export function flopsOf(node: GraphNode): number {
  const out = node.outputs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const shapes = node.inputs.map(({ shape }) => shape);
  switch (node.op.name) {
    case "matmul":
      return 2 * out * shapes[0][shapes[0].length - 1];
    case "conv2d":
      return 2 * out * sizeOf(shapes[1].slice(1));
    case "conv2dInputGrad":
      return (2 * sizeOf(shapes[0]) * sizeOf(shapes[1])) / shapes[1][0];
    case "conv2dWeightGrad":
      return (2 * sizeOf(shapes[1]) * sizeOf(node.outputs[0].shape)) / node.outputs[0].shape[0];
    default:
      return node.op.kind === "view" ? 0 : Math.max(out, ...shapes.map(sizeOf));
  }
}

/** Seconds of one device's part: what takes longer, arithmetic or memory. Views are free. */
export function computeCost(
  mesh: LogicalMesh,
  cluster: ClusterCost,
  node: GraphNode,
  cuts: FactorAxes,
): number {
  if (node.op.kind === "view") return 0;
  const rule = ruleOf(node);
  const bytes = [
    ...node.inputs.map((x, i) => localBytes(mesh, x, { dims: dimsOf(rule.inputs[i], cuts), partial: [] })),
    ...node.outputs.map((y, i) => localBytes(mesh, y, { dims: dimsOf(rule.outputs[i], cuts), partial: [] })),
  ].reduce((a, b) => a + b, 0);
  return Math.max(flopsOf(node) / mesh.count(cuts.flat()) / cluster.flops, bytes / cluster.bandwidth);
}

/** Bytes that each device has of a value. */
export function localBytes(mesh: LogicalMesh, value: Value, sharding: Sharding): number {
  const size = sizeOf(value.shape);
  return size === 0 ? 0 : (bytesOf(value) / size) * sizeOf(localShape(mesh, value.shape, sharding));
}

/** For each op the cut that costs least between the shardings that propagation found. */
export function planFrom(
  mesh: LogicalMesh,
  cluster: ClusterCost,
  graph: Graph,
  found: Propagated,
): ShardingPlan {
  const cuts = new Map<GraphNode, FactorAxes>();
  const values = new Map(found.values);
  const at = (value: Value): Sharding => values.get(value) as Sharding;
  for (const node of graph.nodes) {
    const rule = ruleOf(node);
    const asked = proposals(mesh, node, (value) => at(value).dims);
    const inputs = asked.slice(0, node.inputs.length);
    const outputs = asked.slice(node.inputs.length);
    const candidates = [asked, inputs, outputs, ...asked.map((one) => [one]), []].map((list) =>
      merged(mesh, rule, list),
    );
    const costs = candidates.map((cut) => nodeCost(mesh, cluster, node, cut, at));
    const cut = candidates[costs.indexOf(Math.min(...costs))];
    cuts.set(node, cut);
    const natural = layoutsOf(node, cut, node.inputs.map(at));
    node.outputs.forEach((y, i) => {
      const open = found.open.get(y);
      if (!open || natural.op !== "sum") return;
      values.set(y, { ...at(y), partial: natural.outputs[i].partial.filter((axis) => open.includes(axis)) });
    });
  }
  return { mesh, cluster, graph, values, cuts, notes: found.notes };
}

/** Seconds of computation and of bringing operands and results to where they are wanted. */
function nodeCost(
  mesh: LogicalMesh,
  cluster: ClusterCost,
  node: GraphNode,
  cuts: FactorAxes,
  at: (value: Value) => Sharding,
): number {
  const layouts = layoutsOf(node, cuts, node.inputs.map(at));
  let cost = computeCost(mesh, cluster, node, cuts);
  node.inputs.forEach((x, i) => {
    cost += reshard(mesh, x, at(x), layouts.inputs[i], cluster).cost;
  });
  node.outputs.forEach((y, i) => {
    cost += reshard(mesh, y, layouts.outputs[i], at(y), cluster).cost;
  });
  return cost;
}

/** What a plan takes. */
export interface PlanCost {
  /** Seconds of computation, and of communication, one after the other. */
  readonly compute: number;
  readonly communication: number;
  /** Bytes of all values on a device, without re-use: an upper bound. */
  readonly memory: number;
}

/** @example distributed.partitioned({ mesh: distributed.logicalMesh(2) }, (x) => x.add(1), ones([4])).cost.communication // 0 */
export function costOfPlan({ mesh, cluster, graph, values, cuts }: ShardingPlan): PlanCost {
  const at = (value: Value): Sharding => values.get(value) ?? replicated(value.shape.length);
  let [compute, communication] = [0, 0];
  const moved = new Set<string>(); // a value is brought to a sharding once
  for (const node of graph.nodes) {
    const cut = cuts.get(node) ?? legal(mesh, ruleOf(node), []);
    const layouts = layoutsOf(node, cut, node.inputs.map(at));
    compute += computeCost(mesh, cluster, node, cut);
    node.inputs.forEach((x, i) => {
      const key = `${x.id} ${keyOf(layouts.inputs[i])}`;
      if (moved.has(key)) return;
      moved.add(key);
      communication += reshard(mesh, x, at(x), layouts.inputs[i], cluster).cost;
    });
    node.outputs.forEach((y, i) => {
      communication += reshard(mesh, y, layouts.outputs[i], at(y), cluster).cost;
    });
  }
  const memory = graph.values().reduce((sum, value) => sum + heldBytes(mesh, graph, value, at(value)), 0);
  return { compute, communication, memory };
}

/** Bytes that a value adds to a device: views share what they look at. */
export function heldBytes(mesh: LogicalMesh, graph: Graph, value: Value, sharding: Sharding): number {
  return graph.producer(value)?.op.kind === "view" ? 0 : localBytes(mesh, value, sharding);
}
