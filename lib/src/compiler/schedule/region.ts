/** Which part of a buffer the accesses inside a loop touch, and who reads and writes it. */
import { Affine, affine, maximum, minimum, type Ranges, rangeOf } from "../loop/affine.js";
import {
  type Buffer,
  type For,
  LoopError,
  type LoopKernel,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../loop/ir.js";
import { boundsOf, capOf, extentBound, loopsInside, simplifyIndex } from "./tree.js";

/** The part of a buffer that the accesses inside a loop touch: per axis, from `base` on, at most `extent` elements. */
export interface Region {
  readonly base: readonly Affine[];
  readonly extent: readonly Affine[];
  /** Elements that are really reached, where the loops inside say so: in a shorter last round fewer than `extent`. */
  readonly reach: readonly (Affine | null)[];
}

export interface Access {
  readonly indices: readonly Affine[];
  readonly inside: readonly Stmt[];
}

export function loadsOf(
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

export function regionOf(
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
    const exact =
      accesses.length === 1 && [...reached.variables()].every((v) => !inner.has(v)) ? reached : null;
    const known = wholeKernel && exact && [...exact.variables()].every((v) => kernel.sizes.includes(v));
    extent.push(known ? exact : fixed ? size : affine(Math.max(0, most)));
    reach.push(exact);
  }
  const variables = [...base, ...extent].flatMap((e) => [...e.variables()]);
  if (variables.some((v) => inner.has(v)))
    throw new LoopError(`${where}: the bounds of the loops inside depend on each other`);
  return { base, extent, reach };
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

export function rangesOf(kernel: LoopKernel, loops: Iterable<For>): Ranges {
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

export function nest(
  names: readonly string[],
  extents: readonly Affine[],
  make: (v: Affine[]) => Stmt,
): Stmt[] {
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

export function writesHere(s: Stmt, buffer: string): boolean {
  return (s.kind === "store" || s.kind === "reduce") && s.buffer.name === buffer;
}

export function writes(s: Stmt, buffer: string): boolean {
  let found = false;
  walk([s], (x) => {
    if (writesHere(x, buffer)) found = true;
  });
  return found;
}

export function countLoads(body: readonly Stmt[], buffer: string): number {
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

export const loadsIn = (s: Stmt, buffer: string): boolean => countLoads([s], buffer) > 0;

export function buffersRead(s: Stmt): Set<string> {
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
