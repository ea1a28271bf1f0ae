/** Elementwise ops of two operands with NumPy's broadcasting: a row each. */
import { isFloat } from "../core/dtype.js";
import { broadcastShapes } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { apply } from "./bind.js";
import { asFloat, promote, type TensorLike } from "./convert.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef, type OpSample, type VjpContext } from "./registry.js";
import { elementwiseBatch, mapReference } from "./rules.js";

export type BinaryName =
  | "add"
  | "sub"
  | "mul"
  | "div"
  | "pow"
  | "maximum"
  | "minimum"
  | "remainder"
  | "atan2"
  | "equal"
  | "notEqual"
  | "less"
  | "lessEqual"
  | "greater"
  | "greaterEqual"
  | "logicalAnd"
  | "logicalOr"
  | "logicalXor";

interface BinaryRow {
  readonly f: (a: number, b: number) => number;
  /** Partial derivatives times `g`, before summing over broadcast axes; absent: constant almost everywhere. */
  readonly partials?: readonly [
    (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor,
    (g: Tensor, a: Tensor, b: Tensor, y: Tensor) => Tensor,
  ];
  /** What the partials read. Default: both inputs. */
  readonly saves?: { readonly inputs?: readonly number[] | "all"; readonly outputs?: boolean };
  /** Integers become float32 first. */
  readonly float?: boolean;
  /** The result is bool. */
  readonly bool?: boolean;
  readonly ranges?: OpSample<object>["ranges"];
  /** Other ranges: of other signs, beyond a kink. */
  readonly also?: OpSample<object>["ranges"];
}

const mask = (condition: Tensor, g: Tensor): Tensor => g.mul(condition.cast(g.dtype));

const ROWS: Record<BinaryName, BinaryRow> = {
  add: { f: (a, b) => a + b, partials: [(g) => g, (g) => g], saves: {} },
  sub: { f: (a, b) => a - b, partials: [(g) => g, (g) => g.neg()], saves: {} },
  mul: { f: (a, b) => a * b, partials: [(g, _, b) => g.mul(b), (g, a) => g.mul(a)] },
  div: {
    f: (a, b) => a / b,
    partials: [(g, _a, b) => g.div(b), (g, _a, b, y) => g.mul(y).div(b).neg()],
    saves: { inputs: [1], outputs: true },
    float: true,
    ranges: [
      [-2, 2],
      [0.4, 2],
    ],
  },
  pow: {
    f: (a, b) => a ** b,
    partials: [
      (g, a, b) => g.mul(b).mul(a.pow(b.sub(1))),
      (g, a, _b, y) => g.mul(y).mul(a.log().where(a.notEqual(0), 0)),
    ],
    saves: { inputs: "all", outputs: true },
    ranges: [
      [0.3, 2],
      [-2, 2],
    ],
  },
  maximum: {
    f: (a, b) => (a > b || Number.isNaN(a) ? a : b),
    partials: [(g, a, b) => g.mul(shareOf(a, b)), (g, a, b) => g.mul(shareOf(b, a))],
  },
  minimum: {
    f: (a, b) => (a < b || Number.isNaN(a) ? a : b),
    partials: [(g, a, b) => g.mul(shareOf(b, a)), (g, a, b) => g.mul(shareOf(a, b))],
  },
  remainder: {
    f: (a, b) => a - Math.floor(a / b) * b,
    partials: [(g) => g, (g, a, b) => g.mul(a.div(b).floor()).neg()],
    ranges: [
      [0.1, 0.9],
      [1, 2],
    ],
    also: [
      [-5.9, -5.1],
      [-1.02, -1.01],
    ],
  },
  atan2: {
    f: Math.atan2,
    partials: [
      (g, a, b) => g.mul(b).div(a.square().add(b.square())),
      (g, a, b) => g.mul(a).div(a.square().add(b.square())).neg(),
    ],
    float: true,
    ranges: [
      [0.3, 2],
      [0.3, 2],
    ],
    also: [
      [-2, 2],
      [-2, -0.3],
    ],
  },
  equal: { f: (a, b) => Number(a === b), bool: true },
  notEqual: { f: (a, b) => Number(a !== b), bool: true },
  less: { f: (a, b) => Number(a < b), bool: true },
  lessEqual: { f: (a, b) => Number(a <= b), bool: true },
  greater: { f: (a, b) => Number(a > b), bool: true },
  greaterEqual: { f: (a, b) => Number(a >= b), bool: true },
  logicalAnd: { f: (a, b) => Number(a !== 0 && b !== 0), bool: true },
  logicalOr: { f: (a, b) => Number(a !== 0 || b !== 0), bool: true },
  logicalXor: { f: (a, b) => Number((a !== 0) !== (b !== 0)), bool: true },
};

/** 1 where a > b, ½ where they are equal (both share the gradient, as in JAX and PyTorch), else 0. */
function shareOf(a: Tensor, b: Tensor): Tensor {
  return a
    .greater(b)
    .cast(a.dtype)
    .add(mask(a.equal(b), a.mul(0).add(0.5)));
}

const defs = new Map<BinaryName, OpDef<object>>();

function define(name: BinaryName, row: BinaryRow): OpDef<object> {
  const { partials, ranges, saves = { inputs: "all" } } = row;
  const vjp = ([g]: readonly (Tensor | null)[], c: VjpContext<object>): (Tensor | null)[] => {
    if (!g || !partials) return [null, null];
    const [a, b] = c.inputs;
    return partials.map((partial, i) =>
      c.needs[i] ? partial(g, a, b, c.outputs[0]).sumTo(c.inputTypes[i].shape) : null,
    );
  };
  const def: OpDef<object> = defineOp<object>({
    name,
    kind: "elementwise",
    type: ([a, b]) => [
      { shape: broadcastShapes([a.shape, b.shape], name), dtype: row.bool ? "bool" : a.dtype },
    ],
    reference: mapReference(row.f as (...x: number[]) => number),
    saves: partials ? saves : {},
    vjp: partials ? vjp : NOT_DIFFERENTIABLE,
    jvp: partials
      ? ([a, b], tangents, [y]) => {
          const parts = tangents.map((t, i) => t && partials[i](t, a, b, y));
          const [p, q] = parts;
          const sum = p && q ? p.add(q) : (p ?? q);
          return [sum && sum.broadcastTo(y.shape)];
        }
      : NOT_DIFFERENTIABLE,
    batch: elementwiseBatch(() => def),
    samples: [
      {
        shapes: [
          [2, 3],
          [2, 3],
        ],
        ranges,
      },
      {
        shapes: [
          [3, 1, 2],
          [4, 1],
        ],
        ranges,
      },
      { shapes: [[], [3]], ranges },
      { shapes: [[3, 0], [1]], ranges },
      ...(row.also ? [{ shapes: [[3], [3]], ranges: row.also }] : []),
    ],
  });
  return def;
}

for (const [name, row] of Object.entries(ROWS) as [BinaryName, BinaryRow][]) {
  defs.set(name, define(name, row));
  Tensor.prototype[name] = function (other) {
    return binary(name, this, other);
  };
}

function binary(name: BinaryName, a: TensorLike, b: TensorLike): Tensor {
  let [x, y] = promote(a, b);
  const row: BinaryRow = ROWS[name];
  if (row.float && !isFloat(x.dtype)) [x, y] = [asFloat(x), asFloat(y)];
  else if (x.dtype === "bool" && !row.bool) [x, y] = [x.cast("int32"), y.cast("int32")];
  return apply(defs.get(name)!, [x, y], {});
}

type Binary = (a: TensorLike, b: TensorLike) => Tensor;
const named =
  (name: BinaryName): Binary =>
  (a, b) =>
    binary(name, a, b);

declare module "../core/tensor.js" {
  interface Tensor extends Record<BinaryName, (other: TensorLike) => Tensor> {}
}

/** a + b. */
export const add = named("add");
/** a − b. */
export const sub = named("sub");
/** a · b, elementwise. */
export const mul = named("mul");
/** a / b; integers are divided as float32. */
export const div = named("div");
/** aᵇ. */
export const pow = named("pow");
/** The larger one; NaN wins. */
export const maximum = named("maximum");
/** The smaller one; NaN wins. */
export const minimum = named("minimum");
/** a − ⌊a/b⌋·b: the remainder with the sign of b, as NumPy's `%`. */
export const remainder = named("remainder");
/** Angle of the point (b, a), in radians. */
export const atan2 = named("atan2");
/** True where a = b. */
export const equal = named("equal");
/** True where a ≠ b. */
export const notEqual = named("notEqual");
/** True where a < b. */
export const less = named("less");
/** True where a ≤ b. */
export const lessEqual = named("lessEqual");
/** True where a > b. */
export const greater = named("greater");
/** True where a ≥ b. */
export const greaterEqual = named("greaterEqual");
/** True where both are nonzero. */
export const logicalAnd = named("logicalAnd");
/** True where one is nonzero. */
export const logicalOr = named("logicalOr");
/** True where exactly one is nonzero. */
export const logicalXor = named("logicalXor");
