/** The kernels of machine learning as tensor expressions: what they compute. Schedules say how. */
import { affine, type Index } from "./affine.js";
import { cast, Definition, lit, op, when } from "./compute.js";
import type { Expr, LoopKernel, LoopType } from "./ir.js";
import { isStored } from "./types.js";

/** Sizes that are names become sizes of the kernel. */
function sizesOf(...indices: readonly Index[]): string[] {
  return [...new Set(indices.flatMap((i) => [...affine(i).variables()]))];
}

export interface MatmulOptions {
  /** Of A and B. int8 accumulates in int32, bfloat16 and float16 in float32. */
  readonly dtype?: LoopType;
  /** A batch of products: sizes in front. */
  readonly batch?: Index;
  /** A is stored as (k, m), B as (n, k). */
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  /** Elements from one index to the next, per axis of A, B and C: numbers or names of sizes; without: row-major. */
  readonly strides?: {
    readonly A?: readonly Index[];
    readonly B?: readonly Index[];
    readonly C?: readonly Index[];
  };
}

/**
 * C[m, n] = Σ A[m, k] · B[k, n].
 * @example printKernel(matmul("M", 8, 8)).startsWith("kernel matmul(M; A: float32[M, 8]") // true
 */
export function matmul(m: Index, n: Index, k: Index, options: MatmulOptions = {}): LoopKernel {
  const { dtype = "float32", batch, transposeA, transposeB, strides = {} } = options;
  const sum: LoopType =
    dtype === "int8" || dtype === "uint8"
      ? "int32"
      : dtype === "bfloat16" || dtype === "float16"
        ? "float32"
        : dtype;
  const lead = batch === undefined ? [] : [batch];
  const d = new Definition(
    "matmul",
    sizesOf(...lead, m, n, k, ...(strides.A ?? []), ...(strides.B ?? []), ...(strides.C ?? [])),
  );
  const a = d.input("A", dtype, [...lead, ...(transposeA ? [k, m] : [m, k])], strides.A);
  const b = d.input("B", dtype, [...lead, ...(transposeB ? [n, k] : [k, n])], strides.B);
  const c = d.output("C", sum, [...lead, m, n], strides.C);
  const axes = { ...(batch === undefined ? {} : { b: batch }), i: m, j: n };
  d.reduce(c, axes, { k }, "add", lit(0, sum), (v) => {
    const first = batch === undefined ? [] : [(v as Record<string, Index>).b];
    const x = a.at(...first, ...(transposeA ? [v.k, v.i] : [v.i, v.k]));
    const y = b.at(...first, ...(transposeB ? [v.j, v.k] : [v.k, v.j]));
    return [[...first, v.i, v.j], op("mul", widen(x, dtype, sum), widen(y, dtype, sum))];
  });
  return d.kernel();
}

/**
 * C[m, n] = α Σ A[m, k] · B[k, n] + β C[m, n]; α and β come as inputs of one element.
 * @example gemm(64, 64, 64).params.map((p) => p.name) // ["A", "B", "Alpha", "Beta", "C"]
 */
export function gemm(m: Index, n: Index, k: Index): LoopKernel {
  const d = new Definition("gemm", sizesOf(m, n, k));
  const a = d.input("A", "float32", [m, k]);
  const b = d.input("B", "float32", [k, n]);
  const [alpha, beta] = ["Alpha", "Beta"].map((name) => d.input(name, "float32", [1]));
  const c = d.output("C", "float32", [m, n]);
  const product = d.temp("AB", "float32", [m, n]);
  d.reduce(product, { im: m, jm: n }, { k }, "add", lit(0), (v) => [
    [v.im, v.jm],
    op("mul", a.at(v.im, v.k), b.at(v.k, v.jm)),
  ]);
  d.compute(c, { i: m, j: n }, ({ i, j }) => [
    [i, j],
    op("add", op("mul", alpha.at(0), product.at(i, j)), op("mul", beta.at(0), c.at(i, j))),
  ]);
  return d.kernel();
}

const widen = (e: Expr, from: LoopType, to: LoopType): Expr => (isStored(from) ? cast(to, e) : e);

/**
 * Y = f(X₀, X₁ …) element by element; inputs broadcast: an axis of size 1 repeats.
 * @example elementwise("twice", [4], [[4]], ([x]) => op("add", x, x)).body.length // 1
 */
export function elementwise(
  name: string,
  shape: readonly Index[],
  inputs: readonly (readonly Index[])[],
  f: (x: readonly Expr[]) => Expr,
  dtype: LoopType = "float32",
): LoopKernel {
  const d = new Definition(name, sizesOf(...shape, ...inputs.flat()));
  const refs = inputs.map((dims, i) => d.input(`X${i}`, dtype, dims));
  const y = d.output("Y", dtype, shape);
  const axes = Object.fromEntries(shape.map((dim, axis) => [`i${axis}`, dim]));
  d.compute(y, axes, (v) => {
    const at = shape.map((_, axis) => v[`i${axis}`]);
    const values = refs.map((ref, i) => {
      const lead = shape.length - inputs[i].length;
      return ref.at(...inputs[i].map((dim, axis) => (dim === 1 ? 0 : at[lead + axis])));
    });
    return [at, f(values)];
  });
  return d.kernel();
}

