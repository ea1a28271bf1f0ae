/**
 * Dependence analysis: do two iterations of a nest touch the same element, one of them writing? Directions are tested one
 * by one as systems of linear constraints (see `constraints.ts`): exact for the affine accesses of loop IR up to integer
 * gaps, and on the safe side there. (Book, chapter 5: polyhedral compilation, the skewed stencil.)
 */
import { type Affine, affine } from "../loop/affine.js";
import { feasible } from "../loop/constraints.js";
import {
  type Buffer,
  type Condition,
  type For,
  LoopError,
  type LoopKernel,
  type Reduction,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../loop/ir.js";
import { printBlock } from "../loop/print.js";
import { known } from "../loop/verify.js";
import { digitsOf, rangesIn } from "./mixed-radix.js";

/** One place where a nest touches a buffer. */
export interface Touch {
  readonly buffer: Buffer;
  readonly indices: readonly Affine[];
  readonly writes: boolean;
  /** Accumulations by the same operator may change places. */
  readonly reduction: Reduction | null;
  /** Expressions ≥ 0 whenever it happens: bounds of the loops inside the nest, conditions. */
  readonly when: readonly Affine[];
  /** The statement, for messages. */
  readonly statement: Stmt;
  /** Number of the statement in the order of the text. */
  readonly order: number;
}

/** -1: the earlier iteration has the smaller index; `*`: unknown. */
export type Direction = "<" | "=" | ">" | "*";

export interface Dependence {
  readonly kind: "flow" | "anti" | "output";
  readonly buffer: string;
  /** Per loop of the nest: how the index goes from the earlier access to the later. */
  readonly directions: readonly Direction[];
  /** How far, where that is one number. */
  readonly distances: readonly (number | null)[];
}

/** All touches below `body`; `extra` holds of all of them. Buffers that are declared inside are private: left out. */
export function touchesOf(
  body: readonly Stmt[],
  extra: readonly Affine[] = [],
  withPrivate = false,
): Touch[] {
  const out: Touch[] = [];
  const own = new Set<string>();
  let order = 0;
  walk(body, (s, around) => {
    if (s.kind === "alloc" && !withPrivate) own.add(s.buffer.name);
    const when = [...extra, ...around.flatMap(conditionsOf)];
    order++;
    const value = statementValue(s);
    if (value) {
      walkExpr(value, (e, under) => {
        if (e.kind === "load")
          out.push({
            buffer: e.buffer,
            indices: e.indices,
            writes: false,
            reduction: null,
            when: [...when, ...under.map(known)],
            statement: s,
            order,
          });
      });
    }
    if (s.kind === "store" || s.kind === "reduce")
      out.push({
        buffer: s.buffer,
        indices: s.indices,
        writes: true,
        reduction: s.kind === "reduce" ? s.op : null,
        when,
        statement: s,
        order,
      });
  });
  const seen = new Map<string, Touch>();
  for (const t of out) {
    if (own.has(t.buffer.name)) continue;
    const key = `${t.buffer.name}[${t.indices}] ${t.writes} ${t.reduction} | ${t.when}`;
    if (!seen.has(key)) seen.set(key, t);
  }
  return [...seen.values()];
}

function conditionsOf(s: Stmt): Affine[] {
  if (s.kind === "if") return s.conditions.map((c: Condition) => known(c));
  if (s.kind !== "for") return [];
  return [affine(s.variable).minus(s.from), s.to.minus(affine(s.variable)).minus(1)];
}

const LATER = "'";

/** True for a mod m − b mod m where a − b is no multiple of m: halves of a buffer that is kept twice. */
function neverZero(e: Affine): boolean {
  const [a, b] = e.terms;
  if (e.terms.length !== 2 || e.constant !== 0 || a.atom.kind !== "mod" || b.atom.kind !== "mod")
    return false;
  if (a.atom.by !== b.atom.by || a.coefficient !== -b.coefficient) return false;
  const { by } = a.atom;
  const gap = a.atom.of.minus(b.atom.of);
  return gap.constant % by !== 0 && gap.terms.every((t) => t.coefficient % by === 0);
}

/** The place of an element in its buffer, where its indices have remainders; `null`: the indices say it as well. */
function placeIn({ shape }: Buffer, indices: readonly Affine[]): Affine | null {
  const cut = indices.some((i) => i.terms.some(({ atom }) => atom.kind === "mod"));
  if (!cut || !shape.slice(1).every((size) => size.isConstant)) return null;
  return indices.reduce((sum, index, d) => (d === 0 ? index : sum.times(shape[d].constant).plus(index)));
}

/** A pair of touches of one buffer that could depend on each other. */
export class Pair {
  private readonly base: readonly Affine[];
  private readonly equal: readonly Affine[];
  /** The indices are never the same. */
  private readonly never: boolean;

  /** `shared`: variables with one value for both (sizes, loops around the nest). */
  constructor(
    readonly earlier: Touch,
    readonly later: Touch,
    shared: ReadonlySet<string>,
    nest: readonly Affine[],
  ) {
    const rename = (e: Affine): Affine => {
      const values = new Map<string, Affine>();
      for (const v of e.variables()) if (!shared.has(v)) values.set(v, affine(v + LATER));
      return e.substitute(values);
    };
    this.base = [...nest, ...earlier.when, ...[...nest, ...later.when].map(rename)];
    const equal = earlier.indices.map((index, d) => index.minus(rename(later.indices[d])));
    this.never = equal.some(neverZero);
    // What follows from the others: quotients and remainders are one number again in it.
    const [place, other] = [earlier, later].map((touch) => placeIn(touch.buffer, touch.indices));
    if (place && other) equal.push(place.minus(rename(other)));
    let ranges: ReturnType<typeof rangesIn> | undefined;
    this.equal = equal.flatMap((zero) => {
      if (zero.terms.length < 3) return [zero];
      ranges ??= rangesIn(this.base);
      return digitsOf(zero, ranges, (v) => v + LATER);
    });
  }

  /** False if no two such touches meet under these further constraints on `v` and `v'`. */
  meets(nonnegative: readonly Affine[], zeros: readonly Affine[] = []): boolean {
    return !this.never && feasible([...this.base, ...nonnegative], [...this.equal, ...zeros]);
  }
}

/** later − earlier of a loop variable. */
export const distance = (variable: string): Affine => affine(variable + LATER).minus(variable);

/** Pairs of touches inside a nest of loops that could conflict. `loops`: the nest's loops; the rest is inside them. */
export function pairsOf(
  kernel: LoopKernel,
  loops: readonly For[],
  around: readonly Stmt[],
  body: readonly Stmt[],
  reductionsMayMove: boolean,
): Pair[] {
  const shared = new Set(kernel.sizes);
  for (const s of around) if (s.kind === "for") shared.add(s.variable);
  const outside = around.flatMap(conditionsOf);
  const nest = [...kernel.sizes.map((name) => affine(name)), ...outside, ...loops.flatMap(conditionsOf)];
  const touches = touchesOf(body);
  const written = new Set(touches.filter((t) => t.writes).map((t) => t.buffer.name));
  const pairs: Pair[] = [];
  for (const a of touches) {
    if (!written.has(a.buffer.name)) continue;
    for (const b of touches) {
      if (b.buffer.name !== a.buffer.name || !(a.writes || b.writes)) continue;
      if (reductionsMayMove && a.reduction !== null && a.reduction === b.reduction) continue;
      pairs.push(new Pair(a, b, shared, nest));
    }
  }
  return pairs;
}

/** A message about the first dependence that the loop carries; `null`: its iterations are independent of each other. */
export function carried(kernel: LoopKernel, loop: For, around: readonly Stmt[]): string | null {
  for (const pair of pairsOf(kernel, [loop], around, loop.body, false)) {
    if (pair.meets([distance(loop.variable).minus(1)])) return describe(pair, loop.variable);
  }
  return null;
}

function describe({ earlier, later }: Pair, variable: string): string {
  const line = (t: Touch): string => printBlock([t.statement]).split("\n")[0].trim();
  const what = earlier.writes ? (later.writes ? "writes again" : "reads") : "overwrites";
  return `a later iteration of "${variable}" ${what} what an earlier one ${earlier.writes ? "wrote to" : "reads from"} "${earlier.buffer.name}" (${line(earlier)}${line(later) === line(earlier) ? "" : `; ${line(later)}`})`;
}

/** A message about the first dependence that another order of the nest's loops would turn round; `null`: the order may change. */
export function reversed(
  kernel: LoopKernel,
  before: readonly For[],
  after: readonly For[],
  around: readonly Stmt[],
  body: readonly Stmt[],
): string | null {
  const first = before.findIndex((loop, i) => loop !== after[i]);
  if (first < 0) return null;
  for (const pair of pairsOf(kernel, before, around, body, true)) {
    for (let l = first; l < before.length; l++) {
      for (let p = first; p < after.length; p++) {
        const prefix = new Set([...before.slice(0, l), ...after.slice(0, p)].map((x) => x.variable));
        const [up, down] = [before[l].variable, after[p].variable];
        if (up === down || prefix.has(up) || prefix.has(down)) continue;
        const more = [distance(up).minus(1), distance(down).times(-1).minus(1)];
        if (pair.meets(more, [...prefix].map(distance)))
          return `${describe(pair, up)}, with a smaller "${down}" there; the new order would run it first`;
      }
    }
  }
  return null;
}

/** A message about what a round of `second` touches before a later round of `first` has, were they one loop; `null`: nothing. */
export function overtaken(
  kernel: LoopKernel,
  first: For,
  second: For,
  around: readonly Stmt[],
): string | null {
  const shared = new Set(kernel.sizes);
  for (const s of around) if (s.kind === "for") shared.add(s.variable);
  const outside = [...kernel.sizes.map((name) => affine(name)), ...around.flatMap(conditionsOf)];
  for (const a of touchesOf([first], outside)) {
    for (const b of touchesOf([second], outside)) {
      if (a.buffer.name !== b.buffer.name || !(a.writes || b.writes)) continue;
      if (a.reduction !== null && a.reduction === b.reduction) continue;
      const pair = new Pair(a, b, shared, []);
      if (
        pair.meets([
          affine(first.variable)
            .minus(affine(second.variable + LATER))
            .minus(1),
        ])
      )
        return describe(pair, first.variable);
    }
  }
  return null;
}

/**
 * Dependences between iterations of the perfect nest that begins at a loop, as direction and distance vectors.
 * @throws LoopError if there is no such loop.
 * @example dependences(loop.stencil(4, 6), "i")[0].distances // [1, -1]
 */
export function dependences(kernel: LoopKernel, variable: string): Dependence[] {
  let found: { loops: For[]; around: readonly Stmt[] } | undefined;
  walk(kernel.body, (s, around) => {
    if (s.kind !== "for" || s.variable !== variable) return;
    const loops = [s];
    for (let last = s; last.body.length === 1 && last.body[0].kind === "for"; ) {
      last = last.body[0];
      loops.push(last);
    }
    found = { loops, around };
  });
  if (!found) throw new LoopError(`dependences: there is no loop "${variable}"`);
  const { loops, around } = found;
  const names = loops.map((l) => l.variable);
  const out = new Map<string, Dependence>();
  for (const pair of pairsOf(kernel, loops, around, loops[loops.length - 1].body, false)) {
    const { earlier, later } = pair;
    const kind = earlier.writes ? (later.writes ? "output" : "flow") : "anti";
    for (let l = 0; l < names.length; l++) {
      const start = [distance(names[l]).minus(1)];
      const zeros = names.slice(0, l).map(distance);
      if (!pair.meets(start, zeros)) continue;
      const distances = names.map((name, i) =>
        i < l ? 0 : onlyDistance(pair, distance(name), start, zeros),
      );
      const directions = names.map((name, i): Direction => {
        if (i < l) return "=";
        if (i === l) return "<";
        const d = distance(name);
        const can = [
          pair.meets([...start, d.minus(1)], zeros) ? "<" : "",
          pair.meets(start, [...zeros, d]) ? "=" : "",
          pair.meets([...start, d.times(-1).minus(1)], zeros) ? ">" : "",
        ].join("");
        return can.length === 1 ? (can as Direction) : "*";
      });
      const dependence: Dependence = { kind, buffer: earlier.buffer.name, directions, distances };
      out.set(JSON.stringify(dependence), dependence);
    }
  }
  return [...out.values()];
}

/** The one distance that a dependence has along a loop, if it is small. */
function onlyDistance(
  pair: Pair,
  d: Affine,
  more: readonly Affine[],
  zeros: readonly Affine[],
): number | null {
  for (let k = -8; k <= 8; k++) {
    if (!pair.meets(more, [...zeros, d.minus(k)])) continue;
    const below = pair.meets([...more, d.times(-1).plus(k - 1)], zeros);
    const above = pair.meets([...more, d.minus(k + 1)], zeros);
    return below || above ? null : k;
  }
  return null;
}
