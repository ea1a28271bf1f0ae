/** Sizes that are not known yet: polynomials in symbols with whole coefficients, `n`, `2*n*m + 1`. */
import { IRError } from "../graph.js";

/** What symbols stand for in one run. */
export type Sizes = Readonly<Record<string, number>>;

interface Term {
  readonly coefficient: number;
  /** Sorted; a symbol twice is its square. */
  readonly symbols: readonly string[];
}

export class Dim {
  private constructor(readonly terms: readonly Term[]) {}

  /** The sum of such terms; the number itself if no symbol is left. */
  static of(terms: readonly Term[]): Dim | number {
    const sums = new Map<string, Term>();
    for (const { coefficient, symbols } of terms) {
      const sorted = [...symbols].sort();
      const before = sums.get(sorted.join("*"))?.coefficient ?? 0;
      sums.set(sorted.join("*"), { coefficient: before + coefficient, symbols: sorted });
    }
    const left = [...sums.values()].filter(({ coefficient }) => coefficient !== 0);
    left.sort(
      (a, b) => b.symbols.length - a.symbols.length || (a.symbols.join() < b.symbols.join() ? -1 : 1),
    );
    if (left.every(({ symbols }) => symbols.length === 0)) return left[0]?.coefficient ?? 0;
    return new Dim(left);
  }

  static symbol(name: string): Dim {
    return new Dim([{ coefficient: 1, symbols: [name] }]);
  }

  /** @throws IRError for a symbol without a size */
  at(sizes: Sizes): number {
    return this.terms.reduce((sum, { coefficient, symbols }) => {
      return (
        symbols.reduce((product, name) => {
          if (sizes[name] === undefined) throw new IRError(`the size ${name} is not given`);
          return product * sizes[name];
        }, coefficient) + sum
      );
    }, 0);
  }

  /** The symbol's name, if it is nothing else. */
  get name(): string | null {
    const [{ coefficient, symbols }] = this.terms;
    return this.terms.length === 1 && coefficient === 1 && symbols.length === 1 ? symbols[0] : null;
  }

  get symbols(): string[] {
    return [...new Set(this.terms.flatMap(({ symbols }) => symbols))];
  }

  toString(): string {
    return this.terms
      .map(({ coefficient, symbols }) => {
        if (symbols.length === 0) return String(coefficient);
        return coefficient === 1 ? symbols.join("*") : [coefficient, ...symbols].join("*");
      })
      .join(" + ");
  }

  toJSON(): string {
    return this.toString();
  }
}

/** Sizes to try: primes, so that no two of them, nor their sums and products, coincide by accident. */
const PRIMES = [5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43];

/** Products of at most two symbols, as lists of names. */
function monomials(names: readonly string[]): string[][] {
  const pairs = names.flatMap((a, i) => names.slice(i).map((b) => [a, b]));
  return [[], ...names.map((name) => [name]), ...pairs];
}

/** Sizes at which to look at a program: enough to find each polynomial of degree two, and two more to check it. */
export function samplePoints(names: readonly string[]): Sizes[] {
  const count = monomials(names).length + 2;
  return Array.from({ length: count }, (_, k) =>
    Object.fromEntries(
      names.map((name, i) => [
        name,
        PRIMES[(k * (i + 1) + i * 5 + (i > 0 ? (k * k) % 7 : 0)) % PRIMES.length],
      ]),
    ),
  );
}

/** The polynomial of degree two or less with these values at the points; `null` if there is none with whole coefficients. */
export function fit(values: readonly number[], points: readonly Sizes[]): Dim | number | null {
  const names = Object.keys(points[0]);
  const basis = monomials(names);
  const rows = points.map((point, k) => [
    ...basis.map((list) => list.reduce((p, name) => p * point[name], 1)),
    values[k],
  ]);
  const coefficients = solve(rows, basis.length);
  if (!coefficients) return null;
  const found = Dim.of(basis.map((symbols, i) => ({ coefficient: Math.round(coefficients[i]), symbols })));
  const value = (sizes: Sizes): number => (typeof found === "number" ? found : found.at(sizes));
  return points.every((point, k) => value(point) === values[k]) ? found : null;
}

/** Gaussian elimination of more equations than unknowns; `null` if they do not determine them. */
function solve(equations: readonly (readonly number[])[], unknowns: number): number[] | null {
  const rows = equations.map((row) => [...row]);
  for (let column = 0; column < unknowns; column++) {
    const pivot = rows.reduce(
      (best, row, i) => (i >= column && Math.abs(row[column]) > Math.abs(rows[best][column]) ? i : best),
      column,
    );
    if (Math.abs(rows[pivot][column]) < 1e-9) return null;
    [rows[column], rows[pivot]] = [rows[pivot], rows[column]];
    for (let i = 0; i < rows.length; i++) {
      if (i === column) continue;
      const factor = rows[i][column] / rows[column][column];
      rows[i] = rows[i].map((x, k) => x - factor * rows[column][k]);
    }
  }
  return rows.slice(0, unknowns).map((row, i) => row[unknowns] / row[i]);
}
