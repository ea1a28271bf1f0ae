/** Addresses as polynomials: Σ coefficient · product of variables and sizes (strides may be known only when the kernel runs). */
import { type Affine, type Atom, affine } from "../loop/affine.js";
import type { Buffer } from "../loop/ir.js";

export interface Monomial {
  readonly coefficient: number;
  readonly factors: readonly { readonly key: string; readonly atom: Atom }[];
}

export class Polynomial {
  constructor(readonly terms: ReadonlyMap<string, Monomial>) {}

  static of(e: Affine): Polynomial {
    const terms = new Map<string, Monomial>();
    for (const { key, atom, coefficient } of e.terms)
      terms.set(key, { coefficient, factors: [{ key, atom }] });
    if (e.constant !== 0) terms.set("", { coefficient: e.constant, factors: [] });
    return new Polynomial(terms);
  }

  get constant(): number {
    return this.terms.get("")?.coefficient ?? 0;
  }

  /** The number that it is, if it is one. */
  get number(): number | null {
    return this.terms.size === 0 || (this.terms.size === 1 && this.terms.has("")) ? this.constant : null;
  }

  plus(other: Polynomial): Polynomial {
    const terms = new Map(this.terms);
    for (const [key, m] of other.terms) put(terms, key, m);
    return new Polynomial(terms);
  }

  times(other: Polynomial): Polynomial {
    const terms = new Map<string, Monomial>();
    for (const a of this.terms.values()) {
      for (const b of other.terms.values()) {
        const factors = [...a.factors, ...b.factors].sort((x, y) => (x.key < y.key ? -1 : 1));
        put(terms, factors.map((f) => f.key).join(" · "), {
          coefficient: a.coefficient * b.coefficient,
          factors,
        });
      }
    }
    return new Polynomial(terms);
  }

  scale(factor: number): Polynomial {
    return this.times(Polynomial.of(affine(factor)));
  }

  /** The constant polynomial of a number. */
  static constant(value: number): Polynomial {
    return Polynomial.of(affine(value));
  }

  /** Divided by a number that divides every coefficient. */
  dividedBy(by: number): Polynomial {
    return new Polynomial(
      new Map([...this.terms].map(([key, m]) => [key, { ...m, coefficient: m.coefficient / by }])),
    );
  }

  withoutConstant(): Polynomial {
    const terms = new Map(this.terms);
    terms.delete("");
    return new Polynomial(terms);
  }

  /** How much it grows when the variable grows by one; `null` if that depends on the variable. */
  slope(variable: string): Polynomial | null {
    const terms = new Map<string, Monomial>();
    for (const m of this.terms.values()) {
      const own = m.factors.filter((f) => f.key === variable);
      const others = m.factors.filter((f) => f.key !== variable);
      if (others.some(({ atom }) => atom.kind !== "var" && new Set(affineOf(atom).variables()).has(variable)))
        return null;
      if (own.length > 1) return null;
      if (own.length === 1)
        put(terms, others.map((f) => f.key).join(" · "), { coefficient: m.coefficient, factors: others });
    }
    return new Polynomial(terms);
  }

  /** With another value for a variable that it is linear in. */
  substitute(variable: string, value: Affine): Polynomial {
    const slope = this.slope(variable) as Polynomial;
    const rest = [...this.terms].filter(([, m]) => !m.factors.some((f) => f.key === variable));
    return new Polynomial(new Map(rest)).plus(slope.times(Polynomial.of(value)));
  }

  key(): string {
    return [...this.terms]
      .map(([key, m]) => `${m.coefficient}·${key}`)
      .sort()
      .join(" + ");
  }
}

function affineOf(atom: Atom): Affine {
  const parts =
    atom.kind === "var"
      ? [affine(atom.name)]
      : atom.kind === "floordiv" || atom.kind === "mod"
        ? [atom.of]
        : atom.of;
  return parts.reduce((sum, p, i) => sum.plus(p.times(i * 7919 + 1)), affine(0)); // only its variables count
}

function put(terms: Map<string, Monomial>, key: string, m: Monomial): void {
  const coefficient = (terms.get(key)?.coefficient ?? 0) + m.coefficient;
  if (coefficient === 0) terms.delete(key);
  else terms.set(key, { coefficient, factors: m.factors });
}

/** Elements from the buffer's beginning to the element at `indices`. */
export function offsetOf(buffer: Buffer, indices: readonly Affine[]): Polynomial {
  return stridesOf(buffer).reduce(
    (sum, stride, d) => sum.plus(stride.times(Polynomial.of(indices[d]))),
    Polynomial.of(affine(0)),
  );
}

/** Elements from one index to the next, per axis. */
export function stridesOf(buffer: Buffer): Polynomial[] {
  if (buffer.strides) return buffer.strides.map((s) => Polynomial.of(s));
  const out: Polynomial[] = [];
  let step = Polynomial.of(affine(1));
  for (let d = buffer.shape.length - 1; d >= 0; d--) {
    out.unshift(step);
    step = step.times(Polynomial.of(buffer.shape[d]));
  }
  return out;
}
