/**
 * Layout and dtype changes cancel. Elementwise ops between two of them are passed first (the changes sink towards the
 * results), so that pairs meet: what the book calls TransData pairs, NCHW to another layout and back. (Book, chapter 5.)
 */
import { type DType, promoteTypes } from "../../core/dtype.js";
import { type Shape, sameShape } from "../../core/shape.js";
import type { GraphNode, Value } from "../graph.js";
import type { Match } from "../rewrite/match.js";
import { type Rule, rewrite, rules } from "../rewrite/rewrite.js";
import type { Pass } from "./pass.js";

const value = ({ values }: Match, name: string): Value => values.get(name) as Value;
const axes = ({ attrs }: Match, name: string): readonly number[] => attrs.get(name) as readonly number[];

/** True if every number of `from` is one of `to`. (Wide integers are not in floats, whatever NumPy's promotion says.) */
function holds(to: DType, from: DType): boolean {
  return promoteTypes(from, to) === to && !(from === "int64" && to !== "int64");
}

export const LAYOUT: readonly Rule[] = rules([
  {
    match: "transpose(x) {axes: p}",
    to: (m) => value(m, "x"),
    when: (m) => axes(m, "p").every((axis, i) => axis === i),
    why: "no axis moves",
  },
  {
    match: "transpose(transpose(x) {axes: p}) {axes: q}",
    to: (m, { op }) =>
      op("transpose", [value(m, "x")], { axes: axes(m, "q").map((axis) => axes(m, "p")[axis]) }),
    why: "axis i of the result is axis q[i] of the middle, which is axis p[q[i]]; inverse pairs leave nothing",
  },
  {
    match: "reshape(x) {shape: s}",
    to: (m) => value(m, "x"),
    when: (m, root) => sameShape(value(m, "x").shape, root.outputs[0].shape),
    why: "the shape is the same",
  },
  {
    match: "reshape(reshape(x)) {shape: s}",
    to: "reshape(x) {shape: s}",
    why: "both keep the row-major order",
  },
  {
    match: "broadcastTo(x) {shape: s}",
    to: (m) => value(m, "x"),
    when: (m, root) => sameShape(value(m, "x").shape, root.outputs[0].shape),
    why: "nothing is repeated",
  },
  {
    match: "broadcastTo(broadcastTo(x)) {shape: s}",
    to: "broadcastTo(x) {shape: s}",
    why: "repeating twice is repeating",
  },
  {
    match: "cast(x) {dtype: d}",
    to: (m) => value(m, "x"),
    when: (m, root) => value(m, "x").dtype === root.outputs[0].dtype,
    why: "the dtype is the same",
  },
  {
    match: "cast(cast(x)) {dtype: d}",
    to: "cast(x) {dtype: d}",
    when: (m, root) => holds(root.inputs[0].dtype, value(m, "x").dtype),
    why: "the dtype between holds every number of the first: the way there loses nothing",
  },
  // sinking: only elementwise ops, which don't care where an element lies
  {
    match: "?f(transpose(x) {axes: p})",
    to: "transpose(?f(x)) {axes: p}",
    why: "element by element; the transpose may meet its inverse below",
  },
  {
    match: "?f(reshape(x) {shape: s})",
    to: "reshape(?f(x)) {shape: s}",
    why: "element by element, in the same order",
  },
  {
    match: "?f(transpose(x) {axes: p}, transpose(y) {axes: p})",
    to: "transpose(?f(x, y)) {axes: p}",
    why: "both operands move alike; with equal rank, broadcast axes stay paired",
  },
  {
    match: "?f(transpose(x) {axes: p}, c:scalar)",
    to: "transpose(?f(x, c)) {axes: p}",
    why: "a scalar is the same everywhere",
  },
  {
    match: "?f(c:scalar, transpose(x) {axes: p})",
    to: "transpose(?f(c, x)) {axes: p}",
    why: "a scalar is the same everywhere",
  },
  {
    match: "?f(reshape(x) {shape: s}, c:scalar)",
    to: "reshape(?f(x, c)) {shape: s}",
    why: "a scalar is the same everywhere",
  },
  {
    match: "?f(c:scalar, reshape(x) {shape: s})",
    to: "reshape(?f(c, x)) {shape: s}",
    why: "a scalar is the same everywhere",
  },
  {
    match: "?f(reshape(x) {shape: s}, reshape(y) {shape: s})",
    to: "reshape(?f(x, y)) {shape: s}",
    when: (m) => sameShape(value(m, "x").shape, value(m, "y").shape),
    why: "the same elements meet",
  },
  // expanding: elementwise ops repeat their operands themselves
  {
    match: "?f(x, broadcastTo(y))",
    to: "?f(x, y)",
    when: (m, root) => sameShape(value(m, "x").shape, root.outputs[0].shape) && isRepeated(m, root),
    why: "the other operand has the full shape: the repeated one need not be there",
  },
  {
    match: "?f(broadcastTo(y), x)",
    to: "?f(y, x)",
    when: (m, root) => sameShape(value(m, "x").shape, root.outputs[0].shape) && isRepeated(m, root),
    why: "the other operand has the full shape: the repeated one need not be there",
  },
  {
    match: "sum(transpose(x) {axes: p}) {axes: a, keepDims: k}",
    to: (m, { op }) => {
      const from = axes(m, "a").map((axis) => axes(m, "p")[axis]);
      return op("sum", [value(m, "x")], { axes: from.sort((a, b) => a - b), keepDims: false });
    },
    when: (m) => m.attrs.get("k") === false && keepsOrder(axes(m, "p"), axes(m, "a")),
    needs: ["reassoc"],
    why: "the same elements are summed, in another order",
  },
  {
    match: "matmul(transpose(x) {axes: p}, transpose(y) {axes: p})",
    to: "transpose(matmul(y, x)) {axes: p}",
    when: (m) => isMatrixTranspose(axes(m, "p")),
    needs: ["reassoc"],
    why: "AᵀBᵀ = (BA)ᵀ: two copies less; a kernel may sum in another order",
  },
]);

/** True if the op's own rule of repetition gives the same result's shape. */
function isRepeated(m: Match, root: GraphNode): boolean {
  const { shape } = value(m, "y");
  const wanted = root.outputs[0].shape;
  return (
    shape.length <= wanted.length && shape.every((dim, i) => dim === 1 || dim === wanted.at(i - shape.length))
  );
}

/** The axes that are left stand in the same order before the transpose as after it. */
function keepsOrder(order: readonly number[], reduced: readonly number[]): boolean {
  const left: Shape = order.filter((_, i) => !reduced.includes(i));
  return left.every((axis, i) => i === 0 || left[i - 1] < axis);
}

const isMatrixTranspose = (order: readonly number[]): boolean => order.length === 2 && order[0] === 1;

export const layout: Pass = {
  name: "layout",
  summary: "cancels transposes, reshapes, repetitions and casts",
  run: (graph, { fastMath }) => rewrite(graph, LAYOUT, { fastMath }),
};
