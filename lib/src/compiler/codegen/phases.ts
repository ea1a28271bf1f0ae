/** A kernel as phases: what threads may share out among themselves, one phase after the other. */
import type { Affine, Atom } from "../loop/affine.js";
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
import { extentBound } from "../schedule/tree.js";

export interface Phase {
  /** Parallel loops around the body, outermost first; none: one thread does it. */
  readonly loops: readonly For[];
  readonly body: readonly Stmt[];
}

export interface Phases {
  readonly phases: readonly Phase[];
  readonly temporaries: readonly Buffer[];
}

/** @throws LoopError if a value named at the top would have to cross phases. */
export function phasesOf(kernel: LoopKernel): Phases {
  const phases: Phase[] = [];
  const temporaries: Buffer[] = [];
  let serial: Stmt[] | null = null;
  for (const s of kernel.body) {
    if (s.kind === "alloc" && s.buffer.scope === "shared") temporaries.push(s.buffer);
    else if (s.kind === "for" && isParallel(s)) {
      serial = null;
      const loops = [s];
      let { body } = s;
      while (body.length === 1 && body[0].kind === "for" && isParallel(body[0])) {
        loops.push(body[0]);
        body = body[0].body;
      }
      phases.push({ loops, body });
    } else {
      if (s.kind === "let" || s.kind === "alloc")
        throw new LoopError(
          `${kernel.name}: at the top only loops and shared buffers may stand, not "${s.kind}"`,
        );
      if (!serial) {
        serial = [];
        phases.push({ loops: [], body: serial });
      }
      serial.push(s);
    }
  }
  return { phases, temporaries };
}

/** Loops whose iterations threads share out: a GPU's blocks are such work too. */
const isParallel = ({ loop }: For): boolean => loop === "parallel" || loop === "block";

/** An expression over the kernel's sizes as a function of their values; other variables count as 0. */
export function sizeFunction(e: Affine, sizes: readonly string[]): (values: readonly number[]) => number {
  if (e.isConstant) return () => e.constant;
  const terms = e.terms.map(({ atom, coefficient }) => ({ coefficient, of: atomFunction(atom, sizes) }));
  return (values) => terms.reduce((sum, t) => sum + t.coefficient * t.of(values), e.constant);
}

function atomFunction(atom: Atom, sizes: readonly string[]): (values: readonly number[]) => number {
  if (atom.kind === "var") {
    const at = sizes.indexOf(atom.name);
    return at < 0 ? () => 0 : (values) => values[at];
  }
  if (atom.kind === "min" || atom.kind === "max") {
    const parts = atom.of.map((p) => sizeFunction(p, sizes));
    const pick = atom.kind === "min" ? Math.min : Math.max;
    return (values) => pick(...parts.map((p) => p(values)));
  }
  const of = sizeFunction(atom.of, sizes);
  const { by } = atom;
  return atom.kind === "mod"
    ? (values) => of(values) - by * Math.floor(of(values) / by)
    : (values) => Math.floor(of(values) / by);
}

/** Scalar operations of statements, as a function of the sizes: loads and stores count as one. */
export function workFunction(
  body: readonly Stmt[],
  sizes: readonly string[],
): (values: readonly number[]) => number {
  const parts: { readonly extents: ((v: readonly number[]) => number)[]; readonly operations: number }[] = [];
  walk(body, (s, around) => {
    const value = statementValue(s);
    if (!value) return;
    let operations = 1;
    walkExpr(value, (e) => {
      if (e.kind === "op") operations += COSTLY.has(e.op) ? 10 : 1;
      else if (e.kind === "load") operations++;
    });
    const extents = around.flatMap((a) => (a.kind === "for" ? [sizeFunction(extentBound(a), sizes)] : []));
    parts.push({ extents, operations });
  });
  return (values) =>
    parts.reduce((sum, p) => sum + p.extents.reduce((n, e) => n * Math.max(0, e(values)), p.operations), 0);
}

const COSTLY = new Set(["exp", "log", "tanh", "sigmoid"]);

/** Number of elements of a buffer as a function of the sizes. */
export function elementsFunction(
  { shape }: Buffer,
  sizes: readonly string[],
): (values: readonly number[]) => number {
  const dims = shape.map((d) => sizeFunction(d, sizes));
  return (values) => dims.reduce((n, d) => n * d(values), 1);
}

export const extentOf = (loop: For): Affine => loop.to.minus(loop.from);
