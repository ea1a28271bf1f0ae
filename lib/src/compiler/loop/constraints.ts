/**
 * Integer constraints: is there a point with all e ≥ 0? Fourier–Motzkin elimination over the rationals, with constants
 * rounded to whole numbers in each step (Pugh 1991, "The Omega test", real shadow). "No" is certain; "yes" may be wrong.
 */
import { Affine, type Atom, affine, partsOf, type Term } from "./affine.js";
import { LoopError } from "./ir.js";

interface Row {
  readonly coefficients: ReadonlyMap<string, number>;
  readonly constant: number;
}

const MAX_ROWS = 1500;
const MAX_COEFFICIENT = 2 ** 40;

/** False: no whole-number values make all expressions ≥ 0 and all of `zeros` 0. */
export function feasible(nonnegative: readonly Affine[], zeros: readonly Affine[] = []): boolean {
  return eliminate(nonnegative, zeros) !== null;
}

/**
 * What the constraints say of all variables but `without`, each ≥ 0; `null` if they contradict each other.
 * @throws LoopError if the system grows too large.
 */
export function project(nonnegative: readonly Affine[], without: readonly string[]): Affine[] | null {
  const gone = new Set(without);
  const depends = ({ key, atom }: Term): boolean =>
    gone.has(key) || partsOf(atom).some((part) => [...part.variables()].some((v) => gone.has(v)));
  const rest = eliminate(nonnegative, [], depends);
  if (rest === "too large")
    throw new LoopError("the bounds of these loops are too complicated to be exchanged");
  return rest;
}

