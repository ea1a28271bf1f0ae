/** What each elementwise op is in CUDA C++: a row per op, by registry name. */
import type { DType } from "../../core/dtype.js";
import { computed, TYPES } from "./types.js";

type Formula = (...x: string[]) => string;

interface Row {
  /** On float and double: the functions are overloaded. */
  readonly float?: Formula;
  readonly int?: Formula;
  readonly bool?: Formula;
  /** The result is bool. */
  readonly mask?: boolean;
  /** Attributes that come as further operands, as numbers of the arithmetic. */
  readonly attrs?: readonly string[];
}

const f = (float: Formula): Row => ({ float });
const call = (name: string): Row => f((...x) => `${name}(${x.join(", ")})`);
const both = (formula: Formula): Row => ({ float: formula, int: formula });
const infix = (operator: string): Row => both((a, b) => `(${a} ${operator} ${b})`);
const compare = (operator: string): Row => {
  const formula: Formula = (a, b) => `(${a} ${operator} ${b})`;
  return { float: formula, int: formula, bool: formula, mask: true };
};
const truth = (formula: Formula): Row => ({
  float: (...x) => formula(...x.map((v) => `(${v} != 0)`)),
  int: (...x) => formula(...x.map((v) => `(${v} != 0)`)),
  bool: formula,
  mask: true,
});
const bits = (operator: string, onBools: string): Row => ({
  int: (a, b) => `(${a} ${operator} ${b})`,
  bool: (a, b) => `(${a} ${onBools} ${b})`,
});
const keep: Formula = (x) => x;

const ROWS: Readonly<Record<string, Row>> = {
  add: infix("+"),
  sub: infix("-"),
  mul: infix("*"),
  div: f((a, b) => `(${a} / ${b})`),
  maximum: both((a, b) => `m_max(${a}, ${b})`),
  minimum: both((a, b) => `m_min(${a}, ${b})`),
  pow: call("pow"),
  atan2: call("atan2"),
  fmod: call("fmod"),
  remainder: call("m_mod"),
  floorDivide: f((a, b) => `floor(${a} / ${b})`),
  hypot: call("hypot"),
  copySign: call("copysign"),
  logAddExp: f(
    (a, b) =>
      `(${a} == ${b} ? ${a} + 0.6931471805599453 : m_max(${a}, ${b}) + log1p(exp(-fabs(${a} - ${b}))))`,
  ),
  xlogy: f((a, b) => `(${a} == 0 && ${b} == ${b} ? 0 : ${a} * log(${b}))`),
  heaviside: f((a, b) => `(${a} != ${a} ? ${a} : ${a} < 0 ? 0 : ${a} > 0 ? 1 : ${b})`),
  equal: compare("=="),
  notEqual: compare("!="),
  less: compare("<"),
  lessEqual: compare("<="),
  greater: compare(">"),
  greaterEqual: compare(">="),
  logicalAnd: truth((a, b) => `(${a} && ${b})`),
  logicalOr: truth((a, b) => `(${a} || ${b})`),
  logicalXor: truth((a, b) => `(${a} != ${b})`),
  logicalNot: truth((x) => `(!${x})`),
  bitwiseAnd: bits("&", "&&"),
  bitwiseOr: bits("|", "||"),
  bitwiseXor: bits("^", "!="),
  leftShift: { int: (a, b) => `(int)((unsigned)${a} << (${b} & 31))` },
  rightShift: { int: (a, b) => `(${a} >> (${b} & 31))` },
  isnan: { float: (x) => `(${x} != ${x})`, int: () => "false", mask: true },
  isfinite: { float: (x) => `m_finite(${x})`, int: () => "true", mask: true },
  isinf: { float: (x) => `(${x} == ${x} && !m_finite(${x}))`, int: () => "false", mask: true },
  signbit: { float: (x) => `m_signbit(${x})`, int: (x) => `(${x} < 0)`, mask: true },
  neg: both((x) => `(-${x})`),
  abs: { float: (x) => `fabs(${x})`, int: (x) => `(${x} < 0 ? -${x} : ${x})` },
  sign: { float: (x) => `(${x} > 0 ? 1 : ${x} < 0 ? -1 : ${x})`, int: (x) => `m_sign(${x})` },
  square: both((x) => `(${x} * ${x})`),
  sqrt: call("sqrt"),
  rsqrt: f((x) => `(1 / sqrt(${x}))`),
  reciprocal: f((x) => `(1 / ${x})`),
  cbrt: call("cbrt"),
  floor: { ...call("floor"), int: keep },
  ceil: { ...call("ceil"), int: keep },
  round: { ...call("rint"), int: keep },
  trunc: { ...call("trunc"), int: keep },
  frac: f((x) => `(${x} - trunc(${x}))`),
  deg2rad: f((x) => `(${x} * 0.017453292519943295)`),
  rad2deg: f((x) => `(${x} * 57.29577951308232)`),
  exp: call("exp"),
  exp2: call("exp2"),
  expm1: call("expm1"),
  log: call("log"),
  log2: call("log2"),
  log10: call("log10"),
  log1p: call("log1p"),
  sin: call("sin"),
  cos: call("cos"),
  tan: call("tan"),
  asin: call("asin"),
  acos: call("acos"),
  atan: call("atan"),
  sinh: call("sinh"),
  cosh: call("cosh"),
  tanh: call("tanh"),
  asinh: call("asinh"),
  acosh: call("acosh"),
  atanh: call("atanh"),
  sinc: f((x) => `(${x} == 0 ? 1 : sin(${x} * 3.141592653589793) / (${x} * 3.141592653589793))`),
  erf: call("erf"),
  erfc: call("erfc"),
  lgamma: call("lgamma"),
  logit: f((x) => `log(${x} / (1 - ${x}))`),
  sigmoid: call("m_sigmoid"),
  logSigmoid: f((x) => `(-m_softplus(-${x}))`),
  softplus: call("m_softplus"),
  relu: both((x) => `(${x} < 0 ? 0 : ${x})`),
  relu6: both((x) => `(${x} < 0 ? 0 : ${x} > 6 ? 6 : ${x})`),
  leakyRelu: { ...f((x, slope) => `(${x} > 0 ? ${x} : ${x} * ${slope})`), attrs: ["slope"] },
  elu: f((x) => `(${x} > 0 ? ${x} : expm1(${x}))`),
  selu: f((x) => `(1.0507009873554805 * (${x} > 0 ? ${x} : 1.6732632423543772 * expm1(${x})))`),
  silu: f((x) => `(${x} * m_sigmoid(${x}))`),
  softsign: f((x) => `(${x} / (1 + fabs(${x})))`),
  mish: f((x) => `(${x} * tanh(m_softplus(${x})))`),
  gelu: f((x) => `(0.5 * ${x} * (1 + erf(${x} * 0.7071067811865476)))`),
  geluTanh: f(
    (x) => `(0.5 * ${x} * (1 + tanh(0.7978845608028654 * (${x} + 0.044715 * ${x} * ${x} * ${x}))))`,
  ),
  hardSigmoid: call("m_hard_sigmoid"),
  hardSwish: f((x) => `(${x} * m_hard_sigmoid(${x}))`),
  clip: {
    ...both((x, low, high) => `(${x} != ${x} ? ${x} : m_min(m_max(${x}, ${low}), ${high}))`),
    attrs: ["low", "high"],
  },
};

