/** Hindley–Milner type inference for a functional core language, step by step. */
export { Inference, type InferenceStep, infer, PRELUDE, typeOf } from "./infer.js";
export { type Expression, format, parse, SyntaxProblem } from "./syntax.js";
export {
  arrow,
  BOOL,
  formatType,
  INT,
  type Scheme,
  type Substitution,
  type Type,
  TypeProblem,
  unify,
  variable,
} from "./types.js";
