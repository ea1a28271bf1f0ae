/**
 * Index expressions: whole numbers that depend affinely on loop variables and sizes, Σ coefficient · atom + constant. An
 * atom is a variable, or a floor division, remainder, minimum or maximum of affine expressions. Equal expressions print
 * equally: terms are sorted, like terms are merged.
 */
import { ValueError } from "../../core/errors.js";

export type Atom =
  | { readonly kind: "var"; readonly name: string }
  | { readonly kind: "floordiv"; readonly of: Affine; readonly by: number }
  | { readonly kind: "mod"; readonly of: Affine; readonly by: number }
  | { readonly kind: "min"; readonly of: readonly Affine[] }
  | { readonly kind: "max"; readonly of: readonly Affine[] };

export interface Term {
  readonly key: string;
  readonly atom: Atom;
  readonly coefficient: number;
}

/** What stands for an index expression: a number, the name of a variable, or an expression. */
export type Index = Affine | number | string;

/** Least and greatest value of variables; absent: unknown. */
export type Ranges = ReadonlyMap<string, readonly [low: number, high: number]>;

const SIMPLE = /^-?\w+$/;

export class Affine {
  private text: string | undefined;

  constructor(
    readonly terms: readonly Term[],
    readonly constant: number,
  ) {}

  get isConstant(): boolean {
    return this.terms.length === 0;
  }

  plus(other: Index): Affine {
    const right = affine(other);
    return merge([...this.terms, ...right.terms], this.constant + right.constant);
  }

  minus(other: Index): Affine {
    return this.plus(affine(other).times(-1));
  }

  times(factor: number): Affine {
    return merge(
      this.terms.map((t) => ({ ...t, coefficient: t.coefficient * factor })),
      this.constant * factor,
    );
  }

  /** Factor of a plain variable (0: it does not occur, except perhaps inside other atoms). */
  coefficient(name: string): number {
    return this.terms.find((t) => t.key === name)?.coefficient ?? 0;
  }

  /** Variables that occur anywhere. */
  variables(into = new Set<string>()): Set<string> {
    for (const { atom } of this.terms) {
      if (atom.kind === "var") into.add(atom.name);
      else for (const part of partsOf(atom)) part.variables(into);
    }
    return into;
  }

  /** True if the expression is affine in the variable itself: it occurs in no division, remainder, minimum or maximum. */
  isAffineIn(name: string): boolean {
    return this.terms.every(
      ({ atom }) => atom.kind === "var" || !partsOf(atom).some((p) => p.variables().has(name)),
    );
  }

  /** Other values for variables, all at once. */
  substitute(values: ReadonlyMap<string, Affine>): Affine {
    if (this.terms.length === 0 || values.size === 0) return this;
    let sum = constant(this.constant);
    let changed = false;
    for (const { atom, coefficient, key } of this.terms) {
      const value = substituteAtom(atom, values);
      if (value === null) sum = sum.plus(new Affine([{ atom, coefficient, key }], 0));
      else {
        changed = true;
        sum = sum.plus(value.times(coefficient));
      }
    }
    return changed ? sum : this;
  }

  /** The value where every variable has one. @throws ValueError naming a variable without one. */
  evaluate(values: ReadonlyMap<string, number>): number {
    let sum = this.constant;
    for (const { atom, coefficient } of this.terms) sum += coefficient * evaluateAtom(atom, values);
    return sum;
  }

  equals(other: Affine): boolean {
    return this.toString() === other.toString();
  }

  /** `32*i_o + i_i + 1` */
  toString(): string {
    this.text ??= print(this);
    return this.text;
  }
}

export const constant = (value: number): Affine => new Affine([], value);

/** @throws ValueError for a number that is not whole. */
export function affine(x: Index): Affine {
  if (x instanceof Affine) return x;
  if (typeof x === "string")
    return new Affine([{ key: x, atom: { kind: "var", name: x }, coefficient: 1 }], 0);
  if (!Number.isSafeInteger(x)) throw new ValueError(`an index is a whole number, not ${x}`);
  return constant(x);
}

