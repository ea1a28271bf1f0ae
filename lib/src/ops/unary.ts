/** Elementwise ops of one operand: a row each, from which the op, its rules, a function and a method follow. */
import { Tensor } from "../core/tensor.js";
import { apply } from "./bind.js";
import { asFloat, asTensor, type TensorLike } from "./convert.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef } from "./registry.js";
import { elementwiseBatch, mapReference } from "./rules.js";
import { erf as erfOf } from "./special.js";

export type UnaryName =
  | "neg"
  | "abs"
  | "sign"
  | "exp"
  | "exp2"
  | "expm1"
  | "log"
  | "log2"
  | "log1p"
  | "sqrt"
  | "rsqrt"
  | "square"
  | "reciprocal"
  | "sin"
  | "cos"
  | "tan"
  | "asin"
  | "acos"
  | "atan"
  | "sinh"
  | "cosh"
  | "tanh"
  | "erf"
  | "sigmoid"
  | "relu"
  | "elu"
  | "silu"
  | "gelu"
  | "softplus"
  | "floor"
  | "ceil"
  | "round"
  | "isnan"
  | "isfinite"
  | "logicalNot";

interface UnaryRow {
  readonly f: (x: number) => number;
  /** Derivative from the input `x` and the output `y`; absent: constant almost everywhere. */
  readonly derivative?: (x: Tensor, y: Tensor) => Tensor | number;
  /** What `derivative` reads. */
  readonly reads?: "x" | "y" | "both";
  /** Integers become float32 first. */
  readonly float?: boolean;
  /** The result is bool. */
  readonly bool?: boolean;
  /** Where the gradient check draws its inputs. */
  readonly range?: readonly [number, number];
  /** Another such range: the other side of a kink, another branch of the algorithm. */
  readonly also?: readonly [number, number];
}

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);

const ROWS: Record<UnaryName, UnaryRow> = {
  neg: { f: (x) => -x, derivative: () => -1 },
  abs: { f: Math.abs, derivative: (x) => x.sign(), reads: "x", range: [0.2, 2], also: [-2, -0.2] },
  sign: { f: Math.sign },
  exp: { f: Math.exp, derivative: (_, y) => y, reads: "y", float: true },
  exp2: { f: (x) => 2 ** x, derivative: (_, y) => y.mul(Math.LN2), reads: "y", float: true },
  expm1: { f: Math.expm1, derivative: (_, y) => y.add(1), reads: "y", float: true },
  log: { f: Math.log, derivative: (x) => x.reciprocal(), reads: "x", float: true, range: [0.3, 3] },
  log2: {
    f: Math.log2,
    derivative: (x) => x.mul(Math.LN2).reciprocal(),
    reads: "x",
    float: true,
    range: [0.3, 3],
  },
  log1p: {
    f: Math.log1p,
    derivative: (x) => x.add(1).reciprocal(),
    reads: "x",
    float: true,
    range: [-0.6, 2],
  },
  sqrt: {
    f: Math.sqrt,
    derivative: (_, y) => y.mul(2).reciprocal(),
    reads: "y",
    float: true,
    range: [0.3, 3],
  },
  rsqrt: {
    f: (x) => 1 / Math.sqrt(x),
    derivative: (x, y) => y.div(x).mul(-0.5),
    reads: "both",
    float: true,
    range: [0.3, 3],
  },
  square: { f: (x) => x * x, derivative: (x) => x.mul(2), reads: "x" },
  reciprocal: {
    f: (x) => 1 / x,
    derivative: (_, y) => y.square().neg(),
    reads: "y",
    float: true,
    range: [0.4, 2],
  },
  sin: { f: Math.sin, derivative: (x) => x.cos(), reads: "x", float: true },
  cos: { f: Math.cos, derivative: (x) => x.sin().neg(), reads: "x", float: true },
  tan: { f: Math.tan, derivative: (_, y) => y.square().add(1), reads: "y", float: true, range: [-1, 1] },
  asin: {
    f: Math.asin,
    derivative: (x) => x.square().neg().add(1).rsqrt(),
    reads: "x",
    float: true,
    range: [-0.8, 0.8],
  },
  acos: {
    f: Math.acos,
    derivative: (x) => x.square().neg().add(1).rsqrt().neg(),
    reads: "x",
    float: true,
    range: [-0.8, 0.8],
  },
  atan: { f: Math.atan, derivative: (x) => x.square().add(1).reciprocal(), reads: "x", float: true },
  sinh: { f: Math.sinh, derivative: (x) => x.cosh(), reads: "x", float: true },
  cosh: { f: Math.cosh, derivative: (x) => x.sinh(), reads: "x", float: true },
  tanh: { f: Math.tanh, derivative: (_, y) => y.square().neg().add(1), reads: "y", float: true },
  erf: {
    f: erfOf,
    derivative: (x) =>
      x
        .square()
        .neg()
        .exp()
        .mul(2 / Math.sqrt(Math.PI)),
    reads: "x",
    float: true,
    also: [2.4, 6.5],
  },
  sigmoid: {
    f: (x) => 1 / (1 + Math.exp(-x)),
    derivative: (_, y) => y.mul(y.neg().add(1)),
    reads: "y",
    float: true,
  },
  relu: {
    f: (x) => (x > 0 || Number.isNaN(x) ? x : 0),
    derivative: (_, y) => y.greater(0).cast(y.dtype),
    reads: "y",
    range: [0.2, 2],
    also: [-2, -0.2],
  },
  elu: {
    f: (x) => (x > 0 ? x : Math.expm1(x)),
    derivative: (_, y) => y.add(1).minimum(1),
    reads: "y",
    float: true,
    range: [-2, -0.1],
    also: [0.1, 2],
  },
  silu: {
    f: (x) => x / (1 + Math.exp(-x)),
    derivative: (x) => {
      const s = x.sigmoid();
      return s.mul(x.mul(s.neg().add(1)).add(1));
    },
    reads: "x",
    float: true,
  },
  gelu: {
    f: (x) => 0.5 * x * (1 + erfOf(x / Math.SQRT2)),
    derivative: (x) =>
      x
        .mul(Math.SQRT1_2)
        .erf()
        .add(1)
        .mul(0.5)
        .add(x.mul(x.square().mul(-0.5).exp()).mul(SQRT_2_OVER_PI / 2)),
    reads: "x",
    float: true,
    also: [3, 9],
  },
  softplus: {
    f: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    derivative: (x) => x.sigmoid(),
    reads: "x",
    float: true,
  },
  floor: { f: Math.floor },
  ceil: { f: Math.ceil },
  round: { f: roundHalfToEven },
  isnan: { f: (x) => Number(Number.isNaN(x)), bool: true },
  isfinite: { f: (x) => Number(Number.isFinite(x)), bool: true },
  logicalNot: { f: (x) => Number(x === 0), bool: true },
};

