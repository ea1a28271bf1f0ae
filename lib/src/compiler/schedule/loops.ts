/** Primitives that change loops: split, reorder, fuse, skew, and the kinds (unroll, vectorize, parallel, block, thread). */
import { type Affine, affine, ceildiv, floordiv, maximum, minimum, mod } from "../loop/affine.js";
import { project } from "../loop/constraints.js";
import { threadsOf } from "../loop/grid.js";
import {
  type Condition,
  type For,
  findLoop,
  LoopError,
  type LoopKernel,
  type LoopKind,
  type Stmt,
} from "../loop/ir.js";
import { carried, overtaken, reversed } from "./dependence.js";
import { boundsOf, capOf, checkFree, replaceLoop, simplify, substituteAll } from "./tree.js";

/**
 * v in from..to becomes outer × inner, `factor` iterations inside. Where the factor does not divide the iterations, the
 * inner loop ends early in the last round.
 * @throws LoopError if there is no such loop, the factor is not a whole number from 1, or a name is taken.
 */
export function split(
  kernel: LoopKernel,
  variable: string,
  factor: number,
  names: readonly [string, string],
): LoopKernel {
  if (!Number.isInteger(factor) || factor < 1)
    throw new LoopError(`split "${variable}": the factor ${factor} is not a whole number from 1`);
  checkFree(kernel, names, `split "${variable}"`);
  const [outer, inner] = names;
  return simplify(
    replaceLoop(kernel, variable, (loop) => {
      const extent = loop.to.minus(loop.from);
      const divides =
        extent.constant % factor === 0 && extent.terms.every((t) => t.coefficient % factor === 0);
      const value = loop.from.plus(affine(outer).times(factor)).plus(inner);
      const parts = boundsOf(extent, "min").map((part) => part.minus(affine(outer).times(factor)));
      const to = divides ? affine(factor) : minimum(factor, ...parts);
      const body = substituteAll(loop.body, new Map([[variable, value]]));
      const inside: For = { kind: "for", variable: inner, from: affine(0), to, loop: "serial", body };
      return [
        {
          kind: "for",
          variable: outer,
          from: affine(0),
          to: ceildiv(extent, factor),
          loop: loop.loop,
          body: [inside],
        },
      ];
    }),
  );
}

/**
 * Puts the loops of a perfect nest into this order; loops between them that are not named stay where they are.
 * @throws LoopError if they are not one perfect nest, or a dependence forbids the order (it names the statement).
 */
export function reorder(kernel: LoopKernel, variables: readonly string[]): LoopKernel {
  const where = `reorder ${variables.join(", ")}`;
  if (new Set(variables).size !== variables.length) throw new LoopError(`${where}: a loop is named twice`);
  const found = variables.map((v) => findLoop(kernel, v));
  const outermost = found.reduce((a, b) => (a.around.length <= b.around.length ? a : b));
  const chain: For[] = [outermost.loop];
  const wanted = new Set(variables);
  wanted.delete(outermost.loop.variable);
  while (wanted.size > 0) {
    const { body } = chain[chain.length - 1];
    const [only] = body;
    if (body.length !== 1 || only.kind !== "for")
      throw new LoopError(
        `${where}: the loops are not one perfect nest: inside "${chain[chain.length - 1].variable}" is more than a loop`,
      );
    chain.push(only);
    wanted.delete(only.variable);
  }
  const listed = new Set(variables);
  let next = 0;
  const byName = new Map(chain.map((loop) => [loop.variable, loop]));
  const after = chain.map((loop) => (listed.has(loop.variable) ? byName.get(variables[next++])! : loop));
  const body = chain[chain.length - 1].body;
  const conflict = reversed(kernel, chain, after, outermost.around, body);
  if (conflict) throw new LoopError(`${where}: ${conflict}`);
  const nest = dependsInward(after) ? rebound(kernel, after, body) : wrap(after, body);
  return simplify(replaceLoop(kernel, outermost.loop.variable, () => nest));
}

/** True if a loop's bounds read a variable of a loop inside it. */
function dependsInward(loops: readonly For[]): boolean {
  return loops.some((loop, i) => {
    const inside = new Set(loops.slice(i).map((l) => l.variable));
    return [...loop.from.variables(), ...loop.to.variables()].some((v) => inside.has(v));
  });
}

function wrap(loops: readonly For[], body: readonly Stmt[]): Stmt[] {
  return loops.reduceRight<readonly Stmt[]>((inner, loop) => [{ ...loop, body: inner }], body) as Stmt[];
}

