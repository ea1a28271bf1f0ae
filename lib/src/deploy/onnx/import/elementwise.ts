/** Elementwise ops of ONNX. */
import { isFloat } from "../../../core/dtype.js";
import type { Tensor } from "../../../core/tensor.js";
import * as ops from "../../../ops/index.js";
import { concrete } from "../../../ops/read.js";
import { dtypeOf } from "../elements.js";
import { OnnxError } from "../schema.js";
import { type ImportRow, plainRows, type RowContext } from "./row.js";

const { where, maximum, minimum, zerosLike } = ops;

/** A number as a tensor without axes, of the dtype of `x`. */
export function numberLike(x: Tensor, value: number): Tensor {
  return ops.tensor(value, { dtype: x.dtype });
}

/** ONNX divides whole numbers as C does: towards zero. */
function divide(a: Tensor, b: Tensor): Tensor {
  if (isFloat(a.dtype)) return a.div(b);
  const [x, y] = [a.cast("float64"), b.cast("float64")];
  return x.div(y).trunc().cast(a.dtype);
}

function modulo(c: RowContext): Tensor {
  const [a, b] = [c.input(0), c.input(1)];
  return c.attributes.int("fmod", 0) === 1 ? ops.fmod(a, b) : a.remainder(b);
}

/** ONNX's Pow has the dtype of its base. */
const power = (a: Tensor, b: Tensor): Tensor => a.pow(b.cast(a.dtype));

const variadic = (op: string, join: (a: Tensor, b: Tensor) => Tensor): ImportRow => ({
  op,
  run: ({ inputs }) => {
    const given = inputs.filter((x) => x !== null);
    if (given.length === 0) throw new OnnxError("it has no input");
    return given.reduce(join);
  },
});

/** An activation with parameters: `(input, alpha, beta)`. */
const shaped = (
  op: string,
  parameters: Readonly<Record<string, number>>,
  f: (x: Tensor, ...given: number[]) => Tensor,
): ImportRow => ({
  op,
  run: (c) =>
    f(c.input(0), ...Object.entries(parameters).map(([name, value]) => c.attributes.float(name, value))),
});

const bothWays = (x: Tensor, test: number, f: (x: Tensor) => Tensor, g: (x: Tensor) => Tensor): Tensor =>
  where(x.greater(numberLike(x, test)), f(x), g(x));

/** Slopes lie along the channels: a shape such as (C, 1, 1) or (1), broadcast from the right. */
const pRelu = (x: Tensor, slope: Tensor): Tensor => where(x.less(zerosLike(x)), x.mul(slope), x);

function clip(c: RowContext): Tensor {
  const x = c.input(0);
  const bound = (i: number, name: string): Tensor | null =>
    c.attributes.has(name) ? numberLike(x, c.attributes.float(name)) : c.optional(i);
  const [low, high] = [bound(1, "min"), bound(2, "max")];
  const numbers = [low, high].map((bound) => (bound ? concrete(bound) : null));
  if (isFloat(x.dtype) && low && high && numbers[0] && numbers[1])
    return x.clip(numbers[0].item(), numbers[1].item());
  const above = low ? maximum(x, low) : x;
  return high ? minimum(above, high) : above;
}

function cast(c: RowContext, x: Tensor): Tensor {
  return castTo(x, dtypeOf(c.attributes.int("to"), 'attribute "to"'));
}

/** Floats become whole numbers towards zero, truth values by being other than 0. */
function castTo(x: Tensor, dtype: Tensor["dtype"]): Tensor {
  if (x.dtype === dtype) return x;
  return dtype === "bool" ? x.notEqual(numberLike(x, 0)) : x.cast(dtype);
}

function isInfinite(c: RowContext): Tensor {
  const x = c.input(0);
  const signs = [c.attributes.int("detect_negative", 1), c.attributes.int("detect_positive", 1)];
  const [negative, positive] = [x.equal(numberLike(x, -Infinity)), x.equal(numberLike(x, Infinity))];
  if (signs[0] && signs[1]) return negative.logicalOr(positive);
  if (signs[0]) return negative;
  return signs[1] ? positive : negative.logicalAnd(positive);
}

function gelu(c: RowContext): Tensor {
  const form = c.attributes.string("approximate", "none");
  if (form !== "none" && form !== "tanh") throw new OnnxError(`approximate is "${form}"`);
  return form === "tanh" ? c.input(0).geluTanh() : c.input(0).gelu();
}

function shift(c: RowContext): Tensor {
  const direction = c.attributes.string("direction");
  return direction === "LEFT"
    ? ops.leftShift(c.input(0), c.input(1))
    : ops.rightShift(c.input(0), c.input(1));
}