/** NumPy's rounding: halves go to the even neighbour. */
function roundHalfToEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

const defs = new Map<UnaryName, OpDef<object>>();

function define(name: UnaryName, row: UnaryRow): OpDef<object> {
  const { derivative, reads, range = [-2, 2] } = row;
  const scale = (g: Tensor | null, x: Tensor, y: Tensor): Tensor | null =>
    g && derivative ? g.mul(derivative(x, y)) : null;
  const def: OpDef<object> = defineOp<object>({
    name,
    kind: "elementwise",
    type: ([x]) => [{ shape: x.shape, dtype: row.bool ? "bool" : x.dtype }],
    reference: mapReference(row.f),
    saves: {
      inputs: reads === "x" || reads === "both" ? "all" : [],
      outputs: reads === "y" || reads === "both",
    },
    vjp: derivative ? ([g], { inputs: [x], outputs: [y] }) => [scale(g, x, y)] : NOT_DIFFERENTIABLE,
    jvp: derivative ? ([x], [t], [y]) => [scale(t, x, y)] : NOT_DIFFERENTIABLE,
    batch: elementwiseBatch(() => def),
    samples: [
      { shapes: [[2, 3]], ranges: [range] },
      { shapes: [[]], ranges: [range] },
      { shapes: [[0, 3]] },
      ...(row.also ? [{ shapes: [[5]], ranges: [row.also] }] : []),
    ],
  });
  return def;
}

for (const [name, row] of Object.entries(ROWS) as [UnaryName, UnaryRow][]) {
  defs.set(name, define(name, row));
  Tensor.prototype[name] = function () {
    return unary(name, this);
  };
}

function unary(name: UnaryName, x: TensorLike): Tensor {
  const row: UnaryRow = ROWS[name];
  return apply(defs.get(name)!, [row.float ? asFloat(x) : asTensor(x)], {});
}

type Unary = (x: TensorLike) => Tensor;
const named =
  (name: UnaryName): Unary =>
  (x) =>
    unary(name, x);

declare module "../core/tensor.js" {
  interface Tensor extends Record<UnaryName, () => Tensor> {}
}

/** −x. */
export const neg = named("neg");
/** |x|. */
export const abs = named("abs");
/** −1, 0 or 1. */
export const sign = named("sign");
/** eˣ. */
export const exp = named("exp");
/** 2ˣ. */
export const exp2 = named("exp2");
/** eˣ − 1, exact near 0. */
export const expm1 = named("expm1");
/** Natural logarithm. */
export const log = named("log");
/** Logarithm to base 2. */
export const log2 = named("log2");
/** ln(1 + x), exact near 0. */
export const log1p = named("log1p");
/** Square root. */
export const sqrt = named("sqrt");
/** 1/√x. */
export const rsqrt = named("rsqrt");
/** x². */
export const square = named("square");
/** 1/x. */
export const reciprocal = named("reciprocal");
/** Sine of radians. */
export const sin = named("sin");
/** Cosine of radians. */
export const cos = named("cos");
/** Tangent of radians. */
export const tan = named("tan");
/** Inverse sine, in radians. */
export const asin = named("asin");
/** Inverse cosine, in radians. */
export const acos = named("acos");
/** Inverse tangent, in radians. */
export const atan = named("atan");
/** Hyperbolic sine. */
export const sinh = named("sinh");
/** Hyperbolic cosine. */
export const cosh = named("cosh");
/** Hyperbolic tangent. */
export const tanh = named("tanh");
/** Gauss error function. */
export const erf = named("erf");
/** 1/(1 + e⁻ˣ). */
export const sigmoid = named("sigmoid");
/** max(x, 0); its derivative at 0 is 0. */
export const relu = named("relu");
/** x where positive, else eˣ − 1 (Clevert et al. 2016, α = 1). */
export const elu = named("elu");
/** x·sigmoid(x) (swish). */
export const silu = named("silu");
/** x·Φ(x), exact by erf (Hendrycks & Gimpel 2016). */
export const gelu = named("gelu");
/** ln(1 + eˣ) without overflow. */
export const softplus = named("softplus");
/** Largest integer not above x. */
export const floor = named("floor");
/** Smallest integer not below x. */
export const ceil = named("ceil");
/** Nearest integer, halves to the even one. */
export const round = named("round");
/** True where x is NaN. */
export const isnan = named("isnan");
/** True where x is neither NaN nor infinite. */
export const isfinite = named("isfinite");
/** True where x is 0. */
export const logicalNot = named("logicalNot");
