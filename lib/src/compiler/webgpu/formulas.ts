/** What each elementwise op is in WGSL, on four elements at once: a row per op, by registry name. */
import type { DType } from "../../core/dtype.js";
import { computedAs, isStored } from "./shader.js";

type Formula = (...x: string[]) => string;

interface Row {
  readonly f32?: Formula;
  readonly i32?: Formula;
  readonly bool?: Formula;
  /** The result is bool. */
  readonly mask?: boolean;
  /** Attributes that come as further operands, as numbers of the uniform. */
  readonly attrs?: readonly string[];
}

const f = (formula: Formula): Row => ({ f32: formula });
const call = (name: string): Row => f((...x) => `${name}(${x.join(", ")})`);
const both = (formula: Formula): Row => ({ f32: formula, i32: formula });
const infix = (operator: string): Row => both((a, b) => `(${a} ${operator} ${b})`);
const compare = (operator: string): Row => ({ ...infix(operator), mask: true });
const truth = (formula: Formula): Row => ({
  // NaN is not 0; WGSL's != is false for it.
  f32: (...x) => formula(...x.map((v) => `(!(${v} == vec4f(0.0)))`)),
  i32: (...x) => formula(...x.map((v) => `(${v} != vec4i(0))`)),
  bool: formula,
  mask: true,
});
const keep: Formula = (x) => x;
const not: Formula = (x) => `(!(${x}))`;
const differ: Formula = (a, b) => `(${a} != ${b})`;
const bits = (operator: string, onBools: string): Row => ({
  i32: (a, b) => `(${a} ${operator} ${b})`,
  bool: (a, b) => `(${a} ${onBools} ${b})`,
});
const zero = "vec4f(0.0)";
const hardSigmoid = (x: string): string => `(clamp(${x} + 3.0, ${zero}, vec4f(6.0)) / 6.0)`;
const nanOr = (x: string, y: string): string => `select(${y}, ${x}, m_isnan(${x}))`;

const ROWS: Readonly<Record<string, Row>> = {
  add: infix("+"),
  sub: infix("-"),
  mul: infix("*"),
  div: f((a, b) => `(${a} / ${b})`),
  maximum: { f32: (a, b) => `m_max(${a}, ${b})`, i32: (a, b) => `max(${a}, ${b})` },
  minimum: { f32: (a, b) => `m_min(${a}, ${b})`, i32: (a, b) => `min(${a}, ${b})` },
  pow: call("m_pow"),
  atan2: call("m_atan2"),
  fmod: { ...call("m_fmod"), i32: (a, b) => `select((${a} % ${b}), vec4i(0), ${b} == vec4i(0))` },
  remainder: { ...call("m_mod"), i32: (a, b) => `m_imod(${a}, ${b})` },
  floorDivide: { ...call("m_floordiv"), i32: (a, b) => `m_ifloordiv(${a}, ${b})` },
  hypot: call("m_hypot"),
  copySign: call("m_copysign"),
  logAddExp: f(
    (a, b) =>
      `select(max(${a}, ${b}) + m_log1p(m_exp(-abs(${a} - ${b}))), ${a} + 0.69314718056, ${a} == ${b})`,
  ),
  xlogy: f((a, b) => `select(${a} * m_log(${b}), ${zero}, (${a} == ${zero}) & !m_isnan(${b}))`),
  heaviside: f((a, b) =>
    nanOr(a, `select(select(${b}, vec4f(1.0), ${a} > ${zero}), ${zero}, ${a} < ${zero})`),
  ),
  equal: { ...compare("=="), bool: (a, b) => `(${a} == ${b})` },
  notEqual: { f32: (a, b) => `(!(${a} == ${b}))`, i32: differ, bool: differ, mask: true },
  less: compare("<"),
  lessEqual: compare("<="),
  greater: compare(">"),
  greaterEqual: compare(">="),
  logicalAnd: truth((a, b) => `(${a} & ${b})`),
  logicalOr: truth((a, b) => `(${a} | ${b})`),
  logicalXor: truth(differ),
  logicalNot: truth(not),
  bitwiseAnd: bits("&", "&"),
  bitwiseOr: bits("|", "|"),
  bitwiseXor: bits("^", "!="),
  leftShift: { i32: (a, b) => `(${a} << (vec4u(${b}) & vec4u(31u)))` },
  rightShift: { i32: (a, b) => `(${a} >> (vec4u(${b}) & vec4u(31u)))` },
  isnan: { ...call("m_isnan"), i32: (x) => `(${x} != ${x})`, mask: true },
  isfinite: { ...call("m_isfinite"), i32: (x) => `(${x} == ${x})`, mask: true },
  isinf: { ...call("m_isinf"), i32: (x) => `(${x} != ${x})`, mask: true },
  signbit: { ...call("m_signbit"), i32: (x) => `(${x} < vec4i(0))`, mask: true },
  neg: both((x) => `(-${x})`),
  abs: both((x) => `abs(${x})`),
  sign: { f32: (x) => `select(${x}, sign(${x}), abs(${x}) > ${zero})`, i32: (x) => `sign(${x})` },
  square: both((x) => `(${x} * ${x})`),
  sqrt: f((x) => `select(sqrt(${x}), ${x}, (${x} == ${zero}) | m_isnan(${x}))`),
  rsqrt: f((x) => `(1.0 / sqrt(${x}))`),
  reciprocal: f((x) => `(1.0 / ${x})`),
  cbrt: call("m_cbrt"),
  floor: { ...call("floor"), i32: keep },
  ceil: { ...call("ceil"), i32: keep },
  round: { ...call("round"), i32: keep },
  trunc: { ...call("trunc"), i32: keep },
  frac: f((x) => `(${x} - trunc(${x}))`),
  deg2rad: f((x) => `(${x} * 0.017453292519943295)`),
  rad2deg: f((x) => `(${x} * 57.29577951308232)`),
  exp: call("m_exp"),
  exp2: call("m_exp2"),
  expm1: call("m_expm1"),
  log: call("m_log"),
  log2: f((x) => `(m_log(${x}) * 1.4426950408889634)`),
  log10: f((x) => `(m_log(${x}) * 0.4342944819032518)`),
  log1p: call("m_log1p"),
  sin: call("m_sin"),
  cos: call("m_cos"),
  tan: f((x) => `(m_sin(${x}) / m_cos(${x}))`),
  asin: call("m_asin"),
  acos: call("m_acos"),
  atan: call("m_atan"),
  sinh: call("m_sinh"),
  cosh: call("m_cosh"),
  tanh: call("m_tanh"),
  asinh: call("m_asinh"),
  acosh: call("m_acosh"),
  atanh: call("m_atanh"),
  sinc: f((x) => `select(m_sin(${x} * 3.14159265359) / (${x} * 3.14159265359), vec4f(1.0), ${x} == ${zero})`),
  erf: call("m_erf"),
  erfc: call("m_erfc"),
  erfinv: call("m_erfinv"),
  lgamma: call("m_lgamma"),
  digamma: call("m_digamma"),
  logit: f((x) => `m_log(${x} / (1.0 - ${x}))`),
  sigmoid: call("m_sigmoid"),
  logSigmoid: f((x) => `(-m_softplus(-${x}))`),
  softplus: call("m_softplus"),
  relu: { f32: (x) => `m_max(${x}, ${zero})`, i32: (x) => `max(${x}, vec4i(0))` },
  relu6: {
    f32: (x) => nanOr(x, `clamp(${x}, ${zero}, vec4f(6.0))`),
    i32: (x) => `clamp(${x}, vec4i(0), vec4i(6))`,
  },
  leakyRelu: { ...f((x, slope) => `select(${x} * ${slope}, ${x}, ${x} > ${zero})`), attrs: ["slope"] },
  elu: f((x) => `select(m_expm1(${x}), ${x}, ${x} > ${zero})`),
  selu: f((x) => `(1.0507009873554805 * select(1.6732632423543772 * m_expm1(${x}), ${x}, ${x} > ${zero}))`),
  silu: f((x) => `(${x} * m_sigmoid(${x}))`),
  softsign: f((x) => `(${x} / (1.0 + abs(${x})))`),
  mish: f((x) => `(${x} * m_tanh(m_softplus(${x})))`),
  gelu: f((x) => `(0.5 * ${x} * (1.0 + m_erf(${x} * 0.7071067811865476)))`),
  geluTanh: f(
    (x) => `(0.5 * ${x} * (1.0 + m_tanh(0.7978845608028654 * (${x} + 0.044715 * ${x} * ${x} * ${x}))))`,
  ),
  hardSigmoid: f((x) => nanOr(x, hardSigmoid(x))),
  hardSwish: f((x) => `(${x} * ${hardSigmoid(x)})`),
  clip: { ...f((x, low, high) => nanOr(x, `min(max(${x}, ${low}), ${high})`)), attrs: ["low", "high"] },
};

