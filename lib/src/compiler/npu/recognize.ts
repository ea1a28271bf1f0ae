/** Products in loop IR: nests that accumulate A · B into C, whatever their loops are called and however they are cut. */
import type { Affine } from "../loop/affine.js";
import { type Buffer, type Expr, type For, type Stmt, walk, walkExpr } from "../loop/ir.js";
import { ARRAY_BYTES, type ArrayType, type NpuConfig, NpuError } from "./config.js";
import { elementOf, type FixedKernel, flat, type LoadExpr, placeOf } from "./kernel.js";
import { each, perfectNest } from "./nests.js";
import type { Matrix, Product, TileStep } from "./product.js";

/** Which sizes a loop goes over. */
type Axis = "m" | "n" | "k" | "batch";

export interface FoundProduct {
  readonly loops: readonly For[];
  readonly axis: ReadonlyMap<string, Axis>;
  readonly a: LoadExpr;
  readonly b: LoadExpr;
  readonly c: Buffer;
  /** Elements from one value of the innermost loop of each axis to the next. */
  readonly steps: {
    readonly am: number;
    readonly ak: number;
    readonly bk: number;
    readonly bn: number;
    readonly cm: number;
    readonly cn: number;
  };
  readonly offsets: { readonly a: Affine; readonly b: Affine; readonly c: Affine };
}

/** A nest that is a product the array can take, or the reason why it is none. */
export function productIn(config: NpuConfig, kernel: FixedKernel, s: Stmt): FoundProduct | string {
  const perfect = s.kind === "for" ? perfectNest(s) : null;
  if (!perfect) return "it is no nest of loops around one statement";
  const { loops, write } = perfect;
  if (write.kind !== "reduce" || write.op !== "add") return "it adds nothing up";
  const { value } = write;
  if (value.kind !== "op" || value.op !== "mul") return "it adds up no products";
  const [x, y] = value.args.map(operand);
  if (!x || !y) return "its factors are no elements of buffers";
  const c = write.buffer;
  const type: ArrayType | null = arrayType(x.buffer);
  if (type !== config.type || arrayType(y.buffer) !== type)
    return `its factors are ${x.buffer.dtype} and ${y.buffer.dtype}; the array of ${config.name} takes ${config.type}`;
  const target = flat(kernel, c, write.indices);
  for (const [p, q] of [
    [x, y],
    [y, x],
  ]) {
    const [a, b] = [flat(kernel, p.buffer, p.indices), flat(kernel, q.buffer, q.indices)];
    const found = classify(loops, a, b, target);
    if (found)
      return { loops, axis: found.axis, steps: found.steps, a: p, b: q, c, offsets: { a, b, c: target } };
  }
  return "its loops are not those of a product of matrices";
}

/** The load that a factor is, through the cast that widens it. */
function operand(e: Expr): LoadExpr | null {
  if (e.kind === "cast") return e.of.kind === "load" ? e.of : null;
  return e.kind === "load" ? e : null;
}

function arrayType({ dtype }: Buffer): ArrayType | null {
  return dtype in ARRAY_BYTES ? (dtype as ArrayType) : null;
}

const AXES: Readonly<Record<string, Axis | undefined>> = { ac: "m", bc: "n", ab: "k", abc: "batch" };

function classify(
  loops: readonly For[],
  a: Affine,
  b: Affine,
  c: Affine,
): { axis: Map<string, Axis>; steps: FoundProduct["steps"] } | null {
  const axis = new Map<string, Axis>();
  const steps = { am: 0, ak: 0, bk: 0, bn: 0, cm: 0, cn: 0 };
  for (const { variable: v } of loops) {
    if (![a, b, c].every((e) => e.isAffineIn(v))) return null;
    const [x, y, z] = [a, b, c].map((e) => e.coefficient(v));
    const kind = `${x !== 0 ? "a" : ""}${y !== 0 ? "b" : ""}${z !== 0 ? "c" : ""}`;
    const found = AXES[kind];
    if (!found) return null;
    axis.set(v, found);
    // The innermost loop of an axis has the smallest step; the outer ones are multiples of it.
    if (found === "m") [steps.am, steps.cm] = [x, z];
    if (found === "n") [steps.bn, steps.cn] = [y, z];
    if (found === "k") [steps.ak, steps.bk] = [x, y];
  }
  const has = (kind: Axis): boolean => [...axis.values()].includes(kind);
  return has("m") || has("n") ? { axis, steps } : null;
}

/** Sizes of a product whose loops are not cut: one each for m, n and k, from 0. */
export function plainSize(p: FoundProduct): { m: number; n: number; k: number } | null {
  const size = { m: 1, n: 1, k: 1 };
  const seen = new Set<Axis>();
  for (const { variable, from, to } of p.loops) {
    const axis = p.axis.get(variable) as Axis;
    if (axis === "batch") continue;
    if (seen.has(axis) || !from.isConstant || !to.isConstant || from.constant !== 0) return null;
    seen.add(axis);
    size[axis] = to.constant;
  }
  return size;
}

/**
 * The tiles of a product whose loops a schedule has cut: the loops outside of `inside` go over tiles, it and those in it over a
 * tile's elements.
 * @throws NpuError if the loops inside are not one for each size.
 */
