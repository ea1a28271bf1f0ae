/** A plan for readers: each value with how it lies, each op with what has to be moved for it, and what that costs. */
import { formatType } from "../../core/shape.js";
import type { GraphNode, Value } from "../../ir/graph.js";
import { legal } from "./factors.js";
import { computeCost, costOfPlan, layoutsOf, type ShardingPlan } from "./plan.js";
import { formatStep, reshard } from "./reshard.js";
import { ruleOf } from "./rules/index.js";
import { formatDims, keyOf, replicated, type Sharding } from "./sharding.js";

/** What happens around one node. */
export interface NodeExplanation {
  readonly node: GraphNode;
  /** Collectives (and local cuts) before it, by operand, and behind it; seconds of all of them. */
  readonly before: readonly { readonly value: Value; readonly steps: readonly string[] }[];
  readonly after: readonly { readonly value: Value; readonly steps: readonly string[] }[];
  readonly communication: number;
  readonly compute: number;
}

export function explainNodes(plan: ShardingPlan): NodeExplanation[] {
  const { mesh, cluster, graph } = plan;
  const at = (value: Value): Sharding => plan.values.get(value) ?? replicated(value.shape.length);
  const there = new Set<string>();
  return graph.nodes.map((node) => {
    const cut = plan.cuts.get(node) ?? legal(mesh, ruleOf(node), []);
    const layouts = layoutsOf(node, cut, node.inputs.map(at));
    let communication = 0;
    const moves = (value: Value, from: Sharding, to: Sharding) => {
      const { steps, cost } = reshard(mesh, value, from, to, cluster);
      if (steps.length === 0) return [];
      communication += cost;
      return [{ value, steps: steps.map(formatStep) }];
    };
    const before = node.inputs.flatMap((x, i) => {
      const key = `${x.id} ${keyOf(layouts.inputs[i])}`;
      if (there.has(key)) return []; // moved for an op before
      there.add(key);
      return moves(x, at(x), layouts.inputs[i]);
    });
    const after = node.outputs.flatMap((y, i) => moves(y, layouts.outputs[i], at(y)));
    return { node, before, after, communication, compute: computeCost(mesh, cluster, node, cut) };
  });
}

/** The plan as text: one line for each value, arrows for what is moved. */
export function explainPlan(plan: ShardingPlan): string {
  const { graph, mesh } = plan;
  const at = (value: Value): Sharding => plan.values.get(value) ?? replicated(value.shape.length);
  const typed = (value: Value): string => `${formatType(value)} ${formatDims(at(value))}`;
  const lines = [
    `mesh ${mesh}`,
    ...graph.params.map((param) => `%${param.id} ${param.name ?? ""}: ${typed(param)}`.replace(" :", ":")),
  ];
  for (const { node, before, after, communication } of explainNodes(plan)) {
    for (const { value, steps } of before) lines.push(`    → %${value.id}: ${steps.join(", then ")}`);
    const left = node.outputs.map((y) => `%${y.id}`).join(", ");
    const operands = node.inputs.map((x) => `%${x.id}`).join(", ");
    lines.push(`${left} = ${node.op.name}(${operands}): ${node.outputs.map(typed).join(", ")}`);
    for (const { value, steps } of after) lines.push(`    ← %${value.id}: ${steps.join(", then ")}`);
    if (communication > 0 && before.length + after.length > 0)
      lines[lines.length - 1] += `   (${formatSeconds(communication)})`;
  }
  const { compute, communication, memory } = costOfPlan(plan);
  lines.push(
    `return ${graph.results.map((result) => `%${result.id}`).join(", ")}`,
    `compute ${formatSeconds(compute)}, communication ${formatSeconds(communication)}, memory ${formatBytes(memory)} a device`,
    ...plan.notes.map((note) => `note: ${note}`),
  );
  return lines.join("\n");
}

function formatSeconds(seconds: number): string {
  if (seconds === 0) return "0 s";
  const [factor, unit] =
    seconds < 1e-6 ? [1e9, "ns"] : seconds < 1e-3 ? [1e6, "µs"] : seconds < 1 ? [1e3, "ms"] : [1, "s"];
  return `${Number((seconds * factor).toPrecision(3))} ${unit}`;
}

function formatBytes(bytes: number): string {
  const at = bytes < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(bytes) / 10));
  return `${Number((bytes / 1024 ** at).toPrecision(3))} ${["B", "KiB", "MiB", "GiB"][at]}`;
}
