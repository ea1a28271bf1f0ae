/**
 * Random programs over the op registry, for comparing ways of running them. A program is a list of instructions of plain
 * numbers, each of which means something whatever stands before it, so that a failing one shrinks by leaving out lines.
 *
 * Values stay small, and whoever amplifies rounding is tamed at once, so that two ways that sum in other orders stay near
 * each other. What jumps (comparisons, floor, sort, argmax) reads only values that every way computes bit by bit alike:
 * arguments, and what moves, negates or chooses among them.
 */
import fc from "fast-check";
import {
  argmax,
  argmin,
  concat,
  cond,
  conv2d,
  cumsum,
  flip,
  layerNorm,
  logSoftmax,
  maxPool2d,
  pad,
  scan,
  softmax,
  sort,
  stopGradient,
  type Tensor,
  take,
  tensor,
  tile,
  valueAndGrad,
  where,
  whileLoop,
} from "../../src/index.js";

export interface Instruction {
  readonly op: number;
  /** Which values are read, counted from the newest. */
  readonly a: number;
  readonly b: number;
  /** Decides axes, constants, sizes. */
  readonly k: number;
}

export interface Program {
  readonly dtype: "float32" | "float64";
  readonly shapes: readonly (readonly number[])[];
  readonly seed: number;
  readonly code: readonly Instruction[];
  /** Positions of values, from the newest, that are results besides the last. */
  readonly results: readonly number[];
  /** The sum of squares of the results is differentiated with respect to the first argument, and that returned too. */
  readonly gradient: boolean;
}

const instruction: fc.Arbitrary<Instruction> = fc.record({
  op: fc.nat(9999),
  a: fc.oneof({ weight: 3, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.nat(30) }),
  b: fc.nat(30),
  k: fc.nat(99),
});

/** Few sizes, so that shapes meet; some are longer than a vector, some are 1. */
const size = fc.constantFrom(1, 2, 3, 4, 5, 8, 17);
const shape = fc.array(size, { minLength: 1, maxLength: 4 });

/** Arguments of any shapes, or those of layers: matrices, images with filters, heads of attention. */
const shapes: fc.Arbitrary<number[][]> = fc.oneof(
  fc.array(shape, { minLength: 2, maxLength: 4 }),
  fc.tuple(size, size, size).map(([m, n, k]) => [[m, k], [k, n], [n], [m, n]]),
  fc.tuple(size, size, fc.constantFrom(3, 6, 9)).map(([n, channels, side]) => [
    [Math.min(n, 4), channels, side, side],
    [4, channels, 3, 3],
    [4, 1, 1],
    [3, 4, 1, 1],
  ]),
  fc.tuple(size, size, size, size).map(([heads, queries, keys, d]) => [
    [heads, queries, d],
    [heads, keys, d],
    [d, d],
  ]),
);

export const programs: fc.Arbitrary<Program> = fc.record({
  dtype: fc.constantFrom("float32", "float32", "float64"),
  shapes,
  seed: fc.nat(1e6),
  code: fc.array(instruction, { minLength: 2, maxLength: 24, size: "max" }),
  results: fc.array(fc.nat(12), { maxLength: 2 }),
  gradient: fc.boolean(),
});

/** A value, and whether every way of running has the same bits of it. */
interface Known {
  readonly x: Tensor;
  readonly exact: boolean;
}

interface Operands {
  readonly a: Known;
  readonly b: Known;
  readonly k: number;
  /** The program is differentiated: a kink must not lie where rounding decides on which side of it a value is. */
  readonly gradient: boolean;
  /** The newest value that passes a test, starting at `b`. */
  find(test: (value: Known) => boolean): Known | null;
}

type Op = (operands: Operands) => Known | Tensor | null;

const isFloat = ({ x }: Known): boolean => x.dtype === "float32" || x.dtype === "float64";
const alike = (a: Tensor, b: Tensor): boolean => a.shape.join() === b.shape.join() && a.dtype === b.dtype;
const broadcasts = (a: Tensor, b: Tensor): boolean =>
  a.dtype === b.dtype &&
  Array.from({ length: Math.min(a.ndim, b.ndim) }, (_, i) => [a.shape.at(-1 - i), b.shape.at(-1 - i)]).every(
    ([m, n]) => m === n || m === 1 || n === 1,
  );
const LARGEST = 20_000; // elements

const unary =
  (f: (x: Tensor, k: number) => Tensor, exact = false): Op =>
  ({ a, k }) =>
    isFloat(a) ? { x: f(a.x, k), exact: exact && a.exact } : null;