/**
 * Y[i] = the sum (or maximum …) of f(X[i, j]) over j.
 * @example rowReduce("sum", "M", "N", "add").name // "sum"
 */
export function rowReduce(
  name: string,
  rows: Index,
  columns: Index,
  reduction: "add" | "maximum" | "minimum",
  f: (x: Expr) => Expr = (x) => x,
  dtype: LoopType = "float32",
): LoopKernel {
  const d = new Definition(name, sizesOf(rows, columns));
  const x = d.input("X", dtype, [rows, columns]);
  const y = d.output("Y", dtype, [rows]);
  const initial = { add: 0, maximum: Number.NEGATIVE_INFINITY, minimum: Number.POSITIVE_INFINITY }[reduction];
  d.reduce(y, { i: rows }, { j: columns }, reduction, lit(initial, dtype), ({ i, j }) => [
    [i],
    f(x.at(i, j)),
  ]);
  return d.kernel();
}

/**
 * Softmax over rows: maximum, exponentials (in the output), sum, quotient. `scaled`: of the rows times a positive number,
 * which comes as an input of one element.
 * @example softmaxRows("M", 10).body.filter((s) => s.kind === "for").length // 6
 */
export function softmaxRows(
  rows: Index,
  columns: Index,
  dtype: LoopType = "float32",
  scaled = false,
): LoopKernel {
  const d = new Definition("softmax", sizesOf(rows, columns));
  const x = d.input("X", dtype, [rows, columns]);
  const scale = scaled ? d.input("Scale", dtype, [1]) : null;
  const y = d.output("Y", dtype, [rows, columns]);
  const most = d.temp("Max", dtype, [rows]);
  const sum = d.temp("Sum", dtype, [rows]);
  d.reduce(
    most,
    { im: rows },
    { jm: columns },
    "maximum",
    lit(Number.NEGATIVE_INFINITY, dtype),
    ({ im, jm }) => [[im], x.at(im, jm)],
  );
  d.compute(y, { ie: rows, je: columns }, ({ ie, je }) => {
    const below = op("sub", x.at(ie, je), most.at(ie));
    return [[ie, je], op("exp", scale ? op("mul", below, scale.at(0)) : below)];
  });
  d.reduce(sum, { is: rows }, { js: columns }, "add", lit(0, dtype), ({ is, js }) => [[is], y.at(is, js)]);
  d.compute(y, { i: rows, j: columns }, ({ i, j }) => [[i, j], op("div", y.at(i, j), sum.at(i))]);
  return d.kernel();
}

/**
 * (x − mean)/√(variance + ε) · gamma + beta over rows of a known number of columns.
 * @example layerNormRows("M", 64).params.map((p) => p.name) // ["X", "Gamma", "Beta", "Y"]
 */
export function layerNormRows(
  rows: Index,
  columns: number,
  eps = 1e-5,
  dtype: LoopType = "float32",
): LoopKernel {
  const d = new Definition("layerNorm", sizesOf(rows));
  const x = d.input("X", dtype, [rows, columns]);
  const gamma = d.input("Gamma", dtype, [columns]);
  const beta = d.input("Beta", dtype, [columns]);
  const y = d.output("Y", dtype, [rows, columns]);
  const mean = d.temp("Mean", dtype, [rows]);
  const variance = d.temp("Variance", dtype, [rows]);
  const share = lit(1 / columns, dtype);
  d.reduce(mean, { im: rows }, { jm: columns }, "add", lit(0, dtype), ({ im, jm }) => [
    [im],
    op("mul", x.at(im, jm), share),
  ]);
  d.reduce(variance, { iv: rows }, { jv: columns }, "add", lit(0, dtype), ({ iv, jv }) => [
    [iv],
    op("mul", op("square", op("sub", x.at(iv, jv), mean.at(iv))), share),
  ]);
  d.compute(y, { i: rows, j: columns }, ({ i, j }) => {
    const scale = op("div", lit(1, dtype), op("sqrt", op("add", variance.at(i), lit(eps, dtype))));
    const centred = op("mul", op("sub", x.at(i, j), mean.at(i)), scale);
    return [[i, j], op("add", op("mul", centred, gamma.at(j)), beta.at(j))];
  });
  return d.kernel();
}

export interface Conv2dShape {
  readonly n: Index;
  readonly channels: number;
  readonly filters: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly padding?: number;
}

/**
 * Y[n, f, y, x] = Σ X[n, c, y·s + r − p, x·s + q − p] · W[f, c, r, q], zeros outside.
 * @example conv2d({ n: 1, channels: 2, filters: 3, height: 8, width: 8, kernel: 3, padding: 1 }).params[2].shape.join() // "1,3,8,8"
 */