export function scheduledSteps(kernel: FixedKernel, p: FoundProduct, inside: string): TileStep[] {
  const at = p.loops.findIndex((l) => l.variable === inside);
  const [outer, inner] = [p.loops.slice(0, at), p.loops.slice(at)];
  const axes = inner.map((l) => p.axis.get(l.variable) as Axis);
  if (axes.includes("batch") || new Set(axes).size < axes.length)
    throw new NpuError(
      `${kernel.name}: from "${inside}" on, loops go over ${axes.join(", ")}; a tile has one loop for each of m, n and k at the most`,
    );
  const steps: TileStep[] = [];
  each(outer, new Map(), (values) => {
    const size = { m: 1, n: 1, k: 1 };
    const corner = new Map(values);
    for (const l of inner) {
      const from = l.from.evaluate(corner);
      corner.set(l.variable, from);
      size[p.axis.get(l.variable) as "m" | "n" | "k"] = Math.max(0, l.to.evaluate(corner) - from);
    }
    if (size.m * size.n * size.k === 0) return;
    // How far along m and n: from the steps of A and B, so that batches don't count.
    const along = (kind: Axis, offset: Affine, step: number): number =>
      p.loops.reduce(
        (sum, l) =>
          p.axis.get(l.variable) === kind
            ? sum + (offset.coefficient(l.variable) / (step || 1)) * (corner.get(l.variable) as number)
            : sum,
        0,
      );
    steps.push({
      a: p.offsets.a.evaluate(corner),
      b: p.offsets.b.evaluate(corner),
      c: p.offsets.c.evaluate(corner),
      m0: along("m", p.offsets.a, p.steps.am),
      n0: along("n", p.offsets.b, p.steps.bn),
      ...size,
    });
  });
  return steps;
}

/** The product's matrices in outer memory. */
export function matricesOf(kernel: FixedKernel, p: FoundProduct, onto: boolean, keep: boolean): Product {
  const matrix = (buffer: Buffer, down: number, across: number): Matrix => {
    const place = placeOf(kernel, buffer.name);
    return { address: place.offset, down, across, type: elementOf(place.dtype) };
  };
  const { am, ak, bk, bn, cm, cn } = p.steps;
  return { a: matrix(p.a.buffer, am, ak), b: matrix(p.b.buffer, bk, bn), c: matrix(p.c, cm, cn), onto, keep };
}

/** True for a nest that sets every element of the buffer to zero. */
export function zeroes(kernel: FixedKernel, s: Stmt, buffer: Buffer): boolean {
  const perfect = s.kind === "for" ? perfectNest(s) : null;
  if (!perfect) return false;
  const { loops, write } = perfect;
  if (write.kind !== "store" || write.buffer.name !== buffer.name) return false;
  if (write.value.kind !== "constant" || write.value.value !== 0) return false;
  let count = 0;
  const index = flat(kernel, write.buffer, write.indices);
  if (!loops.every((l) => index.coefficient(l.variable) !== 0)) return false;
  each(loops.slice(0, -1), new Map(), (at) => {
    const last = loops[loops.length - 1];
    count += Math.max(0, last.to.evaluate(at) - last.from.evaluate(at));
  });
  const place = placeOf(kernel, buffer.name);
  return count === place.elements; // rows without gaps, each element once
}

/** An elementwise nest over the same m × n as a product's result: what can be done before the result leaves. */
export interface FoundEpilogue {
  readonly rowVariable: string;
  readonly columnVariable: string;
  readonly write: Extract<Stmt, { kind: "store" }>;
}

export function epilogueIn(
  kernel: FixedKernel,
  s: Stmt,
  size: { readonly m: number; readonly n: number },
  steps: { readonly cm: number; readonly cn: number },
  resident: ReadonlySet<string>,
): FoundEpilogue | null {
  const perfect = s.kind === "for" ? perfectNest(s) : null;
  if (!perfect || perfect.loops.length !== 2 || perfect.write.kind !== "store") return null;
  const { loops, write } = perfect;
  for (const [row, column] of [loops, [loops[1], loops[0]]]) {
    const covers = (
      [
        [row, size.m],
        [column, size.n],
      ] as const
    ).every(
      ([l, extent]) =>
        l.from.isConstant && l.from.constant === 0 && l.to.isConstant && l.to.constant === extent,
    );
    if (!covers) continue;
    let [reads, fits] = [false, true];
    walkExpr(write.value, (e) => {
      if (e.kind === "when" || e.kind === "index") fits = false;
      if (e.kind !== "load") return;
      const index = flat(kernel, e.buffer, e.indices);
      if (!index.isAffineIn(row.variable) || !index.isAffineIn(column.variable)) fits = false;
      if (e.buffer.name === write.buffer.name && !resident.has(e.buffer.name)) fits = false;
      if (!resident.has(e.buffer.name)) return;
      reads = true;
      const same =
        index.constant === 0 &&
        index.coefficient(row.variable) === steps.cm &&
        index.coefficient(column.variable) === steps.cn;
      if (!same || index.terms.length > 2) fits = false;
    });
    const target = flat(kernel, write.buffer, write.indices);
    const own = target.coefficient(row.variable) !== 0 || size.m === 1;
    if (reads && fits && own && target.isAffineIn(row.variable) && target.isAffineIn(column.variable))
      return { rowVariable: row.variable, columnVariable: column.variable, write };
  }
  return null;
}

/** Whether statements read a buffer. */
export function readsBuffer(body: readonly Stmt[], name: string): boolean {
  let found = false;
  walk(body, (s) => {
    const value = s.kind === "store" || s.kind === "reduce" || s.kind === "let" ? s.value : null;
    if (value)
      walkExpr(value, (e) => {
        if (e.kind === "load" && e.buffer.name === name) found = true;
      });
    if (s.kind === "reduce" && s.buffer.name === name) found = true;
  });
  return found;
}