/** Names of the elementwise ops that have a formula, and `cast` and `where`. */
export const FORMULA_OPS: readonly string[] = [...Object.keys(ROWS), "cast", "where"];

/** Attributes of an op that are operands of its formula. */
export const formulaAttrs = (op: string): readonly string[] => ROWS[op]?.attrs ?? [];

/** The text of an op on operands of a dtype, of the result's arithmetic; null if there is none. */
export function formulaOf(op: string, dtypes: readonly DType[], to: DType | undefined): Formula | null {
  if (op === "where") return (condition, yes, no) => `(${condition} ? ${yes} : ${no})`;
  if (op === "cast") return to === undefined ? null : castFormula(dtypes[0], to);
  const type = computed(dtypes[0]);
  const row = ROWS[op];
  const formula = type === "float" || type === "double" ? row?.float : type === "bool" ? row?.bool : row?.int;
  return formula ?? null;
}

/** The dtype of an op's result. */
export function formulaType(op: string, dtypes: readonly DType[], to: DType | undefined): DType {
  if (to !== undefined) return to;
  if (op === "where") return dtypes[1];
  return ROWS[op]?.mask ? "bool" : dtypes[0];
}

function castFormula(from: DType, to: DType): Formula {
  const [a, b] = [computed(from), computed(to)];
  if (b === "bool") return (x) => (a === "bool" ? x : `(${x} != 0)`);
  if (b === "float" || b === "double") return (x) => `(${b})(${x})`;
  // As JavaScript stores numbers into integers: NaN and infinities are 0, others wrap around.
  if (b === "int") return (x) => `m_to_int(${x})`;
  return (x) => (a === "float" || a === "double" ? `m_to_long(${x})` : `(long long)(${x})`);
}

/** Numbers in a text as float: a double among them would draw all the arithmetic to double. */
export const inFloat = (text: string): string => text.replace(/\b\d+\.\d+\b/g, "$&f");

/** A result as its dtype holds it. */
export const narrowed = (dtype: DType, text: string): string => TYPES[dtype].narrow?.(text) ?? text;
