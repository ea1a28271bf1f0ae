/** Reductions: along a cut axis each device has a term of the result. Ops that go along an axis need it whole. */
import type { ReduceAttrs } from "../../../ops/reduce.js";
import { type FactorKind, RuleBuilder, type RuleFamily } from "./rule.js";

const COMBINED: Readonly<Record<string, FactorKind>> = {
  ...{ sum: "sum", prod: "product", max: "max", min: "min" },
  ...{ any: "whole", all: "whole" },
};

export const reductions: RuleFamily = ({ op, inputs: [x], attrs }) => {
  const kind = COMBINED[op.name];
  if (kind === undefined) return null;
  const { axes, keepDims } = attrs as ReduceAttrs;
  const rule = new RuleBuilder();
  const dims = x.shape.map((size, i) => rule.dim(size, axes.includes(i) ? kind : "parallel"));
  const kept = dims.flatMap((dim, i) => (!axes.includes(i) ? [dim] : keepDims ? [[]] : []));
  return {
    factors: rule.factors,
    inputs: [dims],
    outputs: [kept],
    linear: op.name === "sum" ? "joint" : undefined,
  };
};

/** Ops that work along `axis` and keep the others apart, with results of the operand's shape or without that axis. */
const ALONG: ReadonlySet<string> = new Set([
  ...["softmax", "logSoftmax", "cumsum", "cumprod", "cummax", "cummin", "sort", "argmax", "argmin"],
]);

export const alongAxis: RuleFamily = ({ op, inputs: [x], outputs, attrs }) => {
  if (!ALONG.has(op.name)) return null;
  const { axis } = attrs as { readonly axis: number };
  const rule = new RuleBuilder();
  const dims = x.shape.map((size, i) => rule.dim(size, i === axis ? "whole" : "parallel"));
  return {
    factors: rule.factors,
    inputs: [dims],
    outputs: outputs.map(({ shape }) =>
      shape.length === x.shape.length ? dims : dims.filter((_, i) => i !== axis),
    ),
    linear: op.name === "cumsum" ? "joint" : undefined,
  };
};
