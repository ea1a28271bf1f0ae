/** How buffers lie in a GPU's memory, and which accesses are aligned vectors. */
import type { Affine, Atom } from "../../loop/affine.js";
import {
  type Buffer,
  type Expr,
  type For,
  type Stmt,
  statementValue,
  walk,
  walkExpr,
} from "../../loop/ir.js";
import { offsetOf, Polynomial } from "../address.js";

/** Elements of a vector. */
export const LANES = 4;

/** Sizes that are known to be multiples of a number, by name. */
export type Multiples = ReadonlyMap<string, number>;

/** The greatest number known to divide an expression. */
export function divisorOf(p: Polynomial, multiples: Multiples): number {
  let divisor = 0;
  for (const { coefficient, factors } of p.terms.values()) {
    const product = factors.reduce((n, { atom }) => n * atomDivisor(atom, multiples), Math.abs(coefficient));
    divisor = gcd(divisor, product);
  }
  return divisor;
}

function atomDivisor(atom: Atom, multiples: Multiples): number {
  if (atom.kind === "var") return multiples.get(atom.name) ?? 1;
  const of = (e: Affine): number => divisorOf(Polynomial.of(e), multiples);
  if (atom.kind === "mod") return gcd(of(atom.of), atom.by);
  if (atom.kind === "floordiv") return of(atom.of) % atom.by === 0 ? Math.max(1, of(atom.of) / atom.by) : 1;
  return atom.of.reduce((n, part) => gcd(n, of(part)), 0) || 1;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** True if vectors may be read and written there. */
export const isAligned = (offset: Polynomial, multiples: Multiples): boolean =>
  divisorOf(offset, multiples) % LANES === 0;

/** How a buffer is accessed all in all. */
export interface Accesses {
  /** Somewhere an aligned vector is read or written. */
  vectors: boolean;
  /** Somewhere a single element is written, which may lie beside what another thread writes. */
  singleWrites: boolean;
  written: boolean;
}

/** What happens to each buffer in a launch. `lanes`: vectorized loops that become vectors, with their lanes. */
export function accessesIn(
  body: readonly Stmt[],
  lanes: ReadonlyMap<string, number>,
  multiples: Multiples,
  into: Map<string, Accesses>,
): void {
  walk(body, (s, around) => {
    const loop = around.find((a): a is For => a.kind === "for" && lanes.get(a.variable) === LANES);
    const note = (buffer: Buffer, indices: readonly Affine[], writes: boolean): void => {
      const all = into.get(buffer.name) ?? { vectors: false, singleWrites: false, written: false };
      into.set(buffer.name, all);
      const offset = offsetOf(buffer, indices);
      const vector =
        loop !== undefined &&
        offset.slope(loop.variable)?.number === 1 &&
        isAligned(withoutLane(offset, loop.variable), multiples);
      if (vector) all.vectors = true;
      if (writes) all.written = true;
      if (writes && !vector) all.singleWrites = true;
    };
    if (s.kind === "store" || s.kind === "reduce") note(s.buffer, s.indices, true);
    const value = statementValue(s);
    if (value) walkExpr(value, (e: Expr) => e.kind === "load" && note(e.buffer, e.indices, false));
  });
}

function withoutLane(offset: Polynomial, variable: string): Polynomial {
  const terms = [...offset.terms].filter(([, m]) => !m.factors.some((f) => f.key === variable));
  return new Polynomial(new Map(terms));
}
