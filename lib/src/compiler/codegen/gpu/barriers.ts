/**
 * Where a block's threads must wait for each other: between two pieces of its body of which one writes what the other
 * touches, in another thread. As few barriers as are right: each stands as late as it may, and clears all that came before.
 */
import { type Affine, affine } from "../../loop/affine.js";
import type { For, LoopKernel, Stmt } from "../../loop/ir.js";
import { known } from "../../loop/verify.js";
import { Pair, type Touch, touchesOf } from "../../schedule/dependence.js";
import { hasThreads, threadNest, threadNumber } from "./threads.js";

/** What a barrier makes visible. */
export interface Barrier {
  readonly workgroup: boolean;
  readonly storage: boolean;
}

/** A piece of a block's body that runs without a barrier: a nest of thread loops, or what one thread does alone. */
interface Piece {
  readonly statement: Stmt;
  readonly around: readonly Stmt[];
  readonly touches: readonly Touch[];
  /** The number of the thread. */
  readonly thread: Affine;
}

/** A piece that ran since the last barrier. */
interface Pending {
  readonly piece: Piece;
  /** Loops of which it ran in an earlier round. */
  readonly earlier: ReadonlySet<string>;
}

/** True for statements of a block that one piece of code makes: thread loops, and what has none inside. */
export function isPiece(s: Stmt): boolean {
  if (s.kind === "for" && s.loop === "thread") return true;
  return s.kind !== "alloc" && !hasThreads(s);
}

/**
 * The statements of a block's body that a barrier stands before.
 * @param own buffers that each thread has for itself
 * @param blocks the block loops around the body
 */
export function barriersOf(
  kernel: LoopKernel,
  blocks: readonly For[],
  body: readonly Stmt[],
  own: ReadonlySet<string>,
): Map<Stmt, Barrier> {
  const pieces = new Map<Stmt, Piece>();
  const shared = [...kernel.sizes, ...blocks.map((b) => b.variable)];
  const facts = [...kernel.sizes.map((name) => affine(name)), ...blocks.flatMap(factsOf)];
  const pieceOf = (s: Stmt, around: readonly Stmt[]): Piece => {
    let piece = pieces.get(s);
    if (!piece) {
      const touches = touchesOf([s], [...facts, ...around.flatMap(factsOf)]).filter(
        (t) => !own.has(t.buffer.name),
      );
      const thread = s.kind === "for" && s.loop === "thread" ? threadNumber(threadNest(s)) : affine(0);
      piece = { statement: s, around, touches, thread };
      pieces.set(s, piece);
    }
    return piece;
  };
  let found = new Map<Stmt, Barrier>();
  const go = (
    list: readonly Stmt[],
    before: readonly Pending[],
    around: readonly Stmt[],
  ): readonly Pending[] => {
    let pending = before;
    for (const s of list) {
      if (s.kind === "alloc") continue;
      if (isPiece(s)) {
        const piece = pieceOf(s, around);
        const barrier = neededBarrier(shared, pending, piece);
        if (barrier) {
          found.set(s, barrier);
          pending = [];
        }
        pending = [...pending, { piece, earlier: new Set() }];
      } else if (s.kind === "if") pending = union(pending, go(s.body, pending, [...around, s]));
      else if (s.kind === "for") pending = union(pending, rounds(s, pending, around));
    }
    return pending;
  };
  /** A loop whose rounds follow each other: what is pending at the end of one is so at the beginning of the next. */
  const rounds = (loop: For, before: readonly Pending[], around: readonly Stmt[]): readonly Pending[] => {
    let carried: readonly Pending[] = [];
    const outside = found;
    for (;;) {
      found = new Map(outside);
      const end = go(loop.body, union(before, carried), [...around, loop]);
      const next = union(
        carried,
        end.map((p) => ({ ...p, earlier: new Set([...p.earlier, loop.variable]) })),
      );
      if (next.length === carried.length) return end;
      carried = next;
    }
  };
  go(body, [], []);
  return found;
}

const keyOf = ({ earlier }: Pending): string => [...earlier].sort().join();

function union(a: readonly Pending[], b: readonly Pending[]): Pending[] {
  const out = [...a];
  for (const p of b) if (!out.some((q) => q.piece === p.piece && keyOf(q) === keyOf(p))) out.push(p);
  return out;
}

function factsOf(s: Stmt): Affine[] {
  if (s.kind === "if") return s.conditions.map(known);
  if (s.kind !== "for") return [];
  return [affine(s.variable).minus(s.from), s.to.minus(affine(s.variable)).minus(1)];
}

function neededBarrier(always: readonly string[], pending: readonly Pending[], piece: Piece): Barrier | null {
  let [workgroup, storage] = [false, false];
  const loops = piece.around.flatMap((s) => (s.kind === "for" ? [s.variable] : []));
  for (const { piece: before, earlier } of pending) {
    const shared = new Set([...always, ...sameRound(loops, earlier)]);
    for (const a of before.touches) {
      for (const b of piece.touches) {
        if (a.buffer.name !== b.buffer.name || !(a.writes || b.writes)) continue;
        if (a.buffer.scope === "workgroup" ? workgroup : storage) continue;
        if (!meetAcross(a, b, before.thread, piece.thread, shared, earlier)) continue;
        if (a.buffer.scope === "workgroup") workgroup = true;
        else storage = true;
      }
    }
  }
  return workgroup || storage ? { workgroup, storage } : null;
}

/** Loops around that both pieces are in the same round of: those outside the first one whose round is another. */
function sameRound(loops: readonly string[], earlier: ReadonlySet<string>): string[] {
  const first = loops.findIndex((v) => earlier.has(v));
  return first < 0 ? [...loops] : loops.slice(0, first);
}

/** True if two threads may touch the same element. */
function meetAcross(
  a: Touch,
  b: Touch,
  threadA: Affine,
  threadB: Affine,
  shared: ReadonlySet<string>,
  earlier: ReadonlySet<string>,
): boolean {
  const pair = new Pair(a, b, shared, []);
  const values = new Map(
    [...threadB.variables()].filter((v) => !shared.has(v)).map((v) => [v, affine(`${v}'`)]),
  );
  const apart = threadA.minus(threadB.substitute(values));
  const later = [...earlier].filter((v) => !shared.has(v)).map((v) => affine(`${v}'`).minus(v).minus(1));
  const order = later.length === 1 ? later : []; // of several loops, only the outermost must have moved on
  return [apart.minus(1), apart.times(-1).minus(1)].some((different) => pair.meets([different, ...order]));
}