/** Continuous with a kink. */
const kinked =
  (f: (x: Tensor, k: number) => Tensor, axes = false): Op =>
  ({ a, k, gradient, find }) => {
    const chosen = gradient ? find((value) => isFloat(value) && value.exact) : a;
    if (!chosen || !isFloat(chosen) || (axes && chosen.x.ndim === 0)) return null;
    return { x: f(chosen.x, k), exact: chosen.exact };
  };

/** Of values that have the same bits everywhere. */
const jumping =
  (f: (x: Tensor, k: number) => Tensor): Op =>
  ({ find, k }) => {
    const a = find((value) => isFloat(value) && value.exact);
    return a && { x: f(a.x, k), exact: true };
  };

const binary =
  (f: (x: Tensor, y: Tensor) => Tensor, kind: "smooth" | "kink" = "smooth"): Op =>
  ({ a, find, gradient }) => {
    const usable = ({ exact }: Known): boolean => kind === "smooth" || !gradient || exact;
    if (!isFloat(a) || !usable(a)) return null;
    const b = find((value) => usable(value) && broadcasts(a.x, value.x));
    if (!b || Math.max(a.x.size, b.x.size) * 8 > LARGEST) return null;
    return { x: f(a.x, b.x), exact: kind === "kink" && a.exact && b.exact };
  };

const compared =
  (f: (x: Tensor, y: Tensor) => Tensor): Op =>
  ({ find }) => {
    const a = find((value) => isFloat(value) && value.exact);
    const b = a && find((value) => value.exact && value !== a && broadcasts(a.x, value.x));
    return a && b && { x: f(a.x, b.x), exact: true };
  };

const axisOf = (x: Tensor, k: number): number => k % x.ndim;

const reduced =
  (f: (x: Tensor, axes: number[], keepDims: boolean) => Tensor, kind: "smooth" | "kink" = "smooth"): Op =>
  ({ a, k, gradient }) => {
    if (!isFloat(a) || a.x.ndim === 0 || (kind === "kink" && gradient && !a.exact)) return null;
    const axes = [...a.x.shape.keys()].filter((axis) => (k >> axis) & 1);
    const x = f(a.x, axes.length > 0 ? axes : [axisOf(a.x, k)], k % 3 === 0);
    return { x, exact: kind === "kink" && a.exact };
  };

const moved =
  (f: (x: Tensor, k: number) => Tensor | null): Op =>
  ({ a, k }) => {
    const x = a.x.ndim === 0 ? null : f(a.x, k);
    return x && x.size <= LARGEST ? { x, exact: a.exact } : null;
  };

const rotated = <T>(list: readonly T[], by: number): T[] => [...list.slice(by), ...list.slice(0, by)];

/** Two of the newest values that a product takes; all axes but the last two are one batch or none. */
const product: Op = ({ a, find }) => {
  if (!isFloat(a) || a.x.ndim < 2) return null;
  const [m, depth] = a.x.shape.slice(-2);
  const fits = (x: Tensor): boolean =>
    x.dtype === a.x.dtype &&
    x.ndim >= 2 &&
    x.shape[x.ndim - 2] === depth &&
    (x.ndim === 2 || a.x.ndim === 2 || x.shape.slice(0, -2).join() === a.x.shape.slice(0, -2).join()) &&
    (Math.max(a.x.size / depth, 1) * x.size) / depth <= LARGEST * 4 &&
    m > 0;
  const b = find(({ x }) => fits(x));
  if (b) return a.x.matmul(b.x).div(Math.sqrt(depth)).tanh();
  const turned = find(({ x }) => x.ndim >= 2 && fits(x.swapAxes(-1, -2)));
  return turned && a.x.matmul(turned.x.swapAxes(-1, -2)).mul(1 / depth);
};

const attended: Op = ({ a, find, k }) => {
  if (!isFloat(a) || a.x.ndim < 2 || a.x.size > 2000) return null;
  const keys = find(
    ({ x }) =>
      x.dtype === a.x.dtype &&
      x.ndim === a.x.ndim &&
      x.shape.slice(0, -2).join() === a.x.shape.slice(0, -2).join() &&
      x.shape.at(-1) === a.x.shape.at(-1),
  );
  if (!keys) return null;
  const scores = a.x.matmul(keys.x.swapAxes(-1, -2)).mul(0.25);
  const [queries, seen] = scores.shape.slice(-2);
  const past = tensor(
    Array.from({ length: queries * seen }, (_, i) => i % seen <= Math.floor(i / seen)),
    { shape: [queries, seen] },
  );
  return softmax(k % 2 === 0 ? scores : where(past, scores, tensor(-1e30, { dtype: a.x.dtype })), -1).matmul(
    keys.x,
  );
};

