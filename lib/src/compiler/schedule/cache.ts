/**
 * Primitives that keep part of a buffer nearer: cacheRead copies (and packs) what a loop reads, cacheWrite accumulates
 * in registers, computeAt makes a stage's values where they are needed, rfactor splits an accumulator into several.
 */
import {
  Affine,
  affine,
  ceildiv,
  floordiv,
  maximum,
  minimum,
  mod,
  type Ranges,
  rangeOf,
} from "../loop/affine.js";
import { implied } from "../loop/constraints.js";
import {
  type Buffer,
  type Condition,
  type Expr,
  type For,
  findLoop,
  LoopError,
  type LoopKernel,
  mapStmt,
  type Reduction,
  type Scope,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../loop/ir.js";
import { distance, pairsOf } from "./dependence.js";
import {
  boundsOf,
  capOf,
  checkFree,
  extentBound,
  loopsInside,
  replaceLoop,
  simplify,
  simplifyIndex,
  substituteAll,
} from "./tree.js";

/** The part of a buffer that the accesses inside a loop touch: per axis, from `base` on, at most `extent` elements. */
interface Region {
  readonly base: readonly Affine[];
  readonly extent: readonly Affine[];
  /** Elements that are really reached, where the loops inside say so: in a shorter last round fewer than `extent`. */
  readonly reach: readonly (Affine | null)[];
}

export interface Packing {
  /** This axis is cut into pieces of `by` elements, which become the innermost axis; the pieces the outermost. */
  readonly axis: number;
  readonly by: number;
}

export interface CacheOptions {
  /** Name of the copy. */
  readonly name: string;
  readonly scope?: Scope;
  readonly pack?: Packing;
}

/**
 * Copies what the loop `at` (`null`: the whole kernel) reads of a buffer into a buffer of its own at the loop's beginning.
 * Elements beyond the buffer's end are zeros. The copying loops are `name_axis0` … (packed: the piece first, its inside last).
 * @throws LoopError if nothing there reads it, something there writes it, or accesses do not lie in one box.
 */
export function cacheRead(
  kernel: LoopKernel,
  buffer: string,
  at: string | null,
  options: CacheOptions,
): LoopKernel {
  const where = `cacheRead ${buffer}${at === null ? "" : ` at "${at}"`}`;
  const body = at === null ? kernel.body : findLoop(kernel, at).loop.body;
  const { source, accesses } = loadsOf(body, buffer, where);
  const region = regionOf(kernel, accesses, where, at === null);
  const scope = options.scope ?? (at === null ? "shared" : "local");
  const copy = makeCopy(kernel, source, region, { ...options, scope }, at, where);
  const replaced = redirectLoads(kernel, body, source, copy, region, options.pack);
  const filled: Stmt[] = [
    { kind: "alloc", buffer: copy },
    ...copyLoops(kernel, source, copy, region, options.pack, at),
  ];
  if (at !== null)
    return simplify(replaceLoop(kernel, at, (loop) => [{ ...loop, body: [...filled, ...replaced] }]));
  const first = kernel.body.findIndex((s, i) => s !== replaced[i] && loadsIn(s, buffer));
  return simplify({ ...kernel, body: [...replaced.slice(0, first), ...filled, ...replaced.slice(first)] });
}

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
 * Moves the stage that makes a `shared` buffer into the loop `at` of its consumer: each round computes just what it reads.
 * @throws LoopError if the buffer is read outside the loop, or its stages are not plain nests over its axes.
 */
export function computeAt(
  kernel: LoopKernel,
  buffer: string,
  at: string,
  scope: Scope = "local",
): LoopKernel {
  const where = `computeAt ${buffer} at "${at}"`;
  const { loop, around } = findLoop(kernel, at);
  const makers = kernel.body.filter((s) => writes(s, buffer));
  const top = around[0] ?? loop;
  if (makers.length === 0 || makers.includes(top))
    throw new LoopError(`${where}: no stage before that loop makes it`);
  const { source, accesses } = loadsOf(loop.body, buffer, where);
  if (source.scope !== "shared")
    throw new LoopError(
      `${where}: it is ${source.scope === "param" ? "a parameter" : source.scope}, not a shared temporary`,
    );
  let outside = 0;
  for (const s of kernel.body) if (!makers.includes(s)) outside += countLoads([s], buffer);
  if (outside !== countLoads(loop.body, buffer))
    throw new LoopError(`${where}: it is also read outside that loop`);
  for (const maker of makers) {
    for (const read of buffersRead(maker)) {
      const later = kernel.body
        .slice(kernel.body.indexOf(maker) + 1)
        .some((s) => !makers.includes(s) && writes(s, read));
      if (later) throw new LoopError(`${where}: its stage reads "${read}", which is written in between`);
    }
  }
  const region = regionOf(kernel, accesses, where);
  if (!region.extent.every((e) => e.isConstant))
    throw new LoopError(`${where}: the part that is read, ${region.extent.join(" × ")}, is not constant`);
  const local: Buffer = { ...source, shape: region.extent, strides: null, scope };
  const stages = makers.map((maker, i) => stageFor(maker, local, region, source, i, where));
  const replaced = redirectLoads(kernel, loop.body, source, local, region);
  const moved = replaceLoop(kernel, at, () => [
    { ...loop, body: [{ kind: "alloc", buffer: local }, ...stages, ...replaced] },
  ]);
  const gone = moved.body.filter(
    (s) =>
      !(s.kind === "alloc" && s.buffer.name === buffer && s.buffer.scope === "shared") &&
      !makers.some((m) => sameTop(m, s)),
  );
  return simplify({ ...moved, body: gone });
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

interface Access {
  readonly indices: readonly Affine[];
  readonly inside: readonly Stmt[];
}

function loadsOf(
  body: readonly Stmt[],
  buffer: string,
  where: string,
): { source: Buffer; accesses: Access[] } {
  const accesses: Access[] = [];
  let source: Buffer | undefined;
  walk(body, (s) => {
    if (writesHere(s, buffer)) throw new LoopError(`${where}: it is written there`);
    const value = statementValue(s);
    if (value)
      walkExpr(value, (e) => {
        if (e.kind !== "load" || e.buffer.name !== buffer) return;
        source = e.buffer;
        accesses.push({ indices: e.indices, inside: body });
      });
  });
  if (!source) throw new LoopError(`${where}: nothing there reads it`);
  return { source, accesses };
}

/** The box around all accesses: the same base up to constants, and extents from the bounds of the loops inside. */
/** One more than the greatest value of an index, by the loops' own bounds, the innermost first. */
function reachOf(index: Affine, loops: readonly For[]): Affine {
  let high = index;
  for (const loop of [...loops].reverse()) {
    const c = high.coefficient(loop.variable);
    if (c === 0) continue;
    const parts = boundsOf(loop.to, "min");
    const last = (parts.find((p) => !p.isConstant) ?? parts[0]).minus(1);
    high = high.substitute(new Map([[loop.variable, c > 0 ? last : loop.from]]));
  }
  return high.plus(1);
}

function regionOf(
  kernel: LoopKernel,
  accesses: readonly Access[],
  where: string,
  wholeKernel = false,
): Region {
  const base: Affine[] = [];
  const extent: Affine[] = [];
  const reach: (Affine | null)[] = [];
  const inner = new Map(accesses.flatMap((a) => loopsInside(a.inside)).map((l) => [l.variable, l]));
  const ranges = rangesOf(kernel, inner.values());
  for (let d = 0; d < accesses[0].indices.length; d++) {
    const lows: Affine[] = [];
    const highs: Affine[] = [];
    for (const { indices } of accesses) {
      let [low, high] = [affine(indices[d].constant), affine(indices[d].constant)];
      for (const { atom, coefficient, key } of indices[d].terms) {
        const loop = atom.kind === "var" ? inner.get(atom.name) : undefined;
        const involved =
          atom.kind !== "var" &&
          [...indices[d].variables()].some((v) => inner.has(v) && !indices[d].isAffineIn(v));
        if (involved) throw new LoopError(`${where}: index ${d}, ${indices[d]}, is not affine`);
        if (!loop) {
          const self = new Affine([{ atom, coefficient, key }], 0);
          low = low.plus(self);
          high = high.plus(self);
        } else {
          const last = loop.from.plus(extentBound(loop)).minus(1);
          low = low.plus((coefficient > 0 ? loop.from : last).times(coefficient));
          high = high.plus((coefficient > 0 ? last : loop.from).times(coefficient));
        }
      }
      lows.push(low);
      highs.push(high);
    }
    const constantApart = (list: readonly Affine[]) => list.every((x) => x.minus(list[0]).isConstant);
    if (!constantApart(lows) || !constantApart(highs))
      throw new LoopError(`${where}: the accesses along axis ${d} do not lie in one box`);
    const from = minimum(...lows);
    base.push(from);
    const size = simplifyIndex(
      maximum(...highs)
        .minus(from)
        .plus(1),
      ranges,
    );
    // A buffer's shape knows sizes only.
    const fixed = [...size.variables()].every((v) => kernel.sizes.includes(v));
    const [, most] = rangeOf(size, ranges);
    if (!fixed && !Number.isFinite(most))
      throw new LoopError(`${where}: the part of axis ${d}, ${size} elements, changes from round to round`);
    const reached = reachOf(accesses[0].indices[d].minus(from), [...inner.values()]);
    const exact = accesses.length === 1 && [...reached.variables()].every((v) => !inner.has(v)) ? reached : null;
    const known = wholeKernel && exact && [...exact.variables()].every((v) => kernel.sizes.includes(v));
    extent.push(known ? exact : fixed ? size : affine(Math.max(0, most)));
    reach.push(exact);
  }
  const variables = [...base, ...extent].flatMap((e) => [...e.variables()]);
  if (variables.some((v) => inner.has(v)))
    throw new LoopError(`${where}: the bounds of the loops inside depend on each other`);
  return { base, extent, reach };
}

function rangesOf(kernel: LoopKernel, loops: Iterable<For>): Ranges {
  const ranges = new Map<string, readonly [number, number]>(
    kernel.sizes.map((name) => [name, [0, Number.POSITIVE_INFINITY]]),
  );
  for (const loop of loops) {
    const cap = capOf(loop);
    if (loop.from.isConstant)
      ranges.set(loop.variable, [
        loop.from.constant,
        cap === null ? Number.POSITIVE_INFINITY : loop.from.constant + cap - 1,
      ]);
  }
  return ranges;
}

function makeCopy(
  kernel: LoopKernel,
  source: Buffer,
  region: Region,
  options: CacheOptions & { readonly scope: Scope },
  at: string | null,
  where: string,
): Buffer {
  const { name, pack, scope } = options;
  checkFree(kernel, [name], where);
  if (at === null && scope !== "shared")
    throw new LoopError(`${where}: a copy for the whole kernel is shared`);
  if (at !== null && scope === "shared") throw new LoopError(`${where}: a copy inside a loop is not shared`);
  let shape = region.extent;
  if (pack) {
    if (!(pack.axis in shape) || !Number.isInteger(pack.by) || pack.by < 1)
      throw new LoopError(`${where}: no pieces of ${pack.by} along axis ${pack.axis} of ${shape.length}`);
    shape = [ceildiv(shape[pack.axis], pack.by), ...shape.filter((_, d) => d !== pack.axis), affine(pack.by)];
  }
  return { name, dtype: source.dtype, shape, strides: null, scope, output: false };
}

/** Position in the copy of an element at `offset` from the region's base. */
function packedIndices(offset: readonly Affine[], ranges: Ranges, pack?: Packing): Affine[] {
  if (!pack) return [...offset];
  const along = offset[pack.axis];
  return [
    floordiv(along, pack.by, ranges),
    ...offset.filter((_, d) => d !== pack.axis),
    mod(along, pack.by, ranges),
  ];
}

function redirectLoads(
  kernel: LoopKernel,
  body: readonly Stmt[],
  source: Buffer,
  copy: Buffer,
  region: Region,
  pack?: Packing,
): Stmt[] {
  const ranges = rangesOf(kernel, loopsInside(body));
  const expr = (e: Expr): Expr => {
    if (e.kind !== "load" || e.buffer.name !== source.name) return e;
    const offset = e.indices.map((index, d) => index.minus(region.base[d]));
    return { ...e, buffer: copy, indices: packedIndices(offset, ranges, pack) };
  };
  return body.map((s) => mapStmt(s, { expr }));
}

function copyLoops(
  kernel: LoopKernel,
  source: Buffer,
  copy: Buffer,
  region: Region,
  pack: Packing | undefined,
  at: string | null,
): Stmt[] {
  const names = copy.shape.map((_, d) => `${copy.name}_axis${d}`);
  // What is never read need not be copied; only pieces are filled to their end.
  const bounds = copy.shape.map((whole, d) => {
    const axis = pack ? (d === 0 ? pack.axis : d <= pack.axis ? d - 1 : d) : d;
    const reached = pack && d === copy.shape.length - 1 ? null : region.reach[axis];
    if (!reached) return whole;
    const parts = boundsOf(pack && d === 0 ? ceildiv(reached, pack.by) : reached, "min");
    return minimum(whole, ...parts);
  });
  return nest(names, bounds, (v) => {
    const offset: Affine[] = pack
      ? region.extent.map((_, d) =>
          d === pack.axis ? v[0].times(pack.by).plus(v[v.length - 1]) : v[1 + (d < pack.axis ? d : d - 1)],
        )
      : [...v];
    const indices = offset.map((x, d) => region.base[d].plus(x));
    const around = at === null ? [] : [...findLoop(kernel, at).around, findLoop(kernel, at).loop];
    const facts = [
      ...kernel.sizes.map((name) => affine(name)),
      ...around.flatMap((s) =>
        s.kind === "for" ? [affine(s.variable).minus(s.from), s.to.minus(s.variable).minus(1)] : [],
      ),
      ...names.flatMap((name, d) => [affine(name), copy.shape[d].minus(name).minus(1)]),
    ];
    const conditions = indices.flatMap((index, d): Condition[] => [
      ...(implied(index, facts) ? [] : [{ left: affine(-1), right: index }]),
      ...(implied(source.shape[d].minus(index).minus(1), facts)
        ? []
        : [{ left: index, right: source.shape[d] }]),
    ]);
    const load: Expr = { kind: "load", buffer: source, indices };
    const none: Expr = { kind: "constant", dtype: source.dtype, value: 0 };
    return {
      kind: "store",
      buffer: copy,
      indices: v,
      value: conditions.length > 0 ? { kind: "when", conditions, yes: load, no: none } : load,
    };
  });
}

function nest(names: readonly string[], extents: readonly Affine[], make: (v: Affine[]) => Stmt): Stmt[] {
  const inside = make(names.map((n) => affine(n)));
  return [
    names.reduceRight<Stmt>(
      (body, variable, d) => ({
        kind: "for",
        variable,
        from: affine(0),
        to: extents[d],
        loop: "serial",
        body: [body],
      }),
      inside,
    ),
  ];
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

function writesHere(s: Stmt, buffer: string): boolean {
  return (s.kind === "store" || s.kind === "reduce") && s.buffer.name === buffer;
}

function writes(s: Stmt, buffer: string): boolean {
  let found = false;
  walk([s], (x) => {
    if (writesHere(x, buffer)) found = true;
  });
  return found;
}

function countLoads(body: readonly Stmt[], buffer: string): number {
  let count = 0;
  walk(body, (s) => {
    const value = statementValue(s);
    if (value)
      walkExpr(value, (e) => {
        if (e.kind === "load" && e.buffer.name === buffer) count++;
      });
  });
  return count;
}

const loadsIn = (s: Stmt, buffer: string): boolean => countLoads([s], buffer) > 0;

function buffersRead(s: Stmt): Set<string> {
  const out = new Set<string>();
  walk([s], (x) => {
    const value = statementValue(x);
    if (value)
      walkExpr(value, (e) => {
        if (e.kind === "load") out.add(e.buffer.name);
      });
  });
  return out;
}

/** A stage of `source` made over for the part `region`, into `local`. */
function stageFor(
  maker: Stmt,
  local: Buffer,
  region: Region,
  source: Buffer,
  number: number,
  where: string,
): Stmt {
  const loops: For[] = [];
  let inside = maker;
  while (inside.kind === "for" && inside.body.length === 1) {
    loops.push(inside);
    inside = inside.body[0];
  }
  if ((inside.kind !== "store" && inside.kind !== "reduce") || inside.buffer.name !== source.name)
    throw new LoopError(`${where}: the stage that makes it is not a perfect nest around one statement`);
  const axisOf = new Map<string, number>();
  inside.indices.forEach((index, d) => {
    const loop = loops.find((l) => index.toString() === l.variable);
    if (!loop || axisOf.has(loop.variable))
      throw new LoopError(`${where}: index ${d} of its stage, ${index}, is not a loop of its own`);
    axisOf.set(loop.variable, d);
  });
  const suffix = number === 0 ? "_at" : `_at${number}`;
  const values = new Map(
    loops.map((l): [string, Affine] => {
      const d = axisOf.get(l.variable);
      return [
        l.variable,
        d === undefined ? affine(l.variable + suffix) : region.base[d].plus(l.variable + suffix),
      ];
    }),
  );
  const [moved] = substituteAll([inside], values) as [typeof inside];
  const body: Stmt = {
    ...moved,
    buffer: local,
    indices: inside.indices.map((index) => affine(`${index}${suffix}`)),
  };
  return loops.reduceRight<Stmt>((b, l) => {
    const d = axisOf.get(l.variable);
    const from = d === undefined ? l.from.substitute(values) : maximum(0, l.from.minus(region.base[d]));
    const to =
      d === undefined
        ? l.to.substitute(values)
        : minimum(region.extent[d], ...boundsOf(l.to, "min").map((p) => p.minus(region.base[d])));
    return { kind: "for", variable: l.variable + suffix, from, to, loop: "serial", body: [b] };
  }, body);
}

/** The same top-level statement before and after a replacement inside another. */
function sameTop(a: Stmt, b: Stmt): boolean {
  return a === b || (a.kind === "for" && b.kind === "for" && a.variable === b.variable);
}