/** Names of the elementwise ops that have a formula, and `cast` and `where`. */
export const FORMULA_OPS: readonly string[] = [...Object.keys(ROWS), "cast", "where"];

/** Attributes of an op that are operands of its formula. */
export const formulaAttrs = (op: string): readonly string[] => ROWS[op]?.attrs ?? [];

/** The text of an op on operands of a dtype; `null` if there is none. */
export function formulaOf(op: string, dtypes: readonly DType[], to: DType | undefined): Formula | null {
  if (!dtypes.every((dtype) => isStored({ dtype }))) return null;
  if (op === "where") return (condition, yes, no) => `select(${no}, ${yes}, ${condition})`;
  if (op === "cast") return to !== undefined && isStored({ dtype: to }) ? castFormula(dtypes[0], to) : null;
  const type = computedAs(dtypes[0]);
  return ROWS[op]?.[type] ?? null;
}

/** The dtype of an op's result. */
export function formulaType(op: string, dtypes: readonly DType[], to: DType | undefined): DType {
  if (to !== undefined) return to;
  if (op === "where") return dtypes[1];
  return ROWS[op]?.mask ? "bool" : dtypes[0];
}

function castFormula(from: DType, to: DType): Formula {
  const [a, b] = [computedAs(from), computedAs(to)];
  if (a === b) return narrow(to);
  if (b === "bool") return (x) => `(!(${x} == vec4<${a}>(0)))`;
  if (a === "bool") return (x) => `select(vec4<${b}>(0), vec4<${b}>(1), ${x})`;
  if (b === "f32") return (x) => `vec4f(${x})`;
  // As JavaScript stores numbers into integers: NaN and infinities are 0, others wrap around.
  return (x) => narrow(to)(`m_toInt(${x})`);
}

/** Small integers wrap around when they are stored; between ops of one program they have to as well. */
const narrow = (to: DType): Formula =>
  to === "uint8"
    ? (x) => `(${x} & vec4i(255))`
    : to === "int8"
      ? (x) => `((${x} << vec4u(24u)) >> vec4u(24u))`
      : keep;

/** Results of arithmetic on small integers, wrapped. */
export const wrapped = (dtype: DType, text: string): string => narrow(dtype)(text);