const convolved: Op = ({ a, find, k }) => {
  if (!isFloat(a) || a.x.ndim !== 4) return null;
  const [, channels, height, width] = a.x.shape;
  const filters = find(
    ({ x }) =>
      x.dtype === a.x.dtype &&
      x.ndim === 4 &&
      x.shape[1] === channels &&
      x.shape[2] <= height + 2 &&
      x.shape[3] <= width + 2,
  );
  if (!filters || a.x.size * filters.x.size > 200_000) return null;
  const y = conv2d(a.x, filters.x, { padding: 1, stride: 1 + (k % 2) });
  return y.mul(1 / Math.sqrt(filters.x.size / filters.x.shape[0])).tanh();
};

const looped: Op = ({ a, find, k }) => {
  if (!isFloat(a)) return null;
  const b = find(({ x }) => alike(x, a.x)) as Known;
  if (k % 3 === 0)
    return whileLoop(
      (i: Tensor) => i.less(1 + (k % 4)),
      (i: Tensor, s: Tensor) => [i.add(1), s.mul(0.5).add(b.x.tanh())] as const,
      [tensor(0, { dtype: "int32" }), a.x] as [Tensor, Tensor],
    )[1];
  if (a.x.ndim < 2) return null;
  const [last, rows] = scan(
    (s: Tensor, row: Tensor) => [s.mul(0.5).add(row.tanh()), s.sub(row)],
    a.x.mean(0),
    b.x,
  );
  return k % 3 === 1 ? last : rows;
};

const branched: Op = ({ a, find, k }) => {
  const b = find(({ x }) => alike(x, a.x)) as Known;
  const flag = find(({ x, exact }) => exact && x.dtype === "bool");
  if (!flag || !isFloat(a)) return null;
  return cond(
    flag.x.any(),
    (x: Tensor, y: Tensor) => x.mul(y).tanh(),
    (x: Tensor, y: Tensor) => x.sub(k % 2 === 0 ? y : x.sin()),
    a.x,
    b.x,
  );
};

const OPS: readonly Op[] = [
  unary((x) => x.neg(), true),
  kinked((x) => x.abs()),
  kinked((x) => x.relu()),
  unary((x) => x.sin()),
  unary((x) => x.cos()),
  unary((x) => x.tanh()),
  unary((x) => x.sigmoid()),
  unary((x) => x.tanh().exp()),
  unary((x) => x.square().add(1).log()),
  unary((x) => x.square().add(0.5).sqrt()),
  unary((x) => x.square().add(1).reciprocal()),
  unary((x) => x.square().add(2).rsqrt()),
  unary((x) => x.tanh().square()),
  unary((x) => x.square().add(1).pow(0.7)),
  unary((x, k) => x.mul((k % 9) / 4 - 1)),
  unary((x, k) => x.add((k % 9) / 4 - 1)),
  unary((x, k) => tensor((k % 7) / 2, { dtype: x.dtype }).sub(x)),
  unary((x) => x.mul(1).add(0).neg().neg()),
  unary((x) => stopGradient(x.mul(0.5))),
  unary((x, k) => (x.ndim > 0 ? softmax(x, axisOf(x, k)) : x.tanh())),
  unary((x, k) => (x.ndim > 0 ? logSoftmax(x, axisOf(x, k)).mul(0.1) : x.tanh())),
  unary((x) => (x.ndim > 0 ? layerNorm(x, -1, { epsilon: 0.1 }) : x)),
  unary((x, k) => (x.ndim > 0 ? cumsum(x, axisOf(x, k)).mul(0.2) : x)),
  kinked((x) => (x.ndim === 4 && x.shape[2] > 1 && x.shape[3] > 1 ? maxPool2d(x, 2) : x.neg())),
  binary((x, y) => x.add(y)),
  binary((x, y) => x.sub(y)),
  binary((x, y) => x.mul(y).tanh()),
  binary((x, y) => x.div(y.square().add(1))),
  binary((x, y) => x.maximum(y), "kink"),
  binary((x, y) => x.minimum(y), "kink"),
  binary((x, y) => x.sub(y).square().add(x)),
  reduced((x, axes, keep) => x.sum(axes, keep).mul(0.25)),
  reduced((x, axes, keep) => x.mean(axes, keep)),
  reduced((x, axes, keep) => x.max(axes, keep), "kink"),
  reduced((x, axes, keep) => x.min(axes, keep), "kink"),
  reduced((x, axes) => x.sub(x.mean(axes, true))),
  moved((x, k) => x.transpose(rotated([...x.shape.keys()], k % x.ndim))),
  moved((x) => (x.ndim > 1 ? x.swapAxes(-1, -2) : null)),
  moved((x) => x.reshape([x.size])),
  moved((x) =>
    x.ndim > 1 ? x.reshape([x.shape[0] * x.shape[1], ...x.shape.slice(2)]) : x.reshape([1, x.size]),
  ),
  moved((x, k) => x.expandDims(k % (x.ndim + 1))),
  moved((x) => (x.shape[0] === 1 && x.ndim > 1 ? x.squeeze(0) : null)),
  moved((x, k) => x.broadcastTo([2 + (k % 2), ...x.shape])),
  moved((x) => (x.shape[0] > 1 ? x.slice([1, x.shape[0]]) : null)),
  moved((x) => (x.shape[0] > 1 ? x.slice("::2") : null)),
  moved((x, k) => flip(x, [axisOf(x, k)])),
  moved((x, k) => tile(x, [...new Array<number>(x.ndim - 1).fill(1), 1 + (k % 2)])),
  moved((x) => pad(x, [...x.shape.keys()].map((axis) => (axis === x.ndim - 1 ? [1, 1] : [0, 0])) as never)),
  moved((x) => take(x, tensor([x.shape[0] - 1, 0], { dtype: "int32" }), 0)),
  moved((x) => (x.dtype === "float32" ? x.cast("float64").cast("float32") : null)),
  ({ a, find, k }) => {
    const b = find(({ x }) => alike(x, a.x)) as Known;
    if (a.x.ndim === 0) return null;
    return { x: concat([a.x, b.x], axisOf(a.x, k)), exact: a.exact && b.exact };
  },
  jumping((x) => x.floor()),
  jumping((x) => x.sign()),
  jumping((x) => x.greater(0.25).cast(x.dtype)),
  jumping((x, k) => (x.ndim > 0 ? sort(x, axisOf(x, k)) : x)),
  jumping((x, k) => (x.ndim > 0 ? argmax(x, axisOf(x, k)).cast(x.dtype).mul(0.125) : x)),
  jumping((x, k) => (x.ndim > 0 ? argmin(x, axisOf(x, k)).cast(x.dtype).mul(0.125) : x)),
  jumping((x) => x.mul(4).cast("int32").cast(x.dtype).mul(0.25)),
  compared((x, y) => x.less(y)),
  compared((x, y) => x.greaterEqual(y)),
  compared((x, y) => x.equal(y).logicalNot()),
  ({ a, find }) => {
    if (!isFloat(a)) return null;
    const b = find(({ x }) => alike(x, a.x)) as Known;
    const mask = find(({ x }) => x.dtype === "bool" && x.shape.join() === a.x.shape.join());
    const flag = mask ?? find((value) => value.exact && alike(value.x, a.x));
    if (!flag) return null;
    const x = where(flag.x.dtype === "bool" ? flag.x : flag.x.greater(0), a.x, b.x);
    return { x, exact: a.exact && b.exact };
  },
  product,
  product,
  product,
  attended,
  attended,
  convolved,
  convolved,
  looped,
  branched,
];

