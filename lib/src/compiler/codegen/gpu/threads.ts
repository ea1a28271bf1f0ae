/** A launch's threads: which nests of thread loops it has, and the number of a thread in them. */
import { type Affine, affine } from "../../loop/affine.js";
import { threadsOf } from "../../loop/grid.js";
import { type For, LoopError, type Stmt, walk } from "../../loop/ir.js";

/** A nest of thread loops; the innermost variable changes fastest from thread to thread. */
export interface ThreadNest {
  readonly loops: readonly For[];
  readonly counts: readonly number[];
  readonly body: readonly Stmt[];
}

/** The nest that begins at a thread loop. */
export function threadNest(s: For): ThreadNest {
  const loops = [s];
  let { body } = s;
  while (body.length === 1 && body[0].kind === "for" && body[0].loop === "thread") {
    loops.push(body[0]);
    body = body[0].body;
  }
  const counts = loops.map((loop) => {
    const count = threadsOf(loop);
    if (count === null)
      throw new LoopError(`the thread loop "${loop.variable}" has no constant bound from 0`);
    return count;
  });
  return { loops, counts, body };
}

export const threadCount = ({ counts }: ThreadNest): number => counts.reduce((n, c) => n * c, 1);

/** The number of the thread that runs an iteration. */
export function threadNumber({ loops, counts }: ThreadNest): Affine {
  return loops.reduce((sum, loop, i) => sum.times(counts[i]).plus(loop.variable), affine(0));
}

/** Threads that a block needs: those of its largest nest. */
export function threadsIn(body: readonly Stmt[]): number {
  let most = 1;
  walk(body, (s, around) => {
    const parent = around[around.length - 1];
    const first = !(parent?.kind === "for" && parent.loop === "thread");
    if (s.kind === "for" && s.loop === "thread" && first) most = Math.max(most, threadCount(threadNest(s)));
  });
  return most;
}

export function hasThreads(s: Stmt): boolean {
  let found = false;
  walk([s], (x) => {
    if (x.kind === "for" && x.loop === "thread") found = true;
  });
  return found;
}
