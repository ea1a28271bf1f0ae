/**
 * What each elementwise op does to vectors: one row per op, by registry name. `all` serves every lane type; `float32`
 * and `float64` are for those alone; an op without a float32 row of its own is computed in float64 lanes and rounded.
 */
import { op } from "../assembler.js";
import * as math from "../math.js";
import type { Lanes, V } from "../vector.js";

type Formula = (k: Lanes, ...x: V[]) => V;

export interface ElementwiseRule {
  readonly all?: Formula;
  readonly float32?: Formula;
  readonly float64?: Formula;
  readonly int?: Formula;
  /** The float64 formula is exact enough for float32 results only. */
  readonly roundedOnly?: boolean;
  /** The result is a mask of all ones or zeros per lane. */
  readonly mask?: boolean;
  /** Works on masks themselves (operands bool). */
  readonly onMasks?: Formula;
  /** Attributes that come as further operands, splatted. */
  readonly attrs?: readonly string[];
  /** Rough nanoseconds per element of float32. */
  readonly cost: number;
}

const un =
  (name: Parameters<Lanes["un"]>[0]): Formula =>
  (k, x) =>
    k.un(name, x);
const bin =
  (name: Parameters<Lanes["bin"]>[0]): Formula =>
  (k, a, b) =>
    k.bin(name, a, b);
const float = (formula: Formula) => ({ float32: formula, float64: formula });
const keep: Formula = (_, x) => x;
const compare = (name: Parameters<Lanes["bin"]>[0]): ElementwiseRule => ({
  all: bin(name),
  mask: true,
  cost: 0.2,
});
const one = (k: Lanes): V => k.splat(1);
const nonzero = (k: Lanes, x: V): V => k.bin("ne", x, k.splat(0));

/** min(max(x + 3, 0), 6)/6: exact to rounding also near −3. */
const hardSigmoid: Formula = (k, x) => {
  const line = k.bin("add", x, k.splat(3));
  return k.bin("div", k.bin("min", k.bin("max", line, k.splat(0)), k.splat(6)), k.splat(6));
};