/** The nest in its new order with bounds found anew: constant bounds become conditions inside; the others come from projecting the iteration space. */
function rebound(kernel: LoopKernel, loops: readonly For[], body: readonly Stmt[]): Stmt[] {
  const space = loops.flatMap((l) => [
    affine(l.variable).minus(l.from),
    l.to.minus(affine(l.variable)).minus(1),
  ]);
  const sizes = kernel.sizes.map((name) => affine(name));
  const conditions: Condition[] = [];
  let projected = false; // from there on, the loops inside must hold the bounds that were projected away
  const rebuilt = loops.map((loop, i): For => {
    const inside = new Set(loops.slice(i).map((l) => l.variable));
    const free = (e: Affine): boolean => ![...e.variables()].some((v) => inside.has(v));
    if (!projected && free(loop.from) && free(loop.to)) return loop;
    const uppers = boundsOf(loop.to, "min").filter(free);
    if (!projected && free(loop.from) && uppers.some((u) => u.minus(loop.from).isConstant)) {
      conditions.push({ left: affine(loop.variable), right: loop.to });
      return { ...loop, to: minimum(...uppers) };
    }
    projected = true;
    const rest = project(
      [...sizes, ...expandExtrema(space)],
      loops.slice(i + 1).map((l) => l.variable),
    );
    if (rest === null) return { ...loop, from: affine(0), to: affine(0) };
    const lows: Affine[] = [];
    const highs: Affine[] = [];
    for (const e of rest) {
      const c = e.coefficient(loop.variable);
      const others = e.minus(affine(loop.variable).times(c));
      if (others.variables().has(loop.variable)) conditions.push({ left: affine(-1), right: e });
      else if (c > 0) lows.push(ceildiv(others.times(-1), c));
      else if (c < 0) highs.push(floordiv(others, -c).plus(1));
    }
    if (lows.length === 0 || highs.length === 0)
      throw new LoopError(`reorder: no bounds were found for "${loop.variable}" in the new order`);
    return { ...loop, from: maximum(...lows), to: minimum(...highs) };
  });
  return wrap(rebuilt, conditions.length > 0 ? [{ kind: "if", conditions, body }] : body);
}

/** Constraints with a top-level min or max written as several. */
function expandExtrema(constraints: readonly Affine[]): Affine[] {
  return constraints.flatMap((e) => {
    const parts = boundsOf(e, "min");
    return parts.length > 1
      ? expandExtrema(parts)
      : [...boundsOf(e.times(-1), "max")].map((p) => p.times(-1));
  });
}

/**
 * One loop in place of two, of which the second is all that is inside the first.
 * @throws LoopError if they are not nested so, or the inner loop's iterations are not a constant number.
 */
export function fuse(kernel: LoopKernel, outer: string, inner: string, name: string): LoopKernel {
  const where = `fuse ${outer}, ${inner}`;
  checkFree(kernel, [name], where);
  return simplify(
    replaceLoop(kernel, outer, (loop) => {
      const [only] = loop.body;
      if (loop.body.length !== 1 || only.kind !== "for" || only.variable !== inner)
        throw new LoopError(`${where}: "${inner}" is not all that is inside "${outer}"`);
      const extent = only.to.minus(only.from);
      if (!extent.isConstant || extent.constant < 1)
        throw new LoopError(`${where}: "${inner}" runs ${extent} times; a constant number is needed`);
      if (only.loop !== loop.loop)
        throw new LoopError(`${where}: one is ${loop.loop}, the other ${only.loop}`);
      const by = extent.constant;
      const first = loop.from.plus(floordiv(name, by));
      const second = only.from.substitute(new Map([[outer, first]])).plus(mod(name, by));
      const values = new Map([
        [outer, first],
        [inner, second],
      ]);
      return [
        {
          ...loop,
          variable: name,
          from: affine(0),
          to: loop.to.minus(loop.from).times(by),
          body: substituteAll(only.body, values),
        },
      ];
    }),
  );
}

/**
 * One loop in place of two neighbours that run equally often: the second's body behind the first's (loop fusion).
 * @throws LoopError if they are not neighbours, their bounds differ, or the second needs what a later round of the first
 * does.
 */
