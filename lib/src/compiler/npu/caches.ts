/**
 * Copies that a schedule makes by `cacheRead`: on the accelerator they are the on-chip memories themselves. The copying loops go,
 * what they copied is read where it came from, and the part that was copied must fit the memory.
 */
import { type Affine, affine } from "../loop/affine.js";
import { type Buffer, type Expr, type LoopKernel, mapStmt, type Stmt, walk } from "../loop/ir.js";
import { perfectNest } from "./nests.js";

/** A copy that was undone. */
export interface UndoneCache {
  /** The buffer that was copied, and the copy. */
  readonly source: string;
  readonly copy: string;
  /** Elements of the copy. */
  readonly elements: number;
}

/** The kernel without local copies of what is only read; packed ones, and all others, stay as they are. */
export function withoutCaches(kernel: LoopKernel): {
  readonly kernel: LoopKernel;
  readonly caches: readonly UndoneCache[];
} {
  const caches: UndoneCache[] = [];
  const writers = new Map<string, number>();
  walk(kernel.body, (s) => {
    if (s.kind === "store" || s.kind === "reduce")
      writers.set(s.buffer.name, (writers.get(s.buffer.name) ?? 0) + 1);
  });
  const go = (body: readonly Stmt[]): Stmt[] => {
    const out: Stmt[] = [];
    let rest = [...body];
    while (rest.length > 0) {
      const [s, copying, ...behind] = rest;
      const found =
        s.kind === "alloc" && s.buffer.scope === "local" && copying && writers.get(s.buffer.name) === 1
          ? copyIn(s.buffer, copying)
          : null;
      if (found) {
        caches.push({ source: found.source.name, copy: found.copy.name, elements: elementsOf(found.copy) });
        rest = behind.map((b) => readingSource(b, found));
        continue;
      }
      out.push(s.kind === "for" || s.kind === "if" ? { ...s, body: go(s.body) } : s);
      rest = rest.slice(1);
    }
    return out;
  };
  const body = go(kernel.body);
  return caches.length === 0 ? { kernel, caches } : { kernel: { ...kernel, body }, caches };
}

interface Copied {
  readonly copy: Buffer;
  readonly source: Buffer;
  readonly variables: readonly string[];
  readonly from: readonly Affine[];
  /** The element's type as it is read: a cast, where the copy converts. */
  readonly as: Buffer["dtype"] | null;
}

/** A nest that copies a box of a buffer, element by element. */
function copyIn(copy: Buffer, s: Stmt): Copied | null {
  const perfect = s.kind === "for" ? perfectNest(s) : null;
  if (!perfect || perfect.write.kind !== "store" || perfect.write.buffer.name !== copy.name) return null;
  const { indices } = perfect.write;
  let { value } = perfect.write;
  // Zeros beyond the end are never read where the loops end with the buffer.
  if (value.kind === "when" && value.no.kind === "constant") value = value.yes;
  const as = value.kind === "cast" ? value.dtype : null;
  if (value.kind === "cast") value = value.of;
  if (value.kind !== "load" || value.buffer.scope !== "param" || value.buffer.output) return null;
  const variables = indices.map(String);
  const loops = perfect.loops.map((l) => l.variable);
  if (!variables.every((v) => loops.includes(v))) return null;
  // A packed copy has its elements in another order: that stays a copy.
  if (value.indices.length !== indices.length) return null;
  return { copy, source: value.buffer, variables, from: value.indices, as };
}

function readingSource(s: Stmt, { copy, source, variables, from, as }: Copied): Stmt {
  const expr = (e: Expr): Expr => {
    if (e.kind !== "load" || e.buffer.name !== copy.name) return e;
    const at = new Map(variables.map((v, i) => [v, e.indices[i]]));
    const load: Expr = { kind: "load", buffer: source, indices: from.map((i) => i.substitute(at)) };
    return as === null ? load : { kind: "cast", dtype: as, of: load };
  };
  return mapStmt(s, { expr });
}

const elementsOf = ({ shape }: Buffer): number =>
  shape.reduce((n, d) => n * (d.isConstant ? d.constant : affine(d).constant), 1);
