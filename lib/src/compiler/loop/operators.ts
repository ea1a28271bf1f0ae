/** Scalar operators of loop IR: names of the op registry, with what each means in JavaScript and in C. One row each. */
import type { LoopType } from "./ir.js";

interface Row {
  readonly arity: 1 | 2;
  /** Infix sign of the text form. */
  readonly sign?: string;
  /** `same`: the operands' type; `bool`: a comparison. */
  readonly result: "same" | "bool";
  /** Which types it takes. */
  readonly takes: "number" | "float" | "bool";
  /** As JavaScript; `$0`, `$1` are the operands. */
  readonly js: string;
  /** JavaScript on int32 where it differs. */
  readonly jsInt?: string;
  /** As C on scalars of `$T` (suffix `$f` is "f" for float); a `mls_…` function is defined by the C target. */
  readonly c: string;
}

const compare = (js: string, c = js): Row => ({
  arity: 2,
  result: "bool",
  takes: "number",
  js: `$0 ${js} $1 ? 1 : 0`,
  c: `($0 ${c} $1)`,
});
const logic = (js: string): Row => ({
  arity: 2,
  result: "bool",
  takes: "bool",
  js: `$0 ${js} $1`,
  c: `($0 ${js} $1)`,
});
const unary = (js: string, c: string): Row => ({ arity: 1, result: "same", takes: "float", js, c });

export const OPERATORS = {
  add: { arity: 2, sign: "+", result: "same", takes: "number", js: "$0 + $1", c: "($0 + $1)" },
  sub: { arity: 2, sign: "-", result: "same", takes: "number", js: "$0 - $1", c: "($0 - $1)" },
  mul: {
    arity: 2,
    sign: "*",
    result: "same",
    takes: "number",
    js: "$0 * $1",
    jsInt: "Math.imul($0, $1)",
    c: "($0 * $1)",
  },
  div: { arity: 2, sign: "/", result: "same", takes: "float", js: "$0 / $1", c: "($0 / $1)" },
  maximum: { arity: 2, result: "same", takes: "number", js: "Math.max($0, $1)", c: "mls_max_$S($0, $1)" },
  minimum: { arity: 2, result: "same", takes: "number", js: "Math.min($0, $1)", c: "mls_min_$S($0, $1)" },
  neg: { arity: 1, result: "same", takes: "number", js: "-$0", c: "(-$0)" },
  abs: { arity: 1, result: "same", takes: "number", js: "Math.abs($0)", c: "mls_abs_$S($0)" },
  square: {
    arity: 1,
    result: "same",
    takes: "number",
    js: "$0 * $0",
    jsInt: "Math.imul($0, $0)",
    c: "($0 * $0)",
  },
  relu: { arity: 1, result: "same", takes: "number", js: "Math.max($0, 0)", c: "mls_relu_$S($0)" },
  sqrt: unary("Math.sqrt($0)", "mls_sqrt_$S($0)"),
  exp: unary("Math.exp($0)", "mls_exp_$S($0)"),
  log: unary("Math.log($0)", "mls_log_$S($0)"),
  tanh: unary("Math.tanh($0)", "mls_tanh_$S($0)"),
  sigmoid: unary("1 / (1 + Math.exp(-$0))", "mls_sigmoid_$S($0)"),
  floor: unary("Math.floor($0)", "mls_floor_$S($0)"),
  less: compare("<"),
  lessEqual: compare("<="),
  equal: compare("===", "=="),
  notEqual: compare("!==", "!="),
  logicalAnd: logic("&"),
  logicalOr: logic("|"),
} as const satisfies Record<string, Row>;

export type ScalarOp = keyof typeof OPERATORS;

/** The row of an operator, as plain data. */
export function operator(name: ScalarOp): Row {
  return OPERATORS[name];
}

export function isScalarOp(name: string): name is ScalarOp {
  return Object.hasOwn(OPERATORS, name);
}

/** True if operands of this type may be given to the operator. */
export function takesType(name: ScalarOp, dtype: LoopType): boolean {
  const { takes } = operator(name);
  if (takes === "bool") return dtype === "bool";
  if (takes === "float") return dtype === "float32" || dtype === "float64";
  return dtype === "float32" || dtype === "float64" || dtype === "int32";
}
