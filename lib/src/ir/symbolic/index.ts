/** Symbolic expressions and their derivatives, to hold against automatic differentiation. */
export { coefficients, derivative, simplify } from "./derivative.js";
export {
  apply,
  dagSize,
  type Expression,
  evaluate,
  fromGraph,
  number,
  type SymbolicOp,
  symbol,
  treeSize,
} from "./expression.js";
export { format, parse } from "./text.js";
