/**
 * Strategies: the ways to cut an op, and the layouts that follow. Contractions, reductions and parameters decide; ops that
 * keep their operand's dimensions follow it, as in Alpa, which keeps the search small.
 */
import type { Graph, GraphNode, Value } from "../../../ir/graph.js";
import { bytesOf } from "../cost.js";
import { type FactorAxes, factorsOf, legal, merged } from "../factors.js";
import type { LogicalMesh } from "../mesh.js";
import { layoutsOf } from "../plan.js";
import { ruleOf } from "../rules/index.js";
import { keyOf, type Sharding } from "../sharding.js";

/** How one node is computed under one value of its variable. */
export interface NodeStrategy {
  readonly cut: FactorAxes;
  readonly inputs: readonly Sharding[];
  /** As the op leaves its results. */
  readonly natural: readonly Sharding[];
  /** As they are kept. */
  readonly outputs: readonly Sharding[];
}

/** Each axis on one of the places, or on none. */
export function placements(axes: readonly string[], places: number): string[][][] {
  let found: string[][][] = [Array.from({ length: places }, () => [])];
  for (const axis of axes)
    found = found.flatMap((lists) => [
      lists,
      ...lists.map((_, place) => lists.map((list, i) => (i === place ? [...list, axis] : list))),
    ]);
  return found;
}

/** Every sharding of a value without sums. */
export function shardingsOf(mesh: LogicalMesh, { shape }: Value): Sharding[] {
  return placements(mesh.axes, shape.length)
    .filter((dims) => dims.every((axes, i) => shape[i] % mesh.count(axes) === 0))
    .map((dims) => ({ dims, partial: [] }));
}

const OWN: ReadonlySet<string> = new Set([
  ...["matmul", "conv2d", "conv2dInputGrad", "conv2dWeightGrad"],
  ...["take", "scatterAdd", "takeAlongAxis", "scatterAddAlongAxis"],
  ...["sum", "max", "min", "prod"],
]);

/** The operand that a node follows: the largest, of equals the one computed last; -1 if it decides itself. */
export function followed(graph: Graph, node: GraphNode): number {
  if (OWN.has(node.op.name) || node.inputs.length === 0) return -1;
  const fixed = new Set(graph.constants.map(({ value }) => value));
  const free = node.inputs.flatMap((x, i) => (fixed.has(x) ? [] : [i]));
  if (free.length === 0) return -1;
  return free.reduce((best, i) => {
    const [a, b] = [bytesOf(node.inputs[best]), bytesOf(node.inputs[i])];
    return b > a || (b === a && node.inputs[i].id > node.inputs[best].id) ? i : best;
  });
}

/** Strategies of a node that decides: every cut, and where sums remain every way to finish them. */
export function ownStrategies(mesh: LogicalMesh, node: GraphNode): NodeStrategy[] {
  const rule = ruleOf(node);
  const found = new Map<string, NodeStrategy>();
  const free = rule.factors.flatMap(({ kind }, f) => (kind === "whole" ? [] : [f]));
  for (const lists of placements(mesh.axes, free.length)) {
    const axes = rule.factors.map((_, f) => (free.includes(f) ? lists[free.indexOf(f)] : []));
    const cut = legal(mesh, rule, axes);
    if (cut.some((list, f) => list.length !== axes[f].length)) continue; // stands for another one
    for (const strategy of finished(mesh, node, cut)) found.set(textOf(strategy), strategy);
  }
  return [...found.values()];
}

/** The strategy of a node that follows an operand lying so. */
export function followingStrategy(
  mesh: LogicalMesh,
  node: GraphNode,
  operand: number,
  held: Sharding,
): NodeStrategy {
  const rule = ruleOf(node);
  const factors = factorsOf(mesh, rule, rule.inputs[operand], held.dims);
  return finished(mesh, node, merged(mesh, rule, [{ factors, weight: 1 }]))[0];
}

const textOf = ({ cut, outputs }: NodeStrategy): string => `${JSON.stringify(cut)} ${outputs.map(keyOf)}`;

/** The results summed on all, or each sum's axis put on a dimension (reduceScatter). */
function finished(mesh: LogicalMesh, node: GraphNode, cut: FactorAxes): NodeStrategy[] {
  const { inputs, outputs: natural } = layoutsOf(node, cut, []);
  const whole = natural.map(({ dims }) => ({ dims, partial: [] }));
  const strategies: NodeStrategy[] = [{ cut, inputs, natural, outputs: whole }];
  if (natural.length !== 1 || natural[0].partial.length === 0) return strategies;
  const [{ shape }] = node.outputs;
  for (const lists of placements(natural[0].partial, shape.length)) {
    const dims = natural[0].dims.map((axes, i) => [...axes, ...lists[i]]);
    if (lists.every((list) => list.length === 0) || dims.some((axes, i) => shape[i] % mesh.count(axes) !== 0))
      continue;
    strategies.push({ cut, inputs, natural, outputs: [{ dims, partial: [] }] });
  }
  return strategies;
}
