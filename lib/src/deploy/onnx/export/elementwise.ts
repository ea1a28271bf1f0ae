/** Elementwise ops, written in ONNX. */
import { isFloat } from "../../../core/dtype.js";
import { codeOf } from "../elements.js";
import { Float } from "./exporter.js";
import { averagePool } from "./pools.js";
import { dequantizeLinear, quantizeLinear } from "./quantized.js";
import { type ExportRow, type NodeExport, renamed } from "./row.js";

type Write = (n: NodeExport, ...inputs: string[]) => string;

/** Rows that are written by a function of the operands' names. */
const rows = (table: Readonly<Record<string, Write>>): ExportRow[] =>
  Object.entries(table).map(([op, write]) => ({ op, write: (n) => write(n, ...n.inputs) }));

export const castName = (n: NodeExport, x: string, dtype: Parameters<typeof codeOf>[0]): string =>
  n.emit("Cast", [x], { to: codeOf(dtype) });

/** Comparisons and logic of ONNX take bool or numbers, not both. */
const asBool = (n: NodeExport, i: number): string =>
  n.value(i).dtype === "bool" ? n.inputs[i] : castName(n, n.inputs[i], "bool");

const logical = (op: string, onnx: string): ExportRow => ({
  op,
  write: (n) =>
    n.emit(
      onnx,
      n.inputs.map((_, i) => asBool(n, i)),
    ),
});

const ordered = (op: string, onnx: string): ExportRow => ({
  op,
  write: (n) => n.emit(onnx, n.dtype === "bool" ? n.inputs.map((x) => castName(n, x, "int32")) : n.inputs),
});

/** Max and Min of ONNX don't take bool. */
const bounded = (op: string, onnx: string, bool: string): ExportRow => ({
  op,
  write: (n) => n.emit(n.dtype === "bool" ? bool : onnx, n.inputs),
});

const bits = (op: string, onnx: string, bool: string): ExportRow => ({
  op,
  since: 18,
  write: (n) => n.emit(n.dtype === "bool" ? bool : onnx, n.inputs),
});

const trunc: Write = (n, x) => n.emit("Mul", [n.emit("Sign", [x]), n.emit("Floor", [n.emit("Abs", [x])])]);
const softplus: Write = (n, x) => n.emit("Softplus", [x]);
const scaled = (n: NodeExport, x: string, by: number): string => n.emit("Mul", [x, n.number(by)]);
const floorDivide: Write = (n, a, b) => {
  if (isFloat(n.dtype)) return n.emit("Floor", [n.emit("Div", [a, b])]);
  const wide = [a, b].map((x) => castName(n, x, "float64"));
  return castName(n, n.emit("Floor", [n.emit("Div", wide)]), n.dtype);
};

const atan2: Write = (n, y, x) => {
  const zero = n.number(0);
  const pi = n.number(Math.PI);
  const angle = n.emit("Atan", [n.emit("Div", [y, x])]);
  const left = n.emit("Where", [
    n.emit("Less", [y, zero]),
    n.emit("Sub", [angle, pi]),
    n.emit("Add", [angle, pi]),
  ]);
  const upright = scaled(n, n.emit("Sign", [y]), Math.PI / 2);
  const aside = n.emit("Where", [n.emit("Less", [x, zero]), left, upright]);
  return n.emit("Where", [n.emit("Greater", [x, zero]), angle, aside]);
};

const gelu: Write = (n, x) => {
  if (n.exporter.opset >= 20) return n.emit("Gelu", [x]);
  const erf = n.emit("Erf", [scaled(n, x, Math.SQRT1_2)]);
  return n.emit("Mul", [scaled(n, x, 0.5), n.emit("Add", [erf, n.number(1)])]);
};

