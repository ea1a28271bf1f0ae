/** prefetch: software pipelining, a loop that fetches what its next round needs while this round computes. */
import { type Affine, affine, mod } from "../loop/affine.js";
import {
  type Buffer,
  type Condition,
  type For,
  findLoop,
  LoopError,
  type LoopKernel,
  type Stmt,
} from "../loop/ir.js";
import { redirect } from "./layout.js";
import { buffersRead, loadsIn, writes } from "./region.js";
import { capOf, checkFree, loopsInside, replaceLoop, simplify, substituteAll } from "./tree.js";

/**
 * Keeps a buffer twice (a new first axis): each round of the loop fills one half for the next round and reads the other,
 * and the first is filled before the loop. With `stage`, what is fetched waits in a buffer of that name, registers of
 * the threads that fetch it, and is put down when the round is done.
 * @throws LoopError unless the loop's rounds declare the buffer, fill it before they read it, and fill it with what no
 * round writes.
 */
export function prefetch(kernel: LoopKernel, variable: string, buffer: string, stage?: string): LoopKernel {
  const where = `prefetch ${buffer} at "${variable}"`;
  const { loop } = findLoop(kernel, variable);
  if (loop.loop !== "serial" && loop.loop !== "unrolled")
    throw new LoopError(`${where}: its rounds are ${loop.loop}, not one after the other`);
  const declared = loop.body.find((s) => s.kind === "alloc" && s.buffer.name === buffer);
  if (declared?.kind !== "alloc") throw new LoopError(`${where}: that loop's rounds do not declare it`);
  const fills = loop.body.filter((s) => writes(s, buffer));
  const rest = loop.body.filter((s) => s !== declared && !fills.includes(s));
  checkFills(loop, buffer, fills, rest, where);
  const once = declared.buffer;
  const twice: Buffer = { ...once, shape: [affine(2), ...once.shape], strides: null };
  const v = affine(variable);
  const slotOf = (round: Affine): Affine => mod(round.minus(loop.from), 2);
  const next = new Map([[variable, v.plus(1)]]);
  const inSlot = (body: readonly Stmt[], slot: Affine): Stmt[] =>
    redirect(body, buffer, twice, (indices) => [slot, ...indices]);
  const taken: string[] = [];
  const renamed = (body: readonly Stmt[], suffix: string): Stmt[] => {
    const names = loopsInside(body).map((l) => l.variable);
    const fresh = new Map(names.map((name) => [name, `${name}_${suffix}`]));
    checkFree(kernel, [...taken, ...fresh.values()], where);
    taken.push(...fresh.values());
    return rename(body, fresh);
  };
  const first = inSlot(renamed(substituteAll(fills, new Map([[variable, loop.from]])), "first"), affine(0));
  const ahead = (body: readonly Stmt[]): Stmt => guarded([{ left: v.plus(1), right: loop.to }], body);
  const reads = inSlot(rest, slotOf(v));
  let body: Stmt[];
  if (stage === undefined) body = [ahead(inSlot(substituteAll(fills, next), slotOf(v.plus(1)))), ...reads];
  else {
    checkFree(kernel, [stage], where);
    const { held, fetch, put } = staged(fills, once, stage, where);
    body = [
      { kind: "alloc", buffer: held },
      ahead(substituteAll([fetch], next)),
      ...reads,
      ahead(inSlot(renamed(substituteAll([put], next), "put"), slotOf(v.plus(1)))),
    ];
  }
  return simplify(
    replaceLoop(kernel, variable, () => [
      { kind: "alloc", buffer: twice },
      guarded([{ left: loop.from, right: loop.to }], first),
      { ...loop, body },
    ]),
  );
}

function checkFills(
  loop: For,
  buffer: string,
  fills: readonly Stmt[],
  rest: readonly Stmt[],
  where: string,
): void {
  if (fills.length === 0) throw new LoopError(`${where}: nothing in that loop fills it`);
  const lastFill = loop.body.lastIndexOf(fills[fills.length - 1]);
  const early = loop.body.findIndex((s) => !fills.includes(s) && loadsIn(s, buffer));
  if (early >= 0 && early < lastFill) throw new LoopError(`${where}: it is read before it is filled`);
  const own = new Set(loop.body.flatMap((s) => (s.kind === "alloc" ? [s.buffer.name] : [])));
  for (const fill of fills) {
    for (const read of buffersRead(fill)) {
      if (own.has(read) && read !== buffer)
        throw new LoopError(`${where}: it is filled from "${read}", which each round makes anew`);
      if (read !== buffer && rest.some((s) => writes(s, read)))
        throw new LoopError(`${where}: it is filled from "${read}", which the rounds write`);
    }
    for (const s of [fill, ...inside(fill)]) {
      const other = s.kind === "store" || s.kind === "reduce" ? s.buffer.name : buffer;
      if (other !== buffer) throw new LoopError(`${where}: what fills it also writes "${other}"`);
      if (s.kind === "let") throw new LoopError(`${where}: what fills it names a value`);
    }
  }
}

/** The one nest that fills a buffer, in two: one fetches into registers, the other puts down what they hold. */
function staged(
  fills: readonly Stmt[],
  buffer: Buffer,
  stage: string,
  where: string,
): { held: Buffer; fetch: Stmt; put: Stmt } {
  const loops: For[] = [];
  let at = fills[0];
  while (at.kind === "for" && at.body.length === 1) {
    loops.push(at);
    at = at.body[0];
  }
  if (fills.length !== 1 || at.kind !== "store")
    throw new LoopError(`${where}: what fills it is not one nest around one store`);
  const caps = loops.map((l) => (l.from.isConstant && l.from.constant === 0 ? capOf(l) : null));
  const open = caps.indexOf(null);
  if (open >= 0)
    throw new LoopError(`${where}: "${loops[open].variable}" does not run from 0 to a constant bound`);
  const held: Buffer = {
    name: stage,
    dtype: buffer.dtype,
    shape: caps.map((cap) => affine(cap as number)),
    strides: null,
    scope: "register",
    output: false,
  };
  const indices = loops.map((l) => affine(l.variable));
  const wrap = (s: Stmt): Stmt => loops.reduceRight<Stmt>((body, l) => ({ ...l, body: [body] }), s);
  return {
    held,
    fetch: wrap({ kind: "store", buffer: held, indices, value: at.value }),
    put: wrap({ ...at, value: { kind: "load", buffer: held, indices } }),
  };
}

function inside(s: Stmt): Stmt[] {
  return s.kind === "for" || s.kind === "if" ? s.body.flatMap((x) => [x, ...inside(x)]) : [];
}

/** Statements under conditions, which are left out where they are certain. */
function guarded(conditions: readonly Condition[], body: readonly Stmt[]): Stmt {
  return { kind: "if", conditions, body };
}

function rename(body: readonly Stmt[], names: ReadonlyMap<string, string>): Stmt[] {
  const values = new Map([...names].map(([from, to]) => [from, affine(to)]));
  const go = (s: Stmt): Stmt =>
    s.kind === "for"
      ? { ...s, variable: names.get(s.variable) ?? s.variable, body: s.body.map(go) }
      : s.kind === "if"
        ? { ...s, body: s.body.map(go) }
        : s;
  return substituteAll(body, values).map(go);
}