/** Eliminates all variables, or those of `only`; `null`: no solution. */
function eliminate(
  nonnegative: readonly Affine[],
  zeros: readonly Affine[],
  only?: (term: Term) => boolean,
): Affine[] | "too large" | null {
  const rows = new Map<string, Row>();
  const atoms = new Map<string, Term>();
  const defined = new Set<string>();
  let contradiction = false;
  const put = (coefficients: Map<string, number>, value: number): void => {
    const row = tighten(coefficients, value);
    if (row === null) return;
    if (row.coefficients.size === 0) {
      if (row.constant < 0) contradiction = true;
      return;
    }
    const key = [...row.coefficients].sort(([a], [b]) => (a < b ? -1 : 1)).join(" ");
    const before = rows.get(key);
    if (!before || before.constant > row.constant) rows.set(key, row);
  };
  const add = (e: Affine): void => {
    for (const term of e.terms) atoms.set(term.key, term);
    put(new Map(e.terms.map((t) => [t.key, t.coefficient])), e.constant);
    for (const term of e.terms) define(term);
  };
  const define = ({ key, atom }: Term): void => {
    if (atom.kind === "var" || defined.has(key)) return;
    defined.add(key);
    atoms.set(key, { key, atom, coefficient: 1 });
    const self = new Affine([{ key, atom, coefficient: 1 }], 0);
    if (atom.kind === "min") for (const part of partsOf(atom)) add(part.minus(self));
    else if (atom.kind === "max") for (const part of partsOf(atom)) add(self.minus(part));
    else if (atom.kind === "floordiv") {
      add(atom.of.minus(self.times(atom.by)));
      add(
        self
          .times(atom.by)
          .plus(atom.by - 1)
          .minus(atom.of),
      );
    } else {
      // of = by · quotient + remainder
      const quotientAtom: Atom = { kind: "floordiv", of: atom.of, by: atom.by };
      const quotientTerm = { key: `floordiv(${atom.of}, ${atom.by})`, atom: quotientAtom, coefficient: 1 };
      define(quotientTerm);
      add(self);
      add(self.times(-1).plus(atom.by - 1));
      // Row by row: as an expression, the two atoms would be written as `of` again.
      for (const sign of [1, -1]) {
        const row = new Map(atom.of.terms.map((t) => [t.key, -sign * t.coefficient]));
        row.set(key, sign);
        row.set(quotientTerm.key, sign * atom.by);
        put(row, -sign * atom.of.constant);
      }
      for (const term of atom.of.terms) {
        atoms.set(term.key, term);
        define(term);
      }
    }
  };
  for (const e of nonnegative) add(e);
  const equations: Row[] = [];
  for (const e of zeros) {
    // An equation whose coefficients share a divisor that the constant lacks has no whole solution.
    const divisor = e.terms.reduce((g, t) => gcd(g, Math.abs(t.coefficient)), 0);
    if (divisor > 1 && e.constant % divisor !== 0) return null;
    equations.push({
      coefficients: new Map(e.terms.map((t) => [t.key, t.coefficient])),
      constant: e.constant,
    });
    for (const term of e.terms) {
      atoms.set(term.key, term);
      define(term);
    }
  }
  if (equations.length > 0) {
    const solved = solve(equations, [...rows.values()]);
    if (solved === null) return null;
    rows.clear();
    for (const { coefficients, constant } of solved) put(new Map(coefficients), constant);
  }
  const bounds = wholeBounds([...rows.values()]);
  if (bounds === null) return null;
  for (const [variable, sign, bound] of bounds) put(new Map([[variable, sign]]), -sign * bound);
  while (!contradiction && rows.size > 0) {
    if (rows.size > MAX_ROWS) return "too large";
    const variable = cheapest(rows.values(), only && ((key) => only(atoms.get(key) as Term)));
    if (variable === null) break;
    const [lower, upper]: [Row[], Row[]] = [[], []];
    for (const [key, row] of [...rows]) {
      const c = row.coefficients.get(variable);
      if (c === undefined) continue;
      rows.delete(key);
      (c > 0 ? lower : upper).push(row);
    }
    for (const l of lower) {
      for (const u of upper) {
        const a = l.coefficients.get(variable)!;
        const b = -u.coefficients.get(variable)!;
        const sum = new Map<string, number>();
        for (const [v, c] of l.coefficients) if (v !== variable) sum.set(v, c * b);
        for (const [v, c] of u.coefficients) if (v !== variable) sum.set(v, (sum.get(v) ?? 0) + c * a);
        for (const c of sum.values()) if (Math.abs(c) > MAX_COEFFICIENT) return "too large";
        put(sum, l.constant * b + u.constant * a);
      }
    }
  }
  if (contradiction) return null;
  return [...rows.values()].map(({ coefficients, constant: c }) => {
    let sum = affine(c);
    for (const [key, coefficient] of coefficients) {
      const { atom } = atoms.get(key) as Term;
      sum = sum.plus(new Affine([{ key, atom, coefficient }], 0));
    }
    return sum;
  });
}

/** True if e ≥ 0 follows from `known` (each ≥ 0). */
export function implied(e: Affine, known: readonly Affine[]): boolean {
  if (e.isConstant) return e.constant >= 0 || !feasible(known);
  // One of a minimum's parts may be what counts: a min is nonnegative if all its parts are.
  for (const { atom, coefficient, key } of e.terms) {
    const splits = (atom.kind === "min" && coefficient > 0) || (atom.kind === "max" && coefficient < 0);
    if (splits) {
      const rest = e.minus(new Affine([{ key, atom, coefficient }], 0));
      return partsOf(atom).every((part) => implied(rest.plus(part.times(coefficient)), known));
    }
  }
  return !feasible([...known, e.times(-1).minus(1)]);
}

/**
 * Constant bounds of single variables, rounded to whole numbers from row to row: what elimination in another order would
 * lose. Each is (variable, 1: from below or −1: from above, bound). `null`: some variable has no value.
 */