const geluTanh: Write = (n, x) => {
  if (n.exporter.opset >= 20) return n.emit("Gelu", [x], { approximate: "tanh" });
  const cube = n.emit("Mul", [n.emit("Mul", [x, x]), x]);
  const inner = n.emit("Add", [x, scaled(n, cube, 0.044715)]);
  const tanh = n.emit("Tanh", [scaled(n, inner, Math.sqrt(2 / Math.PI))]);
  return n.emit("Mul", [scaled(n, x, 0.5), n.emit("Add", [tanh, n.number(1)])]);
};

const hardSwish: Write = (n, x) =>
  n.emit("Mul", [x, n.emit("HardSigmoid", [x], { alpha: new Float(1 / 6), beta: new Float(0.5) })]);

const logAddExp: Write = (n, a, b) => {
  const high = n.emit("Max", [a, b]);
  const apart = n.emit("Neg", [n.emit("Abs", [n.emit("Sub", [a, b])])]);
  return n.emit("Add", [high, n.emit("Log", [n.emit("Add", [n.emit("Exp", [apart]), n.number(1)])])]);
};

const heaviside: Write = (n, x, at) => {
  const step = castName(n, n.emit("Greater", [x, n.number(0)]), n.dtype);
  return n.emit("Where", [n.emit("Equal", [x, n.number(0)]), at, step]);
};

const sinc: Write = (n, x) => {
  const angle = scaled(n, x, Math.PI);
  const none = n.emit("Equal", [x, n.number(0)]);
  const safe = n.emit("Where", [none, n.number(1), angle]);
  return n.emit("Where", [none, n.number(1), n.emit("Div", [n.emit("Sin", [safe]), safe])]);
};

