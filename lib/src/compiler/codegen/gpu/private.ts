/**
 * Where a block's buffers lie on a GPU: what each thread keeps for itself becomes its own variables, what threads see of
 * each other lies in workgroup memory, and registers that a loop indexes are an array of the thread.
 */
import {
  type Buffer,
  type Expr,
  type For,
  mapStmt,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../../loop/ir.js";
import { redirect } from "../../schedule/layout.js";
import { capOf, substituteAll } from "../../schedule/tree.js";
import { hasThreads, type ThreadNest, threadNest } from "./threads.js";

/** A block's body with unrolled loops around thread loops written out. */
export function expanded(body: readonly Stmt[]): Stmt[] {
  return body.flatMap((s): Stmt[] => {
    if (s.kind === "if") return [{ ...s, body: expanded(s.body) }];
    if (s.kind !== "for" || s.loop === "thread") return [s];
    const cap = s.loop === "unrolled" && hasThreads(s) ? capOf(s) : null;
    if (cap === null) return [{ ...s, body: expanded(s.body) }];
    return Array.from({ length: cap }, (_, k): Stmt[] => {
      const value = s.from.plus(k);
      const copy = expanded(substituteAll(s.body, new Map([[s.variable, value]])));
      const gap = s.to.minus(value);
      if (gap.isConstant) return gap.constant > 0 ? copy : [];
      return [{ kind: "if", conditions: [{ left: value, right: s.to }], body: copy }];
    }).flat();
  });
}

/** The body with every buffer where it lies, and the names of those that are each thread's own. */
export function placed(body: readonly Stmt[]): { body: Stmt[]; own: Set<string> } {
  const own = new Set<string>();
  let out: Stmt[] = [...body];
  for (const buffer of blockBuffers(body)) {
    const kept = keptByThread(out, buffer);
    if (kept === null) out = redirect(out, buffer.name, { ...buffer, scope: "workgroup" }, (i) => i);
    else {
      own.add(buffer.name);
      out = redirect(out, buffer.name, { ...buffer, shape: buffer.shape.slice(kept) }, (i) => i.slice(kept));
    }
  }
  return { body: arrays(out), own };
}

/** Local and register buffers that are declared outside all thread loops. */
function blockBuffers(body: readonly Stmt[]): Buffer[] {
  const found: Buffer[] = [];
  walk(body, (s, around) => {
    if (s.kind !== "alloc" || (s.buffer.scope !== "local" && s.buffer.scope !== "register")) return;
    const inside = around.some((a) => a.kind === "for" && a.loop === "thread");
    if (!inside && !found.some((b) => b.name === s.buffer.name)) found.push(s.buffer);
  });
  return found;
}

/**
 * The number of leading axes that are the thread's variables in every access of a buffer; `null`: threads may touch
 * elements of each other.
 */
function keptByThread(body: readonly Stmt[], buffer: Buffer): number | null {
  let counts: readonly number[] | null = null;
  let shared = false;
  const use = (indices: readonly { toString(): string }[], nest: ThreadNest | null): void => {
    if (!nest) shared = true;
    else {
      const mine = nest.loops.every((loop, d) => indices[d]?.toString() === loop.variable);
      if (!mine || (counts !== null && counts.join() !== nest.counts.join())) shared = true;
      counts = nest.counts;
    }
  };
  const touch = (s: Stmt, nest: ThreadNest | null): void => {
    if ((s.kind === "store" || s.kind === "reduce") && s.buffer.name === buffer.name) use(s.indices, nest);
    const value = statementValue(s);
    if (value)
      walkExpr(value, (e) => {
        if (e.kind === "load" && e.buffer.name === buffer.name) use(e.indices, nest);
      });
  };
  const go = (list: readonly Stmt[], nest: ThreadNest | null): void => {
    for (const s of list) {
      touch(s, nest);
      if (s.kind === "if") go(s.body, nest);
      else if (s.kind === "for") {
        const first = s.loop === "thread" && nest === null ? threadNest(s) : null;
        go(first ? first.body : s.body, first ?? nest);
      }
    }
  };
  go(body, null);
  if (shared) return null;
  return counts === null ? 0 : (counts as readonly number[]).length;
}

/** Register buffers whose indices are not constant once loops are unrolled become arrays. */
function arrays(body: readonly Stmt[]): Stmt[] {
  const indexed = new Set<string>();
  walk(body, (s, around) => {
    const fixed = new Set(around.flatMap((a) => (a.kind === "for" && isWrittenOut(a) ? [a.variable] : [])));
    const use = (buffer: Buffer, indices: readonly { variables(): Set<string> }[]): void => {
      if (buffer.scope === "register" && indices.some((i) => [...i.variables()].some((v) => !fixed.has(v))))
        indexed.add(buffer.name);
    };
    if (s.kind === "store" || s.kind === "reduce") use(s.buffer, s.indices);
    const value = statementValue(s);
    if (value) walkExpr(value, (e: Expr) => e.kind === "load" && use(e.buffer, e.indices));
  });
  const buffer = (b: Buffer): Buffer => (indexed.has(b.name) ? { ...b, scope: "local" } : b);
  return body.map((s) => mapStmt(s, { buffer }));
}

/** True for loops that code generation writes out, or makes the lanes of vectors. */
function isWrittenOut(s: For): boolean {
  return s.loop === "unrolled" || s.loop === "vectorized";
}

/** A buffer's number of elements. */
export const elementsOf = ({ shape }: Buffer): number => shape.reduce((n, size) => n * size.constant, 1);