/** ⌊x / by⌋, divided out where that is exact. */
export function floordiv(x: Index, by: number, ranges?: Ranges): Affine {
  const e = affine(x);
  checkDivisor(by);
  if (by === 1) return e;
  const [whole, rest] = splitMultiples(e, by);
  if (rest.isConstant) return whole.plus(Math.floor(rest.constant / by));
  const range = ranges && rangeOf(rest, ranges);
  if (range && Math.floor(range[0] / by) === Math.floor(range[1] / by))
    return whole.plus(Math.floor(range[0] / by));
  const digits = ranges && lowDigits(rest, by, ranges);
  if (digits) return whole.plus(floordiv(digits.high, by / digits.base, ranges));
  return whole.plus(fromAtom({ kind: "floordiv", of: rest, by }));
}

/** x mod by, from 0 to by − 1. */
export function mod(x: Index, by: number, ranges?: Ranges): Affine {
  const e = affine(x);
  checkDivisor(by);
  if (by === 1) return constant(0);
  const [, rest] = splitMultiples(e, by);
  if (rest.isConstant) return constant(rest.constant - by * Math.floor(rest.constant / by));
  const range = ranges && rangeOf(rest, ranges);
  if (range && Math.floor(range[0] / by) === Math.floor(range[1] / by))
    return rest.minus(by * Math.floor(range[0] / by));
  const digits = ranges && lowDigits(rest, by, ranges);
  if (digits)
    return mod(digits.high, by / digits.base, ranges)
      .times(digits.base)
      .plus(digits.low);
  return fromAtom({ kind: "mod", of: rest, by });
}

/** x as base · high + low with 0 ≤ low < base, where base divides `by`: the low digits do not count in a quotient. */
function lowDigits(
  x: Affine,
  by: number,
  ranges: Ranges,
): { base: number; high: Affine; low: Affine } | null {
  const bases = new Set(x.terms.map((t) => gcd(Math.abs(t.coefficient), by)));
  for (const base of [...bases].filter((b) => b > 1 && b < by).sort((a, b) => b - a)) {
    const [high, low] = splitMultiples(x, base);
    const [least, most] = rangeOf(low, ranges);
    if (!low.isConstant && least >= 0 && most < base) return { base, high, low };
  }
  return null;
}

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}

/** ⌈x / by⌉ */
export function ceildiv(x: Index, by: number): Affine {
  return floordiv(affine(x).plus(by - 1), by);
}

export function minimum(...of: Index[]): Affine {
  return extremum("min", of.map(affine));
}

export function maximum(...of: Index[]): Affine {
  return extremum("max", of.map(affine));
}

/** Least and greatest value, by intervals; infinite where a variable has no range. */
export function rangeOf(e: Affine, ranges: Ranges): readonly [number, number] {
  let [low, high] = [e.constant, e.constant];
  for (const { atom, coefficient } of e.terms) {
    const [a, b] = atomRange(atom, ranges);
    const ends = [coefficient * a, coefficient * b];
    low += Math.min(...ends);
    high += Math.max(...ends);
  }
  return [low, high];
}

function atomRange(atom: Atom, ranges: Ranges): readonly [number, number] {
  if (atom.kind === "var")
    return ranges.get(atom.name) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  if (atom.kind === "min" || atom.kind === "max") {
    const all = atom.of.map((p) => rangeOf(p, ranges));
    const pick = atom.kind === "min" ? Math.min : Math.max;
    return [pick(...all.map(([a]) => a)), pick(...all.map(([, b]) => b))];
  }
  const [a, b] = rangeOf(atom.of, ranges);
  if (atom.kind === "floordiv") return [Math.floor(a / atom.by), Math.floor(b / atom.by)];
  return [0, atom.by - 1];
}

function extremum(kind: "min" | "max", parts: readonly Affine[]): Affine {
  const flat = parts.flatMap((p) => {
    const only = p.terms.length === 1 && p.constant === 0 ? p.terms[0] : undefined;
    return only && only.coefficient === 1 && only.atom.kind === kind ? [...only.atom.of] : [p];
  });
  // Of expressions that differ by a constant only, one stays.
  const kept = new Map<string, Affine>();
  for (const part of flat) {
    const key = merge(part.terms, 0).toString();
    const before = kept.get(key);
    const better =
      !before || (kind === "min" ? part.constant < before.constant : part.constant > before.constant);
    if (better) kept.set(key, part);
  }
  const of = [...kept.values()].sort((a, b) => (a.toString() < b.toString() ? -1 : 1));
  return of.length === 1 ? of[0] : fromAtom({ kind, of });
}

