/**
 * Ops by index. Where the indexed axis is cut, each device serves the indices that fall into its part and has zeros for the
 * others: a term of a sum (Megatron's vocabulary-parallel embedding). Scattering the other way round.
 */

import type { GraphBuilder } from "../../../ir/builder.js";
import { constantOf } from "../../../ir/data.js";
import type { Value } from "../../../ir/graph.js";
import { getOp } from "../../../ops/registry.js";
import { type LocalView, RuleBuilder, type RuleFamily } from "./rule.js";

const scalar = (builder: GraphBuilder, value: number, dtype: Value["dtype"]): Value =>
  builder.constant(constantOf([value], { shape: [], dtype }));

/** Indices into this device's part, with 0 for those that belong to others, and which ones are its own. */
function ownIndices(
  builder: GraphBuilder,
  index: Value,
  size: number,
  [vocabulary]: readonly number[],
  view: LocalView,
): { at: Value; own: Value } {
  const apply = (name: string, ...inputs: Value[]) => builder.node(getOp(name), inputs)[0];
  const number = (value: number) => scalar(builder, value, index.dtype);
  const rows = size / view.parts(vocabulary);
  const counted = apply("where", apply("less", index, number(0)), apply("add", index, number(size)), index);
  const local = apply("sub", counted, number(rows * view.part(vocabulary)));
  const own = apply(
    "logicalAnd",
    apply("greaterEqual", local, number(0)),
    apply("less", local, number(rows)),
  );
  return { at: apply("where", own, local, number(0)), own };
}

/** Zeros where `own` is false; its axes stand at `axis` of `x`. */
function kept(builder: GraphBuilder, x: Value, own: Value, axis: number): Value {
  const after = x.shape.length - axis - own.shape.length;
  const shape = [...new Array<number>(axis).fill(1), ...own.shape, ...new Array<number>(after).fill(1)];
  const [mask] = builder.node(getOp("reshape"), [own], { shape });
  return builder.node(getOp("where"), [mask, x, scalar(builder, 0, x.dtype)])[0];
}

export const take: RuleFamily = ({ op, inputs: [x, index], attrs }) => {
  if (op.name !== "take") return null;
  const { axis } = attrs as { readonly axis: number };
  const rule = new RuleBuilder();
  const from = x.shape.map((size, i) => rule.dim(size, i === axis ? "sum" : "parallel"));
  const at = index.shape.map((size) => rule.dim(size));
  return {
    factors: rule.factors,
    inputs: [from, at],
    outputs: [[...from.slice(0, axis), ...at, ...from.slice(axis + 1)]],
    linear: [0],
    write: (builder, [part, where], view) => {
      if (from[axis].length === 0 || view.parts(from[axis][0]) === 1)
        return builder.node(op, [part, where], attrs);
      const { at: local, own } = ownIndices(builder, where, x.shape[axis], from[axis], view);
      const [rows] = builder.node(op, [part, local], attrs);
      return [kept(builder, rows, own, axis)];
    },
  };
};

export const scatterAdd: RuleFamily = ({ op, inputs: [index, _x], outputs: [y], attrs }) => {
  if (op.name !== "scatterAdd") return null;
  const { axis } = attrs as { readonly axis: number };
  const rule = new RuleBuilder();
  const at = index.shape.map((size) => rule.dim(size, "sum"));
  const to = y.shape.map((size) => rule.dim(size));
  return {
    factors: rule.factors,
    inputs: [at, [...to.slice(0, axis), ...at, ...to.slice(axis + 1)]],
    outputs: [to],
    linear: [1],
    write: (builder, [where, values], view) => {
      const local = { ...attrs, size: view.outputs[0][axis] };
      if (to[axis].length === 0 || view.parts(to[axis][0]) === 1)
        return builder.node(op, [where, values], local);
      const { at: rows, own } = ownIndices(builder, where, y.shape[axis], to[axis], view);
      return builder.node(op, [rows, kept(builder, values, own, axis)], local);
    },
  };
};

export const takeAlongAxis: RuleFamily = ({ op, inputs: [x, index], attrs }) => {
  if (op.name !== "takeAlongAxis") return null;
  const { axis } = attrs as { readonly axis: number };
  const rule = new RuleBuilder();
  const from = x.shape.map((size, i) => rule.dim(size, i === axis ? "sum" : "parallel"));
  const at = index.shape.map((size, i) => (i === axis ? rule.dim(size) : from[i]));
  return {
    factors: rule.factors,
    inputs: [from, at],
    outputs: [at],
    linear: [0],
    write: (builder, [part, where], view) => {
      if (from[axis].length === 0 || view.parts(from[axis][0]) === 1)
        return builder.node(op, [part, where], attrs);
      const { at: local, own } = ownIndices(builder, where, x.shape[axis], from[axis], view);
      const [found] = builder.node(op, [part, local], attrs);
      return [kept(builder, found, own, 0)];
    },
  };
};

export const scatterAddAlongAxis: RuleFamily = ({ op, inputs: [index], outputs: [y], attrs }) => {
  if (op.name !== "scatterAddAlongAxis") return null;
  const { axis } = attrs as { readonly axis: number };
  const rule = new RuleBuilder();
  const to = y.shape.map((size) => rule.dim(size));
  const at = index.shape.map((size, i) => (i === axis ? rule.dim(size, "sum") : to[i]));
  return {
    factors: rule.factors,
    inputs: [at, at],
    outputs: [to],
    linear: [1],
    write: (builder, [where, values], view) => {
      const local = { ...attrs, size: view.outputs[0][axis] };
      if (to[axis].length === 0 || view.parts(to[axis][0]) === 1)
        return builder.node(op, [where, values], local);
      const { at: rows, own } = ownIndices(builder, where, y.shape[axis], to[axis], view);
      return builder.node(op, [rows, kept(builder, values, own, 0)], local);
    },
  };
};
