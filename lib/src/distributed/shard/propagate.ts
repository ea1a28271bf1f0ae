/**
 * Propagation: from the annotated values to all others, forward and backward to a fixed point, as GSPMD does (Xu et al.
 * 2021). A dimension only ever gains axes, so it ends. First the ops that keep dimensions as they are pass shardings on, then
 * all ops; where two operands disagree the longer sharding wins, then the larger tensor.
 */
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape } from "../../core/shape.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import { type ShardAttrs, shardAnnotation } from "./annotate.js";
import { bytesOf } from "./cost.js";
import { dimsOf, factorsOf, merged, type Proposal } from "./factors.js";
import type { LogicalMesh } from "./mesh.js";
import { ruleOf } from "./rules/index.js";
import type { DimFactors } from "./rules/rule.js";
import { OPEN, replicated, type Sharding, type ShardSpec, shardingOf } from "./sharding.js";

/** How each value lies, and what is worth telling about it. */
export interface Propagated {
  readonly values: ReadonlyMap<Value, Sharding>;
  /** Values that the user annotated. */
  readonly given: ReadonlySet<Value>;
  readonly notes: readonly string[];
  /** Sums that may stay open: those that only an annotation reads that leaves them open. */
  readonly open: ReadonlyMap<Value, readonly string[]>;
}

interface State {
  dims: (readonly string[])[];
  /** Dimensions that the user decided. */
  readonly fixed: readonly boolean[];
  readonly partial: readonly string[];
}

/** @param inputs specifications of the parameters, by position; `undefined`: free; @param outputs of the results */
export function propagate(
  mesh: LogicalMesh,
  graph: Graph,
  inputs: readonly (ShardSpec | undefined)[] = [],
  outputs: readonly (ShardSpec | undefined)[] = [],
): Propagated {
  const states = new Map<Value, State>();
  for (const value of graph.values())
    states.set(value, {
      dims: value.shape.map(() => []),
      fixed: value.shape.map(() => false),
      partial: [],
    });
  const given = new Set<Value>();
  const open = new Map<Value, readonly string[]>();
  const annotate = (value: Value, spec: ShardSpec, partial: readonly string[] = []): void => {
    const { dims } = shardingOf(mesh, value.shape, spec, partial);
    given.add(value);
    states.set(value, { dims: [...dims], fixed: value.shape.map((_, i) => spec[i] !== OPEN), partial });
  };
  graph.params.forEach((param, i) => {
    const spec = inputs[i];
    if (spec) annotate(param, spec);
  });
  for (const node of graph.nodes) {
    if (node.op !== (shardAnnotation as unknown)) continue;
    const { spec, partial, parts } = node.attrs as ShardAttrs;
    const [value] = node.outputs;
    annotate(value, parts ? specOfParts(mesh, graph, value, parts) : spec, partial);
    const [from] = node.inputs;
    if (partial && graph.users(from).length === 1 && !graph.results.includes(from)) open.set(from, partial);
  }
  graph.results.forEach((result, i) => {
    const spec = outputs[i];
    if (spec && graph.producer(result) && !given.has(result)) annotate(result, spec);
  });
  // constants lie whole everywhere: cutting one is a local slice
  const cheap = graph.nodes.filter(passesOn);
  sweep(mesh, cheap, states);
  sweep(mesh, graph.nodes, states);
  const values = new Map<Value, Sharding>();
  for (const [value, { dims, partial }] of states) values.set(value, { dims, partial });
  for (const { value } of graph.constants) values.set(value, replicated(value.shape.length));
  const notes = new Set(graph.nodes.flatMap((node) => ruleOf(node).note ?? []));
  return { values, given, open, notes: [...notes] };
}

/** Ops through which a sharding goes unchanged. */
const passesOn = ({ op }: GraphNode): boolean =>
  op.kind === "elementwise" || op.name === "shard" || op.name === "transpose" || op.name === "reshape";

function sweep(mesh: LogicalMesh, nodes: readonly GraphNode[], states: Map<Value, State>): void {
  for (let changed = true; changed; ) {
    changed = false;
    for (const node of nodes) changed = pass(mesh, node, states, node.outputs, "outputs") || changed;
    for (let i = nodes.length - 1; i >= 0; i--)
      changed = pass(mesh, nodes[i], states, nodes[i].inputs, "inputs") || changed;
  }
}