export function merge(kernel: LoopKernel, first: string, second: string): LoopKernel {
  const where = `merge ${first}, ${second}`;
  const { loop: a, around } = findLoop(kernel, first);
  const { loop: b, around: aroundB } = findLoop(kernel, second);
  const siblings = around.length === 0 ? kernel.body : bodyOf(around[around.length - 1]);
  const at = siblings.indexOf(a);
  const next = siblings.indexOf(b);
  const between = siblings.slice(at + 1, next);
  if (around.length !== aroundB.length || at < 0 || next < at || between.some((s) => s.kind !== "alloc"))
    throw new LoopError(`${where}: they do not stand one behind the other`);
  if (!a.from.equals(b.from) || !a.to.equals(b.to))
    throw new LoopError(`${where}: one runs over ${a.from}..${a.to}, the other over ${b.from}..${b.to}`);
  if (a.loop !== b.loop) throw new LoopError(`${where}: one is ${a.loop}, the other ${b.loop}`);
  const conflict = overtaken(kernel, a, b, around);
  if (conflict) throw new LoopError(`${where}: ${conflict}`);
  const merged: For = {
    ...a,
    body: [...a.body, ...substituteAll(b.body, new Map([[second, affine(first)]]))],
  };
  const edit = (body: readonly Stmt[]): Stmt[] =>
    body.flatMap((s): Stmt[] => {
      if (s === a) return [...between, merged]; // buffers declared between live on
      if (s === b || between.includes(s)) return [];
      return s.kind === "for" || s.kind === "if" ? [{ ...s, body: edit(s.body) }] : [s];
    });
  return simplify({ ...kernel, body: edit(kernel.body) });
}

function bodyOf(s: Stmt): readonly Stmt[] {
  return s.kind === "for" || s.kind === "if" ? s.body : [];
}

/**
 * inner' = inner + factor · outer: iterations keep their order, but dependences get other directions, after which the
 * loops may be exchanged (wavefronts).
 * @throws LoopError if `inner` is not inside `outer`.
 */
export function skew(
  kernel: LoopKernel,
  outer: string,
  inner: string,
  factor: number,
  name: string,
): LoopKernel {
  const where = `skew ${inner} by ${outer}`;
  checkFree(kernel, [name], where);
  if (!Number.isInteger(factor)) throw new LoopError(`${where}: the factor ${factor} is not a whole number`);
  const { loop: skewed, around } = findLoop(kernel, inner);
  if (skewed.loop !== "serial") throw new LoopError(`${where}: "${inner}" is ${skewed.loop}`);
  if (!around.some((s) => s.kind === "for" && s.variable === outer))
    throw new LoopError(`${where}: "${inner}" is not inside "${outer}"`);
  const shift = affine(outer).times(factor);
  return simplify(
    replaceLoop(kernel, inner, (loop) => [
      {
        ...loop,
        variable: name,
        from: loop.from.plus(shift),
        to: loop.to.plus(shift),
        body: substituteAll(loop.body, new Map([[inner, affine(name).minus(shift)]])),
      },
    ]),
  );
}

/**
 * Makes a loop unrolled, vectorized, parallel, or blocks or threads of a GPU (or serial again).
 * @throws LoopError if an iteration depends on another (vectorized, parallel, block, thread), the number of iterations has
 * no constant bound (vectorized, unrolled, thread), or the loop is not outermost (parallel, block).
 */
export function setKind(kernel: LoopKernel, variable: string, kind: LoopKind): LoopKernel {
  const { loop, around } = findLoop(kernel, variable);
  const where = `${kind} "${variable}"`;
  if ((kind === "unrolled" || kind === "vectorized") && capOf(loop) === null)
    throw new LoopError(`${where}: ${loop.to.minus(loop.from)} iterations; a constant bound is needed`);
  if (kind === "vectorized" && !(loop.from.isConstant && loop.from.constant === 0))
    throw new LoopError(`${where}: it begins at ${loop.from}, not at 0`);
  if (kind === "thread" && threadsOf(loop) === null)
    throw new LoopError(`${where}: it runs over ${loop.from}..${loop.to}, not from 0 to a constant bound`);
  if (kind === "parallel" || kind === "block") {
    const bad = around.find((s) => s.kind !== "for" || s.loop !== kind || s.body.length !== 1);
    if (bad)
      throw new LoopError(
        `${where}: it is inside ${bad.kind === "for" ? `"${bad.variable}"` : "a condition"}; only outermost loops are ${kind === "block" ? "blocks" : "parallel"}`,
      );
    const outer = around.flatMap((s) => (s.kind === "for" ? [s.variable] : []));
    if ([...loop.from.variables(), ...loop.to.variables()].some((v) => outer.includes(v)))
      throw new LoopError(`${where}: its bounds depend on the ${kind} loop around it`);
  }
  if (kind !== "serial" && kind !== "unrolled") {
    const conflict = carried(kernel, loop, around);
    if (conflict) throw new LoopError(`${where}: ${conflict}`);
  }
  return replaceLoop(kernel, variable, () => [{ ...loop, loop: kind }]);
}