function wholeBounds(rows: readonly Row[]): [string, 1 | -1, number][] | null {
  const low = new Map<string, number>();
  const high = new Map<string, number>();
  for (let round = 0, changed = true; changed && round < 4; round++) {
    changed = false;
    for (const { coefficients, constant } of rows) {
      // Σ c·v + constant ≥ 0: each term is at least −(the most that the others can be).
      let most = constant;
      let open = 0;
      let last = "";
      for (const [v, c] of coefficients) {
        const end = c > 0 ? high.get(v) : low.get(v);
        if (end === undefined) [open, last] = [open + 1, v];
        else most += c * end;
      }
      if (open > 1) continue;
      for (const [v, c] of coefficients) {
        if (open === 1 && v !== last) continue;
        const end = c > 0 ? high.get(v) : low.get(v);
        const others = end === undefined ? most : most - c * end;
        if (c > 0) {
          const bound = Math.ceil(-others / c);
          if (bound > (low.get(v) ?? Number.NEGATIVE_INFINITY)) {
            low.set(v, bound);
            changed = true;
          }
        } else {
          const bound = Math.floor(others / -c);
          if (bound < (high.get(v) ?? Number.POSITIVE_INFINITY)) {
            high.set(v, bound);
            changed = true;
          }
        }
      }
    }
  }
  for (const [v, least] of low) if (least > (high.get(v) ?? Number.POSITIVE_INFINITY)) return null;
  return [
    ...[...low].map(([v, b]): [string, 1, number] => [v, 1, b]),
    ...[...high].map(([v, b]): [string, -1, number] => [v, -1, b]),
  ];
}

/**
 * The rows with variables replaced by what the equations say they are, where their coefficient there is ±1: far fewer rows
 * than elimination makes of an equation. What is left of the equations comes as two rows each. `null`: no solution.
 */
function solve(equations: readonly Row[], rows: readonly Row[]): Row[] | null {
  let open = [...equations];
  let rest = [...rows];
  while (open.length > 0) {
    const [first, ...others] = open;
    open = others;
    const divisor = [...first.coefficients.values()].reduce((g, c) => gcd(g, Math.abs(c)), 0);
    if (divisor === 0 ? first.constant !== 0 : first.constant % divisor !== 0) return null;
    const unit = [...first.coefficients].find(([, c]) => Math.abs(c) === 1);
    if (unit) {
      const [variable, sign] = unit;
      const without = (row: Row): Row => {
        const c = row.coefficients.get(variable);
        return c === undefined ? row : sumOf(row, first, -c * sign);
      };
      open = open.map(without);
      rest = rest.map(without);
    } else if (divisor > 0)
      rest.push(first, {
        coefficients: new Map([...first.coefficients].map(([v, c]) => [v, -c])),
        constant: -first.constant,
      });
  }
  return rest;
}

/** a + factor · b */
function sumOf(a: Row, b: Row, factor: number): Row {
  const coefficients = new Map(a.coefficients);
  for (const [v, c] of b.coefficients) {
    const sum = (coefficients.get(v) ?? 0) + factor * c;
    if (sum === 0) coefficients.delete(v);
    else coefficients.set(v, sum);
  }
  return { coefficients, constant: a.constant + factor * b.constant };
}

function tighten(coefficients: Map<string, number>, value: number): Row | null {
  let divisor = 0;
  for (const [v, c] of coefficients) {
    if (c === 0) coefficients.delete(v);
    else divisor = gcd(divisor, Math.abs(c));
  }
  if (divisor <= 1) return { coefficients, constant: value };
  for (const [v, c] of coefficients) coefficients.set(v, c / divisor);
  return { coefficients, constant: Math.floor(value / divisor) };
}

/** The variable whose elimination makes the fewest new rows. */
function cheapest(rows: Iterable<Row>, only?: (key: string) => boolean): string | null {
  const counts = new Map<string, [number, number]>();
  for (const { coefficients } of rows) {
    for (const [v, c] of coefficients) {
      if (only && !only(v)) continue;
      const count = counts.get(v) ?? [0, 0];
      count[c > 0 ? 0 : 1]++;
      counts.set(v, count);
    }
  }
  let best: string | null = null;
  let cost = Number.POSITIVE_INFINITY;
  for (const [v, [up, down]] of counts) {
    if (up * down - up - down < cost) [best, cost] = [v, up * down - up - down];
  }
  return best;
}

function gcd(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}
