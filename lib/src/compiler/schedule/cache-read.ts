/** cacheRead: copies, and packs, what a loop reads of a buffer. */
import { type Affine, affine, ceildiv, floordiv, minimum, mod, type Ranges } from "../loop/affine.js";
import { implied } from "../loop/constraints.js";
import {
  type Buffer,
  type Condition,
  type Expr,
  findLoop,
  LoopError,
  type LoopKernel,
  type LoopType,
  mapStmt,
  type Scope,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../loop/ir.js";
import { loadsIn, loadsOf, nest, type Region, rangesOf, regionOf } from "./region.js";
import { boundsOf, checkFree, loopsInside, replaceLoop, simplify } from "./tree.js";

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
  /** Zeros behind what is read, per axis: room for loops that are padded. */
  readonly room?: readonly number[];
  /** The copy holds elements converted to this type, as everything that reads them does: each is converted once. */
  readonly as?: LoopType;
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
  const inside = at === null ? kernel.body : findLoop(kernel, at).loop.body;
  const { source } = loadsOf(inside, buffer, where);
  const body = withoutGuards(inside, source);
  const { accesses } = loadsOf(body, buffer, where);
  const region = withRoom(regionOf(kernel, accesses, where, at === null), options.room, where);
  if (options.as) checkConverted(body, buffer, options.as, where);
  const scope = options.scope ?? (at === null ? "shared" : "local");
  const copy = makeCopy(kernel, source, region, { ...options, scope }, at, where);
  const replaced = redirectLoads(kernel, body, source, copy, region, options.pack);
  const filled: Stmt[] = [
    { kind: "alloc", buffer: copy },
    ...copyLoops(kernel, source, copy, region, options.pack, at),
  ];
  if (at !== null)
    return simplify(replaceLoop(kernel, at, (loop) => [{ ...loop, body: [...filled, ...replaced] }]));
  const first = kernel.body.findIndex((s) => loadsIn(s, buffer));
  return simplify({ ...kernel, body: [...replaced.slice(0, first), ...filled, ...replaced.slice(first)] });
}

function withRoom(region: Region, room: readonly number[] | undefined, where: string): Region {
  if (!room) return region;
  if (room.length !== region.extent.length || room.some((n) => !Number.isInteger(n) || n < 0))
    throw new LoopError(`${where}: room of [${room}] elements for ${region.extent.length} axes`);
  return {
    base: region.base,
    extent: region.extent.map((size, d) => size.plus(room[d])),
    reach: region.reach.map((reach, d) => (room[d] > 0 ? null : reach)),
  };
}

/** Zeros instead of elements beyond the buffer's ends: the copy has them, so nothing need be asked at each read. */
function withoutGuards(body: readonly Stmt[], source: Buffer): Stmt[] {
  const expr = (e: Expr): Expr => {
    if (e.kind !== "when" || e.no.kind !== "constant" || !Object.is(e.no.value, 0)) return e;
    const read = e.yes.kind === "cast" ? e.yes.of : e.yes;
    if (read.kind !== "load" || read.buffer.name !== source.name) return e;
    const inside = read.indices
      .flatMap((index, d) => [index.plus(1), source.shape[d].minus(index)])
      .map(String);
    return e.conditions.every(({ left, right }) => inside.includes(String(right.minus(left)))) ? e.yes : e;
  };
  return body.map((s) => mapStmt(s, { expr }));
}

/** @throws LoopError unless every read of the buffer is converted to `as` at once. */
function checkConverted(body: readonly Stmt[], buffer: string, as: LoopType, where: string): void {
  let [loads, converted] = [0, 0];
  walk(body, (s) => {
    const value = statementValue(s);
    if (value)
      walkExpr(value, (e) => {
        if (e.kind === "load" && e.buffer.name === buffer) loads++;
        if (e.kind === "cast" && e.dtype === as && e.of.kind === "load" && e.of.buffer.name === buffer)
          converted++;
      });
  });
  if (loads !== converted)
    throw new LoopError(`${where} as ${as}: it is also read without being converted to ${as}`);
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
  if (scope === "register" && !shape.every((size) => size.isConstant))
    throw new LoopError(`${where}: registers for ${shape.join(" × ")} elements; a constant number is needed`);
  return { name, dtype: options.as ?? source.dtype, shape, strides: null, scope, output: false };
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

export function redirectLoads(
  kernel: LoopKernel,
  body: readonly Stmt[],
  source: Buffer,
  copy: Buffer,
  region: Region,
  pack?: Packing,
): Stmt[] {
  const ranges = rangesOf(kernel, loopsInside(body));
  const expr = (e: Expr): Expr => {
    if (e.kind === "cast" && e.of.kind === "load" && e.of.buffer === copy && e.dtype === copy.dtype)
      return e.of;
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
    const value: Expr = copy.dtype === source.dtype ? load : { kind: "cast", dtype: copy.dtype, of: load };
    const none: Expr = { kind: "constant", dtype: copy.dtype, value: 0 };
    return {
      kind: "store",
      buffer: copy,
      indices: v,
      value: conditions.length > 0 ? { kind: "when", conditions, yes: value, no: none } : value,
    };
  });
}