/** One node's operands and results, as proposals. */
export function proposals(
  mesh: LogicalMesh,
  node: GraphNode,
  dimsAt: (value: Value) => Sharding["dims"],
): Proposal[] {
  const rule = ruleOf(node);
  const one = (value: Value, factors: DimFactors): Proposal => ({
    factors: factorsOf(mesh, rule, factors, dimsAt(value)),
    weight: bytesOf(value),
  });
  return [
    ...node.inputs.map((x, i) => one(x, rule.inputs[i])),
    ...node.outputs.map((y, i) => one(y, rule.outputs[i])),
  ];
}

function pass(
  mesh: LogicalMesh,
  node: GraphNode,
  states: Map<Value, State>,
  targets: readonly Value[],
  side: "inputs" | "outputs",
): boolean {
  const rule = ruleOf(node);
  const axes = merged(
    mesh,
    rule,
    proposals(mesh, node, (value) => (states.get(value) as State).dims),
  );
  let changed = false;
  targets.forEach((value, i) => {
    const state = states.get(value) as State;
    const wanted = dimsOf(rule[side][i], axes);
    wanted.forEach((list, dim) => {
      const now = state.dims[dim];
      const elsewhere = [...state.dims.filter((_, d) => d !== dim).flat(), ...state.partial];
      if (state.fixed[dim] || list.length <= now.length) return;
      if (!now.every((axis, k) => axis === list[k]) || list.some((axis) => elsewhere.includes(axis))) return;
      state.dims[dim] = list;
      changed = true;
    });
  });
  return changed;
}

/** The specification for `parts` of each dimension: axes are found for the factors of the op that reads the value. */
function specOfParts(mesh: LogicalMesh, graph: Graph, value: Value, parts: readonly number[]): ShardSpec {
  const [user] = graph.users(value);
  if (!user) return perDimension(mesh, parts, `shard of %${value.id}`);
  const rule = ruleOf(user);
  const counts = rule.factors.map(() => 1);
  user.inputs.forEach((input, i) => {
    const from = graph.producer(input);
    const asked =
      from && from.op === (shardAnnotation as unknown) ? (from.attrs as ShardAttrs).parts : undefined;
    asked?.forEach((count, dim) => {
      if (count === 1) return;
      const [factor] = rule.inputs[i][dim];
      const where = `${user.op.name}: axis ${dim} of operand ${i}, ${formatShape(input.shape)}`;
      if (factor === undefined || rule.factors[factor].kind === "whole" || rule.inputs[i][dim].length > 1)
        throw new ShapeError(`${where} cannot be cut into ${count} parts`);
      if (counts[factor] !== 1 && counts[factor] !== count)
        throw new ValueError(
          `${where} is to be cut into ${count} parts, what it meets in another operand into ${counts[factor]}`,
        );
      counts[factor] = count;
    });
  });
  const axes = axesFor(mesh, counts, user.op.name);
  const at = user.inputs.indexOf(value);
  return parts.map((count, dim) => (count === 1 ? null : axes[rule.inputs[at][dim][0]]));
}

const perDimension = (mesh: LogicalMesh, parts: readonly number[], where: string): ShardSpec =>
  axesFor(mesh, parts, where).map((axes) => (axes.length > 0 ? axes : null));

/** For each count axes that no other has and that make as many parts: in the mesh's order, the first that fit. */
function axesFor(mesh: LogicalMesh, counts: readonly number[], where: string): string[][] {
  let free = [...mesh.axes];
  return counts.map((count) => {
    if (count === 1) return [];
    const found = chosen(mesh, free, count);
    if (!found)
      throw new ValueError(
        `${where}: no axes left on the mesh ${mesh} for parts (${counts.filter((c) => c > 1).join(", ")})`,
      );
    free = free.filter((axis) => !found.includes(axis));
    return found;
  });
}

function chosen(mesh: LogicalMesh, free: readonly string[], count: number): string[] | null {
  if (count === 1) return [];
  for (const [i, axis] of free.entries()) {
    if (count % mesh.sizeOf(axis) !== 0 || mesh.sizeOf(axis) === 1) continue;
    const rest = chosen(mesh, free.slice(i + 1), count / mesh.sizeOf(axis));
    if (rest) return [axis, ...rest];
  }
  return null;
}
