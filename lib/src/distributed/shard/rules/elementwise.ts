/** Elementwise ops: every dimension of the result is a factor, and operands have it or broadcast along it. */
import { type OpRule, RuleBuilder, type RuleFamily } from "./rule.js";

/** Operands in which an op is linear. */
const LINEAR: Readonly<Record<string, OpRule["linear"]>> = {
  ...{ add: "joint", sub: "joint", neg: "joint", shard: "joint" },
  ...{ mul: [0, 1], div: [0] },
};

export const elementwise: RuleFamily = (node) => {
  const { op, inputs, outputs } = node;
  if (op.kind !== "elementwise" && op.name !== "shard" && op.name !== "stopGradient") return null;
  const [{ shape }] = outputs;
  const rule = new RuleBuilder();
  const out = shape.map((size) => rule.dim(size));
  return {
    factors: rule.factors,
    inputs: inputs.map((x) => {
      const lead = shape.length - x.shape.length;
      return x.shape.map((size, i) => (size === 1 ? [] : out[lead + i]));
    }),
    outputs: outputs.map(() => out),
    linear: LINEAR[op.name],
  };
};
