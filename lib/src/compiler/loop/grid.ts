/** The rules of block and thread loops, and of the memory that a block's threads share. */
import { type Ranges, rangeOf } from "./affine.js";
import type { For, Stmt } from "./ir.js";

/** Axes that a grid has at most. */
export const GRID_AXES = 3;

const isLoop = (s: Stmt, kind: For["loop"]): s is For => s.kind === "for" && s.loop === kind;

/** What a statement breaks of these rules, given the statements around it, outermost first. */
export function gridProblems(s: Stmt, around: readonly Stmt[]): string[] {
  const found: string[] = [];
  const parent = around[around.length - 1];
  if (s.kind === "alloc" && s.buffer.scope === "workgroup") {
    if (!around.some((a) => isLoop(a, "block")) || around.some((a) => isLoop(a, "thread")))
      found.push("workgroup memory is declared in a block loop, outside its thread loops");
    if (!s.buffer.shape.every((size) => size.isConstant))
      found.push(`the workgroup buffer "${s.buffer.name}" has no constant shape`);
  }
  if (s.kind !== "for") return found;
  const bounds = new Set([...s.from.variables(), ...s.to.variables()]);
  if (s.loop === "block") {
    if (parent && !(isLoop(parent, "block") && parent.body.length === 1))
      found.push("a block loop is at the top, or all that is inside another block loop");
    if (around.length >= GRID_AXES) found.push(`more than ${GRID_AXES} block loops inside each other`);
    const depends = around.find((a) => a.kind === "for" && bounds.has(a.variable)) as For | undefined;
    if (depends) found.push(`the bounds of a block loop are known at the launch: not "${depends.variable}"`);
  } else if (s.loop === "thread") {
    if (!around.some((a) => isLoop(a, "block"))) found.push("a thread loop is inside a block loop");
    if (around.some((a) => isLoop(a, "thread")) && !(isLoop(parent, "thread") && parent.body.length === 1))
      found.push("a thread loop inside another is all that is in it");
    if (around.some((a) => isLoop(a, "vectorized"))) found.push("a thread loop is not inside vectors");
    if (threadsOf(s) === null)
      found.push("a thread loop begins at 0 and has a constant bound: the threads of a block");
  } else if (s.loop === "parallel" && around.some((a) => isLoop(a, "block")))
    found.push("inside a block, threads are parallel; a parallel loop is not");
  return found;
}

/** The constant number of threads that a thread loop needs; `null`: there is none. */
export function threadsOf({ from, to }: Pick<For, "from" | "to">): number | null {
  if (!(from.isConstant && from.constant === 0)) return null;
  const [, most] = rangeOf(to, NOTHING_KNOWN);
  return Number.isFinite(most) ? Math.max(0, most) : null;
}

const NOTHING_KNOWN: Ranges = new Map();
