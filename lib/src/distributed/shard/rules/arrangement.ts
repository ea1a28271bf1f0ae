/** Ops that rearrange elements: reshape, transpose, broadcastTo, slice and unslice, concat, windows of pooling. */
import type { Shape } from "../../../core/shape.js";
import { type DimFactors, type LocalView, RuleBuilder, type RuleFamily } from "./rule.js";

/** Sizes read as factors of both shapes: (8, 6) → (4, 2, 6) has 4, 2 and 6. What has no common factors is whole. */
function reshaped(rule: RuleBuilder, from: Shape, to: Shape): [DimFactors, DimFactors] {
  if (from.includes(0)) return [rule.whole(from), rule.whole(to)];
  const dims: [number[][], number[][]] = [from.map(() => []), to.map(() => [])];
  const next = [0, 0];
  const rest = [1, 1]; // what is left of the dimension in front of `next`
  const shapes = [from, to];
  const refill = (side: 0 | 1): void => {
    while (rest[side] === 1 && next[side] < shapes[side].length) rest[side] = shapes[side][next[side]++];
  };
  for (;;) {
    refill(0);
    refill(1);
    const [a, b] = rest;
    if (a === 1 && b === 1) return dims;
    const size = Math.min(a, b);
    if (a % size === 0 && b % size === 0) {
      const [factor] = rule.dim(size);
      dims[0][next[0] - 1].push(factor);
      dims[1][next[1] - 1].push(factor);
      rest[0] /= size;
      rest[1] /= size;
      continue;
    }
    // nothing common: go on until the products agree; those dimensions are whole
    const start = [next[0] - 1, next[1] - 1];
    const product = [a, b];
    while (product[0] !== product[1]) {
      const side = product[0] < product[1] ? 0 : 1;
      product[side] *= shapes[side][next[side]++];
    }
    for (const side of [0, 1])
      for (let i = start[side]; i < next[side]; i++)
        dims[side][i].push(...rule.dim(shapes[side][i], "whole"));
    rest[0] = 1;
    rest[1] = 1;
  }
}

export const reshape: RuleFamily = ({ op, inputs: [x], outputs: [y] }) => {
  if (op.name !== "reshape") return null;
  const rule = new RuleBuilder();
  const [from, to] = reshaped(rule, x.shape, y.shape);
  return { factors: rule.factors, inputs: [from], outputs: [to], linear: "joint" };
};

export const transpose: RuleFamily = ({ op, inputs: [x], attrs }) => {
  if (op.name !== "transpose") return null;
  const rule = new RuleBuilder();
  const dims = x.shape.map((size) => rule.dim(size));
  const { axes } = attrs as { readonly axes: readonly number[] };
  return { factors: rule.factors, inputs: [dims], outputs: [axes.map((a) => dims[a])], linear: "joint" };
};

export const broadcastTo: RuleFamily = ({ op, inputs: [x], outputs: [y] }) => {
  if (op.name !== "broadcastTo") return null;
  const rule = new RuleBuilder();
  const out = y.shape.map((size) => rule.dim(size));
  const lead = out.length - x.shape.length;
  const from = x.shape.map((size, i) => (size === 1 ? [] : out[lead + i]));
  return { factors: rule.factors, inputs: [from], outputs: [out], linear: "joint" };
};

interface SliceAttrs {
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
}

/** slice and its transpose: dimensions that are taken as a whole may be cut. */
export const slices: RuleFamily = ({ op, inputs: [x], outputs: [y], attrs }) => {
  if (op.name !== "slice" && op.name !== "unslice") return null;
  const { starts, steps } = attrs as SliceAttrs;
  const rule = new RuleBuilder();
  const whole = x.shape.map((size, i) => size === y.shape[i] && starts[i] === 0 && steps[i] === 1);
  const from = x.shape.map((size, i) => rule.dim(size, whole[i] ? "parallel" : "whole"));
  const to = y.shape.map((size, i) => (whole[i] ? from[i] : rule.dim(size, "whole")));
  return {
    factors: rule.factors,
    inputs: [from],
    outputs: [to],
    linear: "joint",
    attrs: ({ outputs: [local] }: LocalView) => ({
      ...attrs,
      sizes: (attrs as SliceAttrs).sizes.map((size, i) => (whole[i] ? local[i] : size)),
      ...(op.name === "unslice" ? { shape: local } : {}),
    }),
  };
};

export const concat: RuleFamily = ({ op, inputs, outputs: [y], attrs }) => {
  if (op.name !== "concat") return null;
  const { axis } = attrs as { readonly axis: number };
  const rule = new RuleBuilder();
  const out = y.shape.map((size, i) => rule.dim(size, i === axis ? "whole" : "parallel"));
  return {
    factors: rule.factors,
    inputs: inputs.map((x) => x.shape.map((size, i) => (i === axis ? rule.dim(size, "whole") : out[i]))),
    outputs: [out],
    linear: "joint",
  };
};

/** Images (n, c, h, w) and their windows (n, c, h', w', kh, kw). */
export const windows: RuleFamily = ({ op, inputs: [x], outputs: [y] }) => {
  if (op.name !== "windows2d" && op.name !== "foldWindows2d") return null;
  const rule = new RuleBuilder();
  const shared = [rule.dim(x.shape[0]), rule.dim(x.shape[1])];
  return {
    factors: rule.factors,
    inputs: [[...shared, ...rule.whole(x.shape.slice(2))]],
    outputs: [[...shared, ...rule.whole(y.shape.slice(2))]],
    linear: "joint",
  };
};
