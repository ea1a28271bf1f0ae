/** Loop IR written by hand, for transforms that are no sums over loops: statements and the kernels made of them. */
import { type Affine, affine, type Index, minimum } from "../loop/affine.js";
import { lit, op } from "../loop/compute.js";
import type { Buffer, Condition, Expr, LoopKind, Scope, Stmt } from "../loop/ir.js";
import type { ConvGeometry } from "./geometry.js";
import type { Rational } from "./rational.js";

export function buffer(name: string, shape: readonly Index[], scope: Scope, output = false): Buffer {
  return { name, dtype: "float32", shape: shape.map(affine), strides: null, scope, output };
}

/**
 * Matrices one behind the other, each a line of the cache further than it is long: at distances that are powers of two all
 * of them would meet in the same few sets of the cache.
 */
export function matrices(name: string, count: number, shape: readonly Index[], output: boolean): Buffer {
  const strides: Affine[] = [];
  let step = affine(1);
  for (const dim of [...shape].reverse()) {
    strides.unshift(step);
    step = product(step, affine(dim));
  }
  const all = { ...buffer(name, [count, ...shape], "param", output) };
  return { ...all, strides: [step.plus(APART), ...strides] };
}

/** Elements between matrices. */
export const APART = 16;

function product(a: Affine, b: Affine): Affine {
  if (b.isConstant) return a.times(b.constant);
  return b.times(a.constant); // one size at most is open
}

export const load = (from: Buffer, ...indices: Index[]): Expr => ({
  kind: "load",
  buffer: from,
  indices: indices.map(affine),
});

export const store = (to: Buffer, indices: readonly Index[], value: Expr): Stmt => ({
  kind: "store",
  buffer: to,
  indices: indices.map(affine),
  value,
});

export const alloc = (what: Buffer): Stmt => ({ kind: "alloc", buffer: what });

export const name = (text: string): Expr => ({ kind: "name", name: text, dtype: "float32" });

export const define = (text: string, value: Expr): Stmt => ({ kind: "let", name: text, value });

export function loop(variable: string, to: Index, kind: LoopKind, body: readonly Stmt[]): Stmt {
  return { kind: "for", variable, from: affine(0), to: affine(to), loop: kind, body };
}

export function guarded(conditions: readonly (readonly [Index, Index])[], body: readonly Stmt[]): Stmt {
  const list = conditions.map(([left, right]): Condition => ({ left: affine(left), right: affine(right) }));
  return { kind: "if", conditions: list, body };
}

/** `count` steps in vectors of `lanes`, the rest one by one. */
export function vectors(
  variable: string,
  count: number,
  lanes: number,
  body: (at: Affine) => readonly Stmt[],
): Stmt {
  if (count < lanes || lanes < 4) return loop(variable, count, "serial", body(affine(variable)));
  const [block, lane] = [`${variable}b`, `${variable}l`];
  const at = affine(block).times(lanes).plus(lane);
  const left =
    count % lanes === 0 ? affine(lanes) : minimum(lanes, affine(count).minus(affine(block).times(lanes)));
  return loop(block, Math.ceil(count / lanes), "serial", [loop(lane, left, "vectorized", body(at))]);
}

/** Σ row[i] · values[i], without what is zero or multiplied by one. */
export function combination(row: readonly Rational[], values: readonly Expr[]): Expr {
  let sum: Expr | null = null;
  row.forEach((factor, i) => {
    if (factor.sign === 0) return;
    const size = Math.abs(factor.value);
    const negative = factor.sign < 0;
    if (sum === null) {
      const term = size === 1 ? values[i] : op("mul", values[i], lit(factor.value));
      sum = size === 1 && negative ? op("neg", term) : term;
    } else if (size === 1) sum = op(negative ? "sub" : "add", sum, values[i]);
    else sum = op("add", op("mul", values[i], lit(factor.value)), sum);
  });
  return sum ?? lit(0);
}

/**
 * Fills a local buffer with lines of channel `c` of image `b`, zeros around; the first line is `first` of the padded image.
 * `from`: the images.
 */
export function paddedLines(g: ConvGeometry, from: Buffer, to: Buffer, first: Index, lanes: number): Stmt[] {
  const [height, width] = to.shape.map((dim) => dim.constant);
  const [[top], [left]] = g.padding;
  const row = affine("py").plus(first).minus(top);
  // What the last tiles do not reach is not copied.
  const columns = Math.min(g.width, width - left);
  const inside: readonly (readonly [Index, Index])[] = [
    [-1, row],
    [row, g.height],
  ];
  const copy = vectors("px", columns, lanes, (x) => [
    store(to, ["py", x.plus(left)], load(from, "b", "c", row, x)),
  ]);
  return [
    alloc(to),
    loop("py", height, "serial", [
      vectors("pz", width, lanes, (x) => [store(to, ["py", x], lit(0))]),
      guarded(inside, [copy]),
    ]),
  ];
}

/** Images of a convolution as a parameter. */
export const imagesOf = (g: ConvGeometry): Buffer =>
  buffer("X", ["N", g.channels, g.height, g.width], "param");