export function conv2d({
  n,
  channels,
  filters,
  height,
  width,
  kernel,
  stride = 1,
  padding = 0,
}: Conv2dShape): LoopKernel {
  const d = new Definition("conv2d", sizesOf(n));
  const [h, w] = [height, width].map((size) => Math.floor((size + 2 * padding - kernel) / stride) + 1);
  const x = d.input("X", "float32", [n, channels, height, width]);
  const weights = d.input("W", "float32", [filters, channels, kernel, kernel]);
  const y = d.output("Y", "float32", [n, filters, h, w]);
  d.reduce(y, { b: n, f: filters, y: h, x: w }, { c: channels, r: kernel, q: kernel }, "add", lit(0), (v) => {
    const value = inside(
      v.y.times(stride).plus(v.r).minus(padding),
      v.x.times(stride).plus(v.q).minus(padding),
      height,
      width,
      (i, j) => x.at(v.b, v.c, i, j),
    );
    return [[v.b, v.f, v.y, v.x], op("mul", value, weights.at(v.f, v.c, v.r, v.q))];
  });
  return d.kernel();
}

/**
 * Y[n, f, y, x] = Σ X[n, c, y + p − r, x + p − q] · W[c, f, r, q]: the gradient of a convolution of stride 1 by its images, for
 * the gradient X of its output. Counted from the filter's end it is a convolution again. `shape` is the convolution's.
 * @example conv2dInputGrad({ n: 1, channels: 2, filters: 3, height: 8, width: 8, kernel: 3, padding: 1 }).params[2].shape.join() // "1,2,8,8"
 */
export function conv2dInputGrad({
  n,
  channels,
  filters,
  height,
  width,
  kernel,
  padding = 0,
}: Omit<Conv2dShape, "stride">): LoopKernel {
  const d = new Definition("conv2dInputGrad", sizesOf(n));
  const [h, w] = [height, width].map((size) => size + 2 * padding - kernel + 1);
  const x = d.input("X", "float32", [n, filters, h, w]);
  const weights = d.input("W", "float32", [filters, channels, kernel, kernel]);
  const y = d.output("Y", "float32", [n, channels, height, width]);
  const axes = { b: n, f: channels, y: height, x: width };
  d.reduce(y, axes, { c: filters, r: kernel, q: kernel }, "add", lit(0), (v) => {
    const [before, last] = [kernel - 1 - padding, kernel - 1];
    const value = inside(v.y.plus(v.r).minus(before), v.x.plus(v.q).minus(before), h, w, (i, j) =>
      x.at(v.b, v.c, i, j),
    );
    const weight = weights.at(v.c, v.f, v.r.times(-1).plus(last), v.q.times(-1).plus(last));
    return [[v.b, v.f, v.y, v.x], op("mul", value, weight)];
  });
  return d.kernel();
}

/**
 * Each channel with its own filter.
 * @example depthwise({ n: 1, channels: 2, height: 4, width: 4, kernel: 3, padding: 1 }).name // "depthwise"
 */
export function depthwise({
  n,
  channels,
  height,
  width,
  kernel,
  stride = 1,
  padding = 0,
}: Omit<Conv2dShape, "filters">): LoopKernel {
  const d = new Definition("depthwise", sizesOf(n));
  const [h, w] = [height, width].map((size) => Math.floor((size + 2 * padding - kernel) / stride) + 1);
  const x = d.input("X", "float32", [n, channels, height, width]);
  const weights = d.input("W", "float32", [channels, kernel, kernel]);
  const y = d.output("Y", "float32", [n, channels, h, w]);
  d.reduce(y, { b: n, c: channels, y: h, x: w }, { r: kernel, q: kernel }, "add", lit(0), (v) => {
    const value = inside(
      v.y.times(stride).plus(v.r).minus(padding),
      v.x.times(stride).plus(v.q).minus(padding),
      height,
      width,
      (i, j) => x.at(v.b, v.c, i, j),
    );
    return [[v.b, v.c, v.y, v.x], op("mul", value, weights.at(v.c, v.r, v.q))];
  });
  return d.kernel();
}

/** The element at (i, j), or zero outside of height × width. */
function inside(i: Index, j: Index, height: number, width: number, at: (i: Index, j: Index) => Expr): Expr {
  return when(
    [
      [-1, i],
      [i, height],
      [-1, j],
      [j, width],
    ],
    at(i, j),
    lit(0),
  );
}

/**
 * The book's stencil a[i+1][j] = a[i][j+1] − a[i][j] + a[i][j−1] (chapter 5): i may not be exchanged with j, nor may
 * j run in parallel with i inside, until j is skewed by i.
 * @example stencil(4, 6).body.length // 1
 */
export function stencil(steps: Index, width: Index): LoopKernel {
  const d = new Definition("stencil", sizesOf(steps, width));
  const a = d.output("A", "float32", [affine(steps).plus(1), affine(width).plus(2)]);
  d.compute(a, { i: steps, j: width }, ({ i, j }) => {
    const at = (column: number): Expr => a.at(i, j.plus(column));
    return [[i.plus(1), j.plus(1)], op("add", op("sub", at(2), at(1)), at(0))];
  });
  return d.kernel();
}