export const ELEMENTWISE: readonly ImportRow[] = [
  ...plainRows({
    Abs: (x: Tensor) => x.abs(),
    Acos: (x: Tensor) => x.acos(),
    Acosh: (x: Tensor) => x.acosh(),
    Asin: (x: Tensor) => x.asin(),
    Asinh: (x: Tensor) => x.asinh(),
    Atan: (x: Tensor) => x.atan(),
    Atanh: (x: Tensor) => x.atanh(),
    Ceil: (x: Tensor) => x.ceil(),
    Cos: (x: Tensor) => x.cos(),
    Cosh: (x: Tensor) => x.cosh(),
    Erf: (x: Tensor) => x.erf(),
    Exp: (x: Tensor) => x.exp(),
    Floor: (x: Tensor) => x.floor(),
    HardSwish: (x: Tensor) => x.hardSwish(),
    Identity: (x: Tensor) => x,
    IsNaN: (x: Tensor) => x.isnan(),
    Log: (x: Tensor) => x.log(),
    Mish: (x: Tensor) => x.mish(),
    Neg: (x: Tensor) => x.neg(),
    Not: (x: Tensor) => x.logicalNot(),
    Reciprocal: (x: Tensor) => x.reciprocal(),
    Relu: (x: Tensor) => (isFloat(x.dtype) ? x.relu() : maximum(x, zerosLike(x))),
    Round: (x: Tensor) => x.round(),
    Sigmoid: (x: Tensor) => x.sigmoid(),
    Sign: (x: Tensor) => x.sign(),
    Sin: (x: Tensor) => x.sin(),
    Sinh: (x: Tensor) => x.sinh(),
    Softplus: (x: Tensor) => x.softplus(),
    Softsign: (x: Tensor) => x.softsign(),
    Sqrt: (x: Tensor) => x.sqrt(),
    Tan: (x: Tensor) => x.tan(),
    Tanh: (x: Tensor) => x.tanh(),
    Add: (a: Tensor, b: Tensor) => a.add(b),
    Sub: (a: Tensor, b: Tensor) => a.sub(b),
    Mul: (a: Tensor, b: Tensor) => a.mul(b),
    Div: divide,
    Pow: power,
    PRelu: pRelu,
    And: (a: Tensor, b: Tensor) => a.logicalAnd(b),
    Or: (a: Tensor, b: Tensor) => a.logicalOr(b),
    Xor: (a: Tensor, b: Tensor) => a.logicalXor(b),
    Equal: (a: Tensor, b: Tensor) => a.equal(b),
    Greater: (a: Tensor, b: Tensor) => a.greater(b),
    GreaterOrEqual: (a: Tensor, b: Tensor) => a.greaterEqual(b),
    Less: (a: Tensor, b: Tensor) => a.less(b),
    LessOrEqual: (a: Tensor, b: Tensor) => a.lessEqual(b),
    BitwiseAnd: (a: Tensor, b: Tensor) => ops.bitwiseAnd(a, b),
    BitwiseOr: (a: Tensor, b: Tensor) => ops.bitwiseOr(a, b),
    BitwiseXor: (a: Tensor, b: Tensor) => ops.bitwiseXor(a, b),
    BitwiseNot: (a: Tensor) => ops.bitwiseXor(a, numberLike(a, a.dtype === "uint8" ? 255 : -1)),
    Where: (test: Tensor, a: Tensor, b: Tensor) => where(test, a, b),
    CastLike: (x: Tensor, like: Tensor) => castTo(x, like.dtype),
  }),
  variadic("Max", (a, b) => maximum(a, b)),
  variadic("Min", (a, b) => minimum(a, b)),
  variadic("Sum", (a, b) => a.add(b)),
  {
    op: "Mean",
    run: ({ inputs }) => {
      const given = inputs.filter((x) => x !== null);
      if (given.length === 0) throw new OnnxError("it has no input");
      const total = given.reduce((a, b) => a.add(b));
      return total.div(numberLike(total, given.length));
    },
  },
  { op: "Cast", run: (c) => cast(c, c.input(0)) },
  { op: "Clip", run: clip },
  { op: "Gelu", run: gelu },
  { op: "IsInf", run: isInfinite },
  { op: "Mod", run: modulo },
  { op: "BitShift", run: shift },
  { op: "Dropout", run: dropout },
  shaped("Elu", { alpha: 1 }, (x, alpha) =>
    bothWays(
      x,
      0,
      (v) => v,
      (v) => v.expm1().mul(numberLike(v, alpha)),
    ),
  ),
  shaped("Celu", { alpha: 1 }, (x, alpha) =>
    bothWays(
      x,
      0,
      (v) => v,
      (v) => v.div(numberLike(v, alpha)).expm1().mul(numberLike(v, alpha)),
    ),
  ),
  shaped("Selu", { alpha: 1.6732631921768188, gamma: 1.0507010221481323 }, (x, alpha, gamma) =>
    bothWays(
      x,
      0,
      (v) => v,
      (v) => v.expm1().mul(numberLike(v, alpha)),
    ).mul(numberLike(x, gamma)),
  ),
  shaped("LeakyRelu", { alpha: 0.01 }, (x, alpha) => x.leakyRelu(alpha)),
  shaped("ThresholdedRelu", { alpha: 1 }, (x, alpha) => bothWays(x, alpha, (v) => v, zerosLike)),
  shaped("HardSigmoid", { alpha: 0.2, beta: 0.5 }, (x, alpha, beta) =>
    x.mul(numberLike(x, alpha)).add(numberLike(x, beta)).clip(0, 1),
  ),
  shaped("Swish", { alpha: 1 }, (x, alpha) => x.mul(x.mul(numberLike(x, alpha)).sigmoid())),
  shaped("Shrink", { lambd: 0.5, bias: 0 }, (x, lambd, bias) =>
    where(
      x.less(numberLike(x, -lambd)),
      x.add(numberLike(x, bias)),
      where(x.greater(numberLike(x, lambd)), x.sub(numberLike(x, bias)), zerosLike(x)),
    ),
  ),
];

/** Inference: nothing is dropped. A model that says it trains is refused, for its random numbers are its runtime's. */
function dropout(c: RowContext): Tensor[] {
  const training = c.optional(2) ? c.number(2, "training_mode") !== 0 : false;
  if (training)
    throw new OnnxError("training_mode is on: random numbers of other runtimes can't be drawn here");
  const x = c.input(0);
  return [x, ops.full(x.shape, true, { dtype: "bool" })].slice(0, Math.max(1, c.outputs));
}