/** The program as a function of its arguments; the same at each call. */
export function functionOf({ code, results, gradient, dtype }: Program): (...args: Tensor[]) => Tensor[] {
  const forward = (...args: Tensor[]): Tensor[] => {
    const values: Known[] = args.map((x) => ({ x, exact: true }));
    const newest = (i: number): Known => values[values.length - 1 - (i % values.length)];
    for (const { op, a, b, k } of code) {
      const find = (test: (value: Known) => boolean): Known | null => {
        for (let i = 0; i < values.length; i++) if (test(newest(b + i))) return newest(b + i);
        return null;
      };
      const made = OPS[op % OPS.length]({ a: newest(a), b: newest(b), k, find, gradient });
      if (made !== null) values.push("x" in made ? made : { x: made, exact: false });
    }
    return [0, ...results].map((i) => newest(i).x);
  };
  if (!gradient) return forward;
  return (...args) => {
    const lossOf = (x: Tensor): Tensor =>
      forward(x, ...args.slice(1))
        .map((y) => y.cast(dtype).square().mean())
        .reduce((a, b) => a.add(b));
    const [loss, slope] = valueAndGrad(lossOf)(args[0]);
    return [...forward(...args), loss, slope];
  };
}

/** Arguments: multiples of 1/8 between −2 and 2, with both zeros among them; their bits survive every cast. */
export function argumentsOf({ shapes, seed }: Program, dtype: "float32" | "float64"): Tensor[] {
  let state = (seed ^ 0x9e3779b9) >>> 0;
  const next = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return shapes.map((dims) =>
    tensor(
      Array.from({ length: dims.reduce((n, d) => n * d, 1) }, () => Math.round(next() * 32 - 16) / 8),
      { dtype, shape: dims },
    ),
  );
}

/** The program in short, for the message of a failure. */
export function describeProgram({ code, shapes, dtype, seed, results, gradient }: Program): string {
  return JSON.stringify({ dtype, shapes, seed, results, gradient, code: code.map((i) => Object.values(i)) });
}
