/** Contractions: matrix products, convolutions and their gradients. Cutting what is summed over leaves terms of a sum. */
import { type DimFactors, RuleBuilder, type RuleFamily } from "./rule.js";

export const matmul: RuleFamily = ({ op, inputs: [a, b], outputs: [y] }) => {
  if (op.name !== "matmul") return null;
  const rule = new RuleBuilder();
  const batch = y.shape.slice(0, -2).map((size) => rule.dim(size));
  const m = rule.dim(a.shape[a.shape.length - 2]);
  const k = rule.dim(a.shape[a.shape.length - 1], "sum");
  const n = rule.dim(b.shape[b.shape.length - 1]);
  const lead = (shape: readonly number[]): DimFactors =>
    shape.slice(0, -2).map((size, i) => (size === 1 ? [] : batch[batch.length - (shape.length - 2) + i]));
  return {
    factors: rule.factors,
    inputs: [
      [...lead(a.shape), m, k],
      [...lead(b.shape), k, n],
    ],
    outputs: [[...batch, m, n]],
    linear: [0, 1],
  };
};

/** Images (n, i, h, w), filters (o, i, kh, kw), results (n, o, h', w'): which of n, o, i is summed over depends on the op. */
const CONV = {
  conv2d: ["x", "w", "y", "i"],
  conv2dInputGrad: ["y", "w", "x", "o"],
  conv2dWeightGrad: ["x", "y", "w", "n"],
} as const;

export const convolution: RuleFamily = ({ op, inputs, outputs, attrs }) => {
  const row = (CONV as Readonly<Record<string, readonly [string, string, string, string]>>)[op.name];
  if (!row) return null;
  const [first, second, result, summed] = row;
  const shapes = { [first]: inputs[0].shape, [second]: inputs[1].shape, [result]: outputs[0].shape };
  const rule = new RuleBuilder();
  // channels of groups are not a plain loop of the nest
  const channels = (attrs as { readonly groups: number }).groups === 1 ? "parallel" : "whole";
  const factor = (name: string, size: number, kind: "parallel" | "whole") =>
    rule.dim(size, name === summed && kind === "parallel" ? "sum" : kind);
  const n = factor("n", shapes.x[0], "parallel");
  const o = factor("o", shapes.w[0], channels);
  const i = channels === "parallel" ? factor("i", shapes.x[1], channels) : rule.dim(shapes.x[1], "whole");
  const filter = channels === "parallel" ? i : rule.dim(shapes.w[1], "whole");
  const dims: Readonly<Record<string, DimFactors>> = {
    x: [n, i, ...rule.whole(shapes.x.slice(2))],
    w: [o, filter, ...rule.whole(shapes.w.slice(2))],
    y: [n, o, ...rule.whole(shapes.y.slice(2))],
  };
  return {
    factors: rule.factors,
    inputs: [dims[first], dims[second]],
    outputs: [dims[result]],
    linear: [0, 1],
  };
};
