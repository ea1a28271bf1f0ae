/** The table of sharding rules: one line a family. An op that none knows is computed whole on every device. */
import type { GraphNode } from "../../../ir/graph.js";
import { broadcastTo, concat, reshape, slices, transpose, windows } from "./arrangement.js";
import { convolution, matmul } from "./contractions.js";
import { elementwise } from "./elementwise.js";
import { scatterAdd, scatterAddAlongAxis, take, takeAlongAxis } from "./indexing.js";
import { alongAxis, reductions } from "./reductions.js";
import { type OpRule, RuleBuilder, type RuleFamily } from "./rule.js";

const FAMILIES: readonly RuleFamily[] = [
  elementwise,
  reductions,
  alongAxis,
  matmul,
  convolution,
  reshape,
  transpose,
  broadcastTo,
  slices,
  concat,
  windows,
  take,
  scatterAdd,
  takeAlongAxis,
  scatterAddAlongAxis,
];

const known = new WeakMap<GraphNode, OpRule>();

/** The rule of a node: its op's, for these shapes. */
export function ruleOf(node: GraphNode): OpRule {
  let rule = known.get(node);
  if (!rule) {
    rule = FAMILIES.reduce<OpRule | null>((found, family) => found ?? family(node), null) ?? unknown(node);
    known.set(node, rule);
  }
  return rule;
}

/** Whole on every device. */
function unknown({ op, inputs, outputs }: GraphNode): OpRule {
  const rule = new RuleBuilder();
  return {
    inputs: inputs.map(({ shape }) => rule.whole(shape)),
    outputs: outputs.map(({ shape }) => rule.whole(shape)),
    factors: rule.factors,
    note: `${op.name} has no sharding rule: it is computed whole on every device`,
  };
}