/** e = by · whole + rest, where the rest has no term that `by` divides. */
function splitMultiples(e: Affine, by: number): [whole: Affine, rest: Affine] {
  const whole = e.terms.filter((t) => t.coefficient % by === 0);
  const rest = e.terms.filter((t) => t.coefficient % by !== 0);
  const up = Math.floor(e.constant / by);
  return [
    merge(
      whole.map((t) => ({ ...t, coefficient: t.coefficient / by })),
      up,
    ),
    merge(rest, e.constant - up * by),
  ];
}

function checkDivisor(by: number): void {
  if (!Number.isSafeInteger(by) || by < 1)
    throw new ValueError(`a divisor is a whole number from 1, not ${by}`);
}

function fromAtom(atom: Atom): Affine {
  return new Affine([{ key: atomText(atom), atom, coefficient: 1 }], 0);
}

/** What an atom's operands are. */
export function partsOf(atom: Atom): readonly Affine[] {
  if (atom.kind === "var") return [];
  return atom.kind === "floordiv" || atom.kind === "mod" ? [atom.of] : atom.of;
}

function substituteAtom(atom: Atom, values: ReadonlyMap<string, Affine>): Affine | null {
  if (atom.kind === "var") return values.get(atom.name) ?? null;
  if (atom.kind === "floordiv" || atom.kind === "mod") {
    const of = atom.of.substitute(values);
    if (of === atom.of) return null;
    return atom.kind === "floordiv" ? floordiv(of, atom.by) : mod(of, atom.by);
  }
  const of = atom.of.map((p) => p.substitute(values));
  if (of.every((p, i) => p === atom.of[i])) return null;
  return extremum(atom.kind, of);
}

function evaluateAtom(atom: Atom, values: ReadonlyMap<string, number>): number {
  if (atom.kind === "var") {
    const value = values.get(atom.name);
    if (value === undefined) throw new ValueError(`the variable "${atom.name}" has no value`);
    return value;
  }
  if (atom.kind === "min") return Math.min(...atom.of.map((p) => p.evaluate(values)));
  if (atom.kind === "max") return Math.max(...atom.of.map((p) => p.evaluate(values)));
  const x = atom.of.evaluate(values);
  const quotient = Math.floor(x / atom.by);
  return atom.kind === "floordiv" ? quotient : x - atom.by * quotient;
}

function merge(terms: readonly Term[], value: number): Affine {
  if (terms.length === 0) return constant(value);
  const sums = new Map<string, Term>();
  for (const term of terms) {
    const before = sums.get(term.key);
    sums.set(term.key, before ? { ...term, coefficient: before.coefficient + term.coefficient } : term);
  }
  const kept = [...sums.values()].filter((t) => t.coefficient !== 0);
  for (const { atom, coefficient, key } of kept) {
    if (atom.kind !== "mod") continue;
    // by · (x div by) + x mod by = x
    const quotient = sums.get(`floordiv(${atom.of}, ${atom.by})`);
    if (quotient?.coefficient !== coefficient * atom.by) continue;
    const rest = kept.filter((t) => t.key !== key && t !== quotient);
    return new Affine(rest, value).plus(atom.of.times(coefficient));
  }
  kept.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return new Affine(kept, value + 0);
}

function atomText(atom: Atom): string {
  if (atom.kind === "var") return atom.name;
  if (atom.kind === "floordiv" || atom.kind === "mod") return `${atom.kind}(${atom.of}, ${atom.by})`;
  return `${atom.kind}(${atom.of.join(", ")})`;
}

function print(e: Affine): string {
  let out = "";
  for (const { key, coefficient } of e.terms) {
    const magnitude = Math.abs(coefficient);
    const sign = out === "" ? (coefficient < 0 ? "-" : "") : coefficient < 0 ? " - " : " + ";
    out += `${sign}${magnitude === 1 ? "" : `${magnitude}*`}${key}`;
  }
  if (out === "") return String(e.constant);
  if (e.constant === 0) return out;
  return `${out} ${e.constant < 0 ? "-" : "+"} ${Math.abs(e.constant)}`;
}

/** True for expressions that need no brackets beside an operator. */
export function isSimple(e: Affine): boolean {
  return SIMPLE.test(e.toString());
}
