/** cacheWrite: accumulates in registers what a loop adds to a buffer. rfactor: several accumulators in place of one. */
import { type Affine, affine } from "../loop/affine.js";
import { implied } from "../loop/constraints.js";
import {
  type Buffer,
  type Expr,
  type For,
  findLoop,
  LoopError,
  type LoopKernel,
  type Reduction,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../loop/ir.js";
import type { CacheOptions } from "./cache-read.js";
import { distance, pairsOf } from "./dependence.js";
import { nest, type Region, rangesOf, regionOf, writes, writesHere } from "./region.js";
import { capOf, checkFree, loopsInside, replaceLoop, simplify, simplifyIndex } from "./tree.js";

/**
 * Accumulates what the loop `at` adds to a buffer in a buffer of its own (registers by default), and adds it at the
 * loop's end. Where the loop holds the whole reduction, it stores instead, and the first setting to zero goes.
 * The loops around the accumulator are `name_zero0` …, and `name_out0` ….
 * @throws LoopError if nothing there accumulates into it, or accesses do not lie in one box of constant size.
 */
export function cacheWrite(
  kernel: LoopKernel,
  buffer: string,
  at: string,
  options: CacheOptions,
): LoopKernel {
  const where = `cacheWrite ${buffer} at "${at}"`;
  const { loop, around } = findLoop(kernel, at);
  const targets: (readonly Affine[])[] = [];
  let op: Reduction | null = null;
  let target: Buffer | null = null;
  walk(loop.body, (s, inside) => {
    if (writesHere(s, buffer) && inside.some((x) => x.kind === "if"))
      throw new LoopError(`${where}: what is written there depends on a condition`);
    if (s.kind === "store" && s.buffer.name === buffer)
      throw new LoopError(`${where}: it is stored to, not accumulated`);
    const value = statementValue(s);
    if (value)
      walkExpr(value, (e) => {
        if (e.kind === "load" && e.buffer.name === buffer) throw new LoopError(`${where}: it is read there`);
      });
    if (s.kind !== "reduce" || s.buffer.name !== buffer) return;
    if (op !== null && op !== s.op) throw new LoopError(`${where}: two kinds of accumulation`);
    [op, target] = [s.op, s.buffer];
    targets.push(s.indices);
  });
  if (op === null || target === null) throw new LoopError(`${where}: nothing there accumulates into it`);
  const { dtype } = target as Buffer;
  const reduction = op as Reduction;
  const region = regionOf(
    kernel,
    targets.map((indices) => ({ indices, inside: loop.body })),
    where,
  );
  const bounds = exactBounds(targets, loop.body, region, where);
  const scope = options.scope ?? "register";
  const accumulator: Buffer = {
    name: options.name,
    dtype,
    shape: region.extent,
    strides: null,
    scope,
    output: false,
  };
  if (!region.extent.every((e) => e.isConstant))
    throw new LoopError(`${where}: the accumulator's size ${region.extent.join(" × ")} is not constant`);
  checkFree(kernel, [options.name], where);
  const zero = identity(reduction, dtype);
  const names = (part: string) => region.extent.map((_, d) => `${options.name}_${part}${d}`);
  const init = nest(names("zero"), region.extent, (v) => ({
    kind: "store",
    buffer: accumulator,
    indices: v,
    value: zero,
  }));
  const body = loop.body.map((s) => redirectReductions(kernel, s, loop.body, buffer, accumulator, region));
  checkInside(kernel, [...around, loop], target, region, bounds, where);
  const whole = holdsReduction(kernel, buffer, [...around, loop], loop.body);
  const out = nest(names("out"), bounds, (v) => {
    const indices = v.map((x, d) => region.base[d].plus(x));
    const value: Expr = { kind: "load", buffer: accumulator, indices: v };
    return whole
      ? { kind: "store", buffer: target as unknown as Buffer, indices, value }
      : { kind: "reduce", op: reduction, buffer: target as unknown as Buffer, indices, value };
  });
  const cached = replaceLoop(kernel, at, () => [
    { ...loop, body: [{ kind: "alloc", buffer: accumulator }, ...init, ...body, ...out] },
  ]);
  return simplify(whole ? { ...cached, body: cached.body.filter((s) => !setsTo(s, buffer, zero)) } : cached);
}

/**
 * Gives each iteration of `inner` an accumulator of its own for the reduction that the loops from `outer` to `inner` make;
 * they are summed up behind `outer`. Then `inner` may be vectorized. The new loops are `name_zero`, `name_out`.
 * @throws LoopError if these loops are not one nest around one accumulation that does not depend on them.
 */
export function rfactor(kernel: LoopKernel, inner: string, outer: string, name: string): LoopKernel {
  const where = `rfactor "${inner}"`;
  checkFree(kernel, [name, `${name}_zero`, `${name}_out`], where);
  const { loop } = findLoop(kernel, outer);
  const chain = [loop];
  for (let last = loop; last.variable !== inner; ) {
    const [only] = last.body;
    if (last.body.length !== 1 || only.kind !== "for")
      throw new LoopError(`${where}: it is not in a perfect nest inside "${outer}"`);
    chain.push(only);
    last = only;
  }
  const own = chain[chain.length - 1];
  const [only] = own.body;
  if (own.body.length !== 1 || only.kind !== "reduce")
    throw new LoopError(`${where}: there is more inside it than one accumulation`);
  for (const index of only.indices)
    for (const l of chain)
      if (index.variables().has(l.variable))
        throw new LoopError(`${where}: the target depends on "${l.variable}"`);
  const cap = capOf(own);
  if (cap === null || !(own.from.isConstant && own.from.constant === 0))
    throw new LoopError(`${where}: it has no constant bound`);
  const parts: Buffer = {
    name,
    dtype: only.buffer.dtype,
    shape: [affine(cap)],
    strides: null,
    scope: "register",
    output: false,
  };
  const zero = identity(only.op, only.buffer.dtype);
  const inside = chain.reduceRight<readonly Stmt[]>(
    (body, l) => [{ ...l, body }],
    [{ ...only, buffer: parts, indices: [affine(inner)] }],
  );
  const clear = nest([`${name}_zero`], [affine(cap)], (v) => ({
    kind: "store",
    buffer: parts,
    indices: v,
    value: zero,
  }));
  const sum = nest([`${name}_out`], [affine(cap)], (v) => ({
    ...only,
    value: { kind: "load", buffer: parts, indices: v },
  }));
  const unrolled = (list: Stmt[]): Stmt[] =>
    list.map((s) => (s.kind === "for" ? { ...s, loop: "unrolled" } : s));
  return simplify(
    replaceLoop(kernel, outer, () => [
      { kind: "alloc", buffer: parts },
      ...unrolled(clear),
      ...inside,
      ...unrolled(sum),
    ]),
  );
}

/** What an accumulation begins with. */
export function identity(op: Reduction, dtype: Buffer["dtype"]): Expr {
  const least = dtype === "int32" ? -(2 ** 31) : Number.NEGATIVE_INFINITY;
  const most = dtype === "int32" ? 2 ** 31 - 1 : Number.POSITIVE_INFINITY;
  return { kind: "constant", dtype, value: { add: 0, mul: 1, maximum: least, minimum: most }[op] };
}

function redirectReductions(
  kernel: LoopKernel,
  s: Stmt,
  body: readonly Stmt[],
  buffer: string,
  to: Buffer,
  region: Region,
): Stmt {
  const ranges = rangesOf(kernel, loopsInside(body));
  const go = (x: Stmt): Stmt => {
    if (x.kind === "for" || x.kind === "if") return { ...x, body: x.body.map(go) };
    if (x.kind !== "reduce" || x.buffer.name !== buffer) return x;
    return {
      ...x,
      buffer: to,
      indices: x.indices.map((index, d) => simplifyIndex(index.minus(region.base[d]), ranges)),
    };
  };
  return go(s);
}

/** How far each axis of the accumulator is really used: it may end early in the last round. */
function exactBounds(
  targets: readonly (readonly Affine[])[],
  body: readonly Stmt[],
  region: Region,
  where: string,
): Affine[] {
  const inner = new Map(loopsInside(body).map((l) => [l.variable, l]));
  return region.extent.map((extent, d) => {
    const used = [...targets[0][d].variables()].filter((v) => inner.has(v)).map((v) => inner.get(v)!);
    if (used.every((l) => l.to.minus(l.from).isConstant)) return extent;
    const [only] = used;
    const offset = targets[0][d].minus(region.base[d]);
    if (
      targets.length !== 1 ||
      used.length !== 1 ||
      offset.coefficient(only.variable) !== 1 ||
      !(only.from.isConstant && only.from.constant === 0)
    )
      throw new LoopError(
        `${where}: the part of axis ${d} that is written, ${targets[0][d]}, is not one whole loop`,
      );
    return only.to;
  });
}

/** What goes back must lie inside the buffer, also in rounds whose loops would have been empty. */
function checkInside(
  kernel: LoopKernel,
  around: readonly Stmt[],
  target: Buffer,
  region: Region,
  bounds: readonly Affine[],
  where: string,
): void {
  const facts = [
    ...kernel.sizes.map((name) => affine(name)),
    ...around.flatMap((s) =>
      s.kind === "for" ? [affine(s.variable).minus(s.from), s.to.minus(s.variable).minus(1)] : [],
    ),
    ...bounds.flatMap((b, d) => [affine(`axis ${d}`), b.minus(`axis ${d}`).minus(1)]),
  ];
  region.base.forEach((base, d) => {
    const index = base.plus(`axis ${d}`);
    if (!implied(index, facts) || !implied(target.shape[d].minus(index).minus(1), facts))
      throw new LoopError(`${where}: what goes back along axis ${d} may leave the buffer`);
  });
}

/** True if each element is accumulated in one round of the loops around only, and the buffer is set to the identity before. */
function holdsReduction(
  kernel: LoopKernel,
  buffer: string,
  around: readonly Stmt[],
  body: readonly Stmt[],
): boolean {
  if (!kernel.body.some((s) => s.kind === "for" && initOf(s)?.buffer.name === buffer)) return false;
  let others = 0;
  for (const s of kernel.body) if (writes(s, buffer)) others++;
  const loops = around.filter((s): s is For => s.kind === "for");
  if (others !== 2 || loops.length !== around.length) return false;
  const pairs = pairsOf(kernel, loops, [], body, false).filter((p) => p.earlier.buffer.name === buffer);
  return loops.every((loop, l) => {
    const before = loops.slice(0, l).map((x) => distance(x.variable));
    return !pairs.some((p) => p.meets([distance(loop.variable).minus(1)], before));
  });
}

/** The store inside a nest that sets every element of a buffer. */
function initOf(s: Stmt): Extract<Stmt, { kind: "store" }> | null {
  let inside: Stmt = s;
  const loops: For[] = [];
  while (inside.kind === "for" && inside.body.length === 1) {
    loops.push(inside);
    inside = inside.body[0];
  }
  if (inside.kind !== "store") return null;
  return inside.value.kind === "constant" ? inside : null;
}

function setsTo(s: Stmt, buffer: string, zero: Expr): boolean {
  const init = initOf(s);
  return (
    init !== null &&
    init.buffer.name === buffer &&
    init.value.kind === "constant" &&
    zero.kind === "constant" &&
    Object.is(init.value.value, zero.value)
  );
}
