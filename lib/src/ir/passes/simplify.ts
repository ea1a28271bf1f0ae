/**
 * Algebraic simplification. Without licences (`needs`) a rule keeps every bit of the result, also for NaN, infinities and
 * the sign of zeros. Derivatives stay the same too: no rule crosses `stopGradient` or picks another subgradient.
 */
import type { Value } from "../graph.js";
import { type Build, type Rule, rewrite, rules } from "../rewrite/rewrite.js";
import type { Pass } from "./pass.js";

/** `x op one constant`, made from the constants c and d. */
const regrouped =
  (name: string, join: (c: number, d: number) => number): Build =>
  ({ values, number }, { op, scalar }, root) =>
    op(name, [values.get("x") as Value, scalar(join(number("c"), number("d")), root.outputs[0].dtype)]);

export const SIMPLIFY: readonly Rule[] = rules([
  // neutral elements
  { match: "mul(x, 1)", to: "x", why: "1 is neutral, also for NaN, infinities and -0" },
  { match: "div(x, 1)", to: "x", why: "1 is neutral" },
  { match: "add(x, -0)", to: "x", why: "-0 is the neutral zero: -0 + -0 is -0" },
  { match: "add(x, 0)", to: "x", needs: ["nsz"], why: "0 is neutral, but turns -0 into 0" },
  { match: "sub(x, -0)", to: "x", needs: ["nsz"], why: "x - -0 is x + 0: -0 would become 0" },
  { match: "sub(x, +0)", to: "x", why: "subtracting 0 keeps -0" },
  { match: "pow(x, 1)", to: "x", why: "the first power" },
  // absorbing elements
  {
    match: "mul(x, 0)",
    to: "0",
    needs: ["nnan", "ninf", "nsz"],
    why: "0 times NaN or infinity is NaN, times -1 it is -0",
  },
  { match: "pow(x, 0)", to: "1", why: "IEEE 754: 1 for every x, NaN too" },
  {
    match: "pow(1, x)",
    to: "1",
    needs: ["nnan"],
    why: "1 for every x, but JavaScript says NaN for NaN and infinities",
  },
  { match: "div(0, x)", to: "0", needs: ["nnan", "ninf", "nsz"], why: "0/0 and 0/NaN are NaN, 0/-1 is -0" },
  // a value with itself
  { match: "sub(x, x)", to: "0", needs: ["nnan", "ninf"], why: "infinity - infinity is NaN" },
  {
    match: "div(x, x)",
    to: "1",
    needs: ["nnan", "ninf"],
    integers: false,
    why: "0/0 and infinity/infinity are NaN",
  },
  { match: "maximum(x, x)", to: "x", why: "idempotent; the gradient's two halves add up" },
  { match: "minimum(x, x)", to: "x", why: "idempotent; the gradient's two halves add up" },
  { match: "where(c:bool, x, x)", to: "x", why: "whichever side, it is x" },
  { match: "where(1, x, y)", to: "x", why: "the condition is true everywhere" },
  { match: "where(0, x, y)", to: "y", why: "the condition is false everywhere" },
  // signs
  { match: "neg(neg(x))", to: "x", why: "two flips of the sign bit" },
  { match: "sub(0, x)", to: "neg(x)", needs: ["nsz"], why: "0 - 0 is 0, -(0) is -0" },
  { match: "sub(-0, x)", to: "neg(x)", why: "-0 - 0 is -0, as -(0) is" },
  { match: "mul(x:float, -1)", to: "neg(x)", why: "a product with -1 flips the sign" },
  { match: "add(x, neg(y))", to: "sub(x, y)", why: "subtraction is addition of the negative" },
  { match: "sub(x, neg(y))", to: "add(x, y)", why: "subtraction is addition of the negative" },
  { match: "mul(neg(x), neg(y))", to: "mul(x, y)", why: "the signs cancel" },
  { match: "div(neg(x), neg(y))", to: "div(x, y)", integers: false, why: "the signs cancel" },
  { match: "abs(neg(x))", to: "abs(x)", integers: false, why: "the sign does not matter" },
  { match: "abs(abs(x))", to: "abs(x)", why: "idempotent" },
  { match: "abs(square(x))", to: "square(x)", integers: false, why: "a square has no sign" },
  { match: "square(neg(x))", to: "square(x)", why: "the sign does not matter" },
  { match: "square(abs(x))", to: "square(x)", why: "the sign does not matter; both slopes are 0 at 0" },
  { match: "cos(neg(x))", to: "cos(x)", integers: false, why: "cosine is even" },
  { match: "sin(neg(x))", to: "neg(sin(x))", integers: false, why: "sine is odd; the sign may meet another" },
  {
    match: "tanh(neg(x))",
    to: "neg(tanh(x))",
    integers: false,
    why: "tanh is odd; the sign may meet another",
  },
  // idempotent functions
  { match: "relu(relu(x))", to: "relu(x)", why: "idempotent" },
  {
    match: "relu(abs(x))",
    to: "abs(x)",
    integers: false,
    why: "not negative already; both slopes are 0 at 0",
  },
  { match: "relu(exp(x))", to: "exp(x)", integers: false, why: "positive already" },
  { match: "relu(sigmoid(x))", to: "sigmoid(x)", integers: false, why: "positive already" },
  { match: "floor(floor(x))", to: "floor(x)", why: "whole already" },
  { match: "round(round(x))", to: "round(x)", why: "whole already" },
  { match: "stopGradient(stopGradient(x))", to: "stopGradient(x)", why: "idempotent" },
  // logic
  { match: "logicalNot(logicalNot(x:bool))", to: "x", why: "two negations of a bool" },
  { match: "logicalAnd(x:bool, x)", to: "x", why: "idempotent" },
  { match: "logicalOr(x:bool, x)", to: "x", why: "idempotent" },
  { match: "logicalAnd(x:bool, 1)", to: "x", why: "true is neutral" },
  { match: "logicalOr(x:bool, 0)", to: "x", why: "false is neutral" },
  { match: "logicalNot(equal(x, y))", to: "notEqual(x, y)", why: "opposites, NaN too: it equals nothing" },
  {
    match: "logicalNot(less(x, y))",
    to: "greaterEqual(x, y)",
    needs: ["nnan"],
    why: "with NaN both are false",
  },
  {
    match: "logicalNot(greater(x, y))",
    to: "lessEqual(x, y)",
    needs: ["nnan"],
    why: "with NaN both are false",
  },
  // functions and their inverses
  {
    match: "log(exp(x))",
    to: "x",
    needs: ["afn", "ninf"],
    why: "exp overflows and underflows, and both round",
  },
  { match: "exp(log(x))", to: "x", needs: ["afn", "nnan"], why: "log of a negative number is NaN" },
  { match: "sqrt(square(x))", to: "abs(x)", needs: ["afn", "ninf"], why: "the square may overflow" },
  {
    match: "square(sqrt(x))",
    to: "x",
    needs: ["afn", "nnan", "nsz"],
    why: "the root of a negative number is NaN",
  },
  { match: "reciprocal(reciprocal(x))", to: "x", needs: ["arcp", "ninf"], why: "both round" },
  {
    match: "log(softmax(x) {axis: a})",
    to: "logSoftmax(x) {axis: a}",
    needs: ["afn"],
    why: "the logarithm of a tiny quotient: the joint form is exact where this one gives -infinity",
  },
  // grouping anew, so that constants meet and fold
  {
    match: "add(add(x, c:const), d:const)",
    to: regrouped("add", (c, d) => c + d),
    needs: ["reassoc"],
    integers: true,
    why: "associative but for rounding; whole numbers wrap alike",
  },
  {
    match: "mul(mul(x, c:const), d:const)",
    to: regrouped("mul", (c, d) => c * d),
    needs: ["reassoc"],
    integers: false,
    why: "associative but for rounding and overflow",
  },
  {
    match: "sub(add(x, c:const), d:const)",
    to: regrouped("add", (c, d) => c - d),
    needs: ["reassoc"],
    why: "associative but for rounding",
  },
  {
    match: "add(mul(a, x), mul(a, y))",
    to: "mul(a, add(x, y))",
    needs: ["reassoc"],
    integers: false,
    why: "distributive but for rounding and overflow: one product less",
  },
  {
    match: "mul(neg(x), c:const)",
    to: ({ values, number }, { op, scalar }, root) =>
      op("mul", [values.get("x") as Value, scalar(-number("c"), root.outputs[0].dtype)]),
    integers: false,
    why: "the sign moves into the constant",
  },
]);

export const simplify: Pass = {
  name: "simplify",
  summary: "algebraic identities: neutral elements, signs, inverses",
  run: (graph, { fastMath }) => rewrite(graph, SIMPLIFY, { fastMath }),
};