export const ELEMENTWISE: readonly ExportRow[] = [
  ...renamed({
    ...{
      abs: "Abs",
      neg: "Neg",
      sign: "Sign",
      sqrt: "Sqrt",
      reciprocal: "Reciprocal",
      exp: "Exp",
      log: "Log",
    },
    ...{ sin: "Sin", cos: "Cos", tan: "Tan", asin: "Asin", acos: "Acos", atan: "Atan" },
    ...{ sinh: "Sinh", cosh: "Cosh", tanh: "Tanh", asinh: "Asinh", acosh: "Acosh", atanh: "Atanh" },
    ...{ floor: "Floor", ceil: "Ceil", round: "Round", isnan: "IsNaN", isinf: "IsInf", erf: "Erf" },
    ...{
      relu: "Relu",
      sigmoid: "Sigmoid",
      softplus: "Softplus",
      softsign: "Softsign",
      elu: "Elu",
      selu: "Selu",
    },
    ...{ add: "Add", sub: "Sub", div: "Div", pow: "Pow", stopGradient: "Identity", where: "Where" },
  }),
  logical("logicalAnd", "And"),
  logical("logicalOr", "Or"),
  logical("logicalXor", "Xor"),
  logical("logicalNot", "Not"),
  ordered("less", "Less"),
  ordered("lessEqual", "LessOrEqual"),
  ordered("greater", "Greater"),
  ordered("greaterEqual", "GreaterOrEqual"),
  ordered("equal", "Equal"),
  { op: "notEqual", write: (n) => n.emit("Not", [n.emit("Equal", n.inputs)]) },
  bounded("maximum", "Max", "Or"),
  bounded("minimum", "Min", "And"),
  bits("bitwiseAnd", "BitwiseAnd", "And"),
  bits("bitwiseOr", "BitwiseOr", "Or"),
  bits("bitwiseXor", "BitwiseXor", "Xor"),
  { op: "mul", write: (n) => averagePool(n) ?? dequantizeLinear(n) ?? n.emit("Mul", n.inputs) },
  ...rows({
    square: (n, x) => n.emit("Mul", [x, x]),
    rsqrt: (n, x) => n.emit("Reciprocal", [n.emit("Sqrt", [x])]),
    cbrt: (n, x) =>
      n.emit("Mul", [n.emit("Sign", [x]), n.emit("Pow", [n.emit("Abs", [x]), n.number(1 / 3)])]),
    expm1: (n, x) => n.emit("Sub", [n.emit("Exp", [x]), n.number(1)]),
    exp2: (n, x) => n.emit("Exp", [scaled(n, x, Math.LN2)]),
    log1p: (n, x) => n.emit("Log", [n.emit("Add", [x, n.number(1)])]),
    log2: (n, x) => scaled(n, n.emit("Log", [x]), Math.LOG2E),
    log10: (n, x) => scaled(n, n.emit("Log", [x]), Math.LOG10E),
    trunc,
    frac: (n, x) => n.emit("Sub", [x, trunc(n, x)]),
    erfc: (n, x) => n.emit("Sub", [n.number(1), n.emit("Erf", [x])]),
    isfinite: (n, x) => n.emit("Not", [n.emit("Or", [n.emit("IsInf", [x]), n.emit("IsNaN", [x])])]),
    signbit: (n, x) => n.emit("Less", [x, n.number(0)]),
    deg2rad: (n, x) => scaled(n, x, Math.PI / 180),
    rad2deg: (n, x) => scaled(n, x, 180 / Math.PI),
    relu6: (n, x) => n.emit("Clip", [x, n.number(0), n.number(6)]),
    silu: (n, x) => n.emit("Mul", [x, n.emit("Sigmoid", [x])]),
    gelu,
    geluTanh,
    mish: (n, x) => n.emit("Mul", [x, n.emit("Tanh", [softplus(n, x)])]),
    hardSigmoid: (n, x) => n.emit("HardSigmoid", [x], { alpha: new Float(1 / 6), beta: new Float(0.5) }),
    hardSwish,
    logSigmoid: (n, x) => n.emit("Neg", [softplus(n, n.emit("Neg", [x]))]),
    logit: (n, x) => n.emit("Log", [n.emit("Div", [x, n.emit("Sub", [n.number(1), x])])]),
    sinc,
    leakyRelu: (n, x) => n.emit("LeakyRelu", [x], { alpha: new Float(n.attrs<{ slope: number }>().slope) }),
    clip: (n, x) => {
      const { low, high } = n.attrs<{ low: number; high: number }>();
      return n.emit("Clip", [x, n.number(low), n.number(high)]);
    },
    cast: (n, x) => quantizeLinear(n) ?? castName(n, x, n.node.outputs[0].dtype),
    hypot: (n, a, b) => n.emit("Sqrt", [n.emit("Add", [n.emit("Mul", [a, a]), n.emit("Mul", [b, b])])]),
    floorDivide,
    remainder: (n, a, b) =>
      isFloat(n.dtype) ? n.emit("Sub", [a, n.emit("Mul", [floorDivide(n, a, b), b])]) : n.emit("Mod", [a, b]),
    fmod: (n, a, b) => n.emit("Mod", [a, b], { fmod: 1 }),
    atan2,
    logAddExp,
    heaviside,
    copySign: (n, a, b) => {
      const size = n.emit("Abs", [a]);
      return n.emit("Where", [n.emit("Less", [b, n.number(0)]), n.emit("Neg", [size]), size]);
    },
    xlogy: (n, a, b) =>
      n.emit("Where", [
        n.emit("Equal", [a, n.number(0)]),
        n.number(0),
        n.emit("Mul", [a, n.emit("Log", [b])]),
      ]),
    // BitShift of ONNX has no signed numbers
    leftShift: (n, a, b) =>
      n.dtype === "uint8"
        ? n.emit("BitShift", [a, b], { direction: "LEFT" })
        : n.emit("Mul", [a, n.emit("Pow", [n.number(2), b])]),
    rightShift: (n, a, b) =>
      n.dtype === "uint8"
        ? n.emit("BitShift", [a, b], { direction: "RIGHT" })
        : floorDivide(n, a, n.emit("Pow", [n.number(2), b])),
  }),
];