export const RULES: Record<string, ElementwiseRule> = {
  add: { all: bin("add"), cost: 0.2 },
  sub: { all: bin("sub"), cost: 0.2 },
  mul: { all: bin("mul"), cost: 0.2 },
  div: { ...float(bin("div")), cost: 0.5 },
  maximum: { all: bin("max"), cost: 0.2 },
  minimum: { all: bin("min"), cost: 0.2 },
  pow: { float64: math.pow, roundedOnly: true, cost: 10 },
  equal: { ...compare("eq"), onMasks: (_k, a, b) => op("v128.not", op("v128.xor", a, b)) },
  notEqual: { ...compare("ne"), onMasks: (_k, a, b) => op("v128.xor", a, b) },
  less: compare("lt"),
  lessEqual: compare("le"),
  greater: compare("gt"),
  greaterEqual: compare("ge"),
  logicalAnd: {
    all: (k, a, b) => op("v128.and", nonzero(k, a), nonzero(k, b)),
    onMasks: (_k, a, b) => op("v128.and", a, b),
    mask: true,
    cost: 0.2,
  },
  logicalOr: {
    all: (k, a, b) => op("v128.or", nonzero(k, a), nonzero(k, b)),
    onMasks: (_k, a, b) => op("v128.or", a, b),
    mask: true,
    cost: 0.2,
  },
  logicalXor: {
    all: (k, a, b) => op("v128.xor", nonzero(k, a), nonzero(k, b)),
    onMasks: (_k, a, b) => op("v128.xor", a, b),
    mask: true,
    cost: 0.2,
  },
  logicalNot: {
    all: (k, x) => k.bin("eq", x, k.splat(0)),
    onMasks: (_k, x) => op("v128.not", x),
    mask: true,
    cost: 0.2,
  },
  isnan: { ...float((k, x) => k.bin("ne", x, x)), mask: true, cost: 0.2 },
  isfinite: {
    ...float((k, x) => k.bin("lt", k.un("abs", x), k.splat(Number.POSITIVE_INFINITY))),
    mask: true,
    cost: 0.2,
  },
  neg: { all: un("neg"), cost: 0.2 },
  abs: { all: un("abs"), cost: 0.2 },
  sign: {
    ...float((k, x) => {
      const ordinary = op("v128.and", k.bin("ne", x, k.splat(0)), k.bin("eq", x, x));
      return k.select(ordinary, k.withSign(one(k), k.signOf(x)), x);
    }),
    int: (k, x) => k.bin("min", k.bin("max", x, k.splat(-1)), k.splat(1)),
    cost: 0.3,
  },
  square: { all: (k, x) => k.bin("mul", x, x), cost: 0.2 },
  sqrt: { ...float(un("sqrt")), cost: 0.5 },
  rsqrt: { ...float((k, x) => k.bin("div", one(k), k.un("sqrt", x))), cost: 1 },
  reciprocal: { ...float((k, x) => k.bin("div", one(k), x)), cost: 0.5 },
  floor: { ...float(un("floor")), int: keep, cost: 0.2 },
  ceil: { ...float(un("ceil")), int: keep, cost: 0.2 },
  round: { ...float(un("nearest")), int: keep, cost: 0.2 },
  trunc: { ...float(un("trunc")), int: keep, cost: 0.2 },
  frac: { ...float((k, x) => k.bin("sub", x, k.un("trunc", x))), cost: 0.3 },
  isinf: {
    ...float((k, x) => k.bin("eq", k.un("abs", x), k.splat(Number.POSITIVE_INFINITY))),
    mask: true,
    cost: 0.2,
  },
  deg2rad: { ...float((k, x) => k.bin("mul", x, k.splat(Math.PI / 180))), roundedOnly: true, cost: 0.2 },
  rad2deg: { ...float((k, x) => k.bin("mul", x, k.splat(180 / Math.PI))), roundedOnly: true, cost: 0.2 },
  relu6: { all: (k, x) => k.bin("min", k.bin("max", x, k.splat(0)), k.splat(6)), cost: 0.3 },
  softsign: {
    ...float((k, x) => k.bin("div", x, k.bin("add", one(k), k.un("abs", x)))),
    cost: 0.6,
  },
  hardSigmoid: { ...float(hardSigmoid), cost: 0.8 },
  hardSwish: { ...float((k, x) => k.bin("mul", x, hardSigmoid(k, x))), cost: 0.9 },
  logSigmoid: { float64: (k, x) => k.un("neg", math.softplus(k, k.hold(k.un("neg", x)))), cost: 10 },
  log10: {
    float64: (k, x) => k.bin("mul", math.log(k, x), k.splat(Math.LOG10E)),
    roundedOnly: true,
    cost: 5,
  },
  relu: { all: (k, x) => k.bin("max", x, k.splat(0)), cost: 0.2 },
  leakyRelu: {
    ...float((k, x, slope) => k.select(k.bin("gt", x, k.splat(0)), x, k.bin("mul", x, slope))),
    attrs: ["slope"],
    cost: 0.3,
  },
  clip: {
    ...float((k, x, low, high) => k.bin("min", k.bin("max", x, low), high)),
    attrs: ["low", "high"],
    cost: 0.3,
  },
  exp: { ...float(math.exp), cost: 1.5 },
  exp2: { ...float(math.exp2), cost: 1.5 },
  expm1: { float64: math.expm1, cost: 6 },
  log: { ...float(math.log), cost: 2 },
  log2: { float64: (k, x) => k.bin("mul", math.log(k, x), k.splat(Math.LOG2E)), roundedOnly: true, cost: 5 },
  log1p: { float64: math.log1p, cost: 6 },
  tanh: { ...float(math.tanh), cost: 2.5 },
  sinh: { float64: math.sinh, cost: 8 },
  cosh: { float64: math.cosh, cost: 6 },
  sigmoid: { ...float(math.sigmoid), cost: 2 },
  silu: { ...float(math.silu), cost: 2.2 },
  softplus: { float64: math.softplus, cost: 10 },
  elu: {
    float64: (k, x) => k.select(k.bin("gt", x, k.splat(0)), x, math.expm1(k, x)),
    cost: 6,
  },
  erf: { float64: math.erf, roundedOnly: true, cost: 8 },
  gelu: {
    float64: (k, x) => {
      const cdf = k.bin("add", one(k), math.erf(k, k.hold(k.bin("mul", x, k.splat(Math.SQRT1_2)))));
      return k.bin("mul", k.bin("mul", x, k.splat(0.5)), cdf);
    },
    roundedOnly: true,
    cost: 9,
  },
  geluTanh: {
    float64: (k, x) => {
      const cubic = k.madd(k.hold(k.bin("mul", x, x)), k.splat(0.044715), one(k));
      const u = k.bin("mul", k.bin("mul", x, cubic), k.splat(Math.sqrt(2 / Math.PI)));
      return k.bin("mul", k.bin("mul", x, k.splat(0.5)), k.bin("add", one(k), math.tanh(k, k.hold(u))));
    },
    roundedOnly: true,
    cost: 8,
  },
};
