/**
 * Minimal filtering F(m, r): m outputs of a filter of r taps by m + r − 1 multiplications instead of m·r. Both sequences are
 * polynomials; their product is found from its values at m + r − 2 points and at infinity, and the algorithm is transposed
 * (Toom 1963, Cook 1966, Winograd 1980; for neural networks Lavin & Gray 2016). Exact in fractions. (Book, chapter 8.)
 */
import { ValueError } from "../../core/errors.js";
import { Rational } from "./rational.js";

export type Matrix = readonly (readonly Rational[])[];

/** y = Aᵀ [(G g) ⊙ (Bᵀ d)]: m outputs from m + r − 1 inputs d and r taps g. */
export interface FastFilter {
  readonly outputs: number;
  readonly taps: number;
  /** m + r − 1: inputs, and multiplications. */
  readonly inputs: number;
  readonly points: readonly Rational[];
  /** m × (m + r − 1). */
  readonly at: Matrix;
  /** (m + r − 1) × r. */
  readonly g: Matrix;
  /** (m + r − 1) × (m + r − 1). */
  readonly bt: Matrix;
}

/** Small numbers first: powers of large ones spoil the last digits (Barabasz et al. 2020). */
const POINTS = ["0", "1", "-1", "2", "-2", "1/2", "-1/2", "3", "-3", "1/3", "-1/3", "4", "-4", "1/4", "-1/4"];

/**
 * The matrices of F(m, r).
 * @param points m + r − 2 different fractions, as `"1/2"` or whole numbers; infinity comes on top. Default: 0, ±1, ±2, ±1/2 …
 * @throws ValueError for sizes that are none, or points that are too few or not different.
 * @example compiler.convolution.cookToom(2, 3).at.map((row) => row.join(" ")) // ["1 1 1 0", "0 1 -1 -1"]
 */
export function cookToom(m: number, r: number, points?: readonly (string | number)[]): FastFilter {
  if (!Number.isInteger(m) || !Number.isInteger(r) || m < 1 || r < 1)
    throw new ValueError(`cookToom: F(${m}, ${r}) wants two whole numbers, at least 1`);
  const n = m + r - 1;
  const given = points ?? POINTS.slice(0, n - 1);
  if (given.length !== n - 1)
    throw new ValueError(
      points
        ? `cookToom: F(${m}, ${r}) wants ${n - 1} points, got ${given.length}`
        : `cookToom: F(${m}, ${r}) wants ${n - 1} points; there are ${POINTS.length} by default: name some`,
    );
  const p = given.map((x) => Rational.from(x));
  const same = p.findIndex((x, i) => p.slice(0, i).some((y) => x.minus(y).sign === 0));
  if (same >= 0) throw new ValueError(`cookToom: the point ${p[same]} comes twice`);
  const [zero, one] = [Rational.of(0), Rational.of(1)];
  const at = Array.from({ length: m }, (_, i) => [
    ...p.map((x) => x.power(i)),
    i === m - 1 ? one : zero, // at infinity the leading coefficient counts
  ]);
  const g = [
    ...p.map((x, j) => {
      const norm = p.reduce((product, y, k) => (k === j ? product : product.times(x.minus(y))), one);
      return Array.from({ length: r }, (_, k) => x.power(k).over(norm));
    }),
    Array.from({ length: r }, (_, k) => (k === r - 1 ? one : zero)),
  ];
  const bt = [...p.map((_, j) => fill(productOf(p.filter((_, k) => k !== j)), n)), fill(productOf(p), n)];
  // Signs as in the literature: the rows of 0 and of infinity begin with a positive number.
  const rows = [...p.flatMap((x, j) => (x.sign === 0 ? [j] : [])), n - 1];
  for (const j of rows) {
    if ((bt[j].find((x) => x.sign !== 0) ?? one).sign > 0) continue;
    bt[j] = bt[j].map((x) => x.negated());
    if (j < n - 1) g[j] = g[j].map((x) => x.negated());
    else for (const row of at) row[j] = row[j].negated();
  }
  return { outputs: m, taps: r, inputs: n, points: p, at, g, bt };
}

/** Coefficients of Π (x − p), lowest first. */
function productOf(roots: readonly Rational[]): Rational[] {
  return roots.reduce<Rational[]>(
    (poly, root) => {
      const out = [...poly.map(() => Rational.of(0)), Rational.of(0)];
      poly.forEach((c, i) => {
        out[i + 1] = out[i + 1].plus(c);
        out[i] = out[i].minus(c.times(root));
      });
      return out;
    },
    [Rational.of(1)],
  );
}

const fill = (poly: readonly Rational[], n: number): Rational[] =>
  Array.from({ length: n }, (_, i) => poly[i] ?? Rational.of(0));

/**
 * The filter applied by these matrices, exactly: what the identity is checked with.
 * @param d m + r − 1 whole numbers
 * @param g r whole numbers
 * @example compiler.convolution.filterBy(compiler.convolution.cookToom(2, 3), [1, 2, 3, 4], [1, 1, 1]).join() // "6,9"
 */
export function filterBy(
  { at, g: taps, bt }: Pick<FastFilter, "at" | "g" | "bt">,
  d: readonly (number | Rational)[],
  g: readonly (number | Rational)[],
): Rational[] {
  const whole = (x: number | Rational): Rational => (x instanceof Rational ? x : Rational.of(x));
  const apply = (matrix: Matrix, x: readonly Rational[]): Rational[] =>
    matrix.map((row) => row.reduce((sum, a, i) => sum.plus(a.times(x[i])), Rational.of(0)));
  const [u, v] = [apply(taps, g.map(whole)), apply(bt, d.map(whole))];
  return apply(
    at,
    u.map((x, i) => x.times(v[i])),
  );
}

/** Multiplications and additions of one product with the matrix, ones and zeros aside. */
export function costOf(matrix: Matrix): { readonly multiplications: number; readonly additions: number } {
  const used = matrix.map((row) => row.filter((x) => x.sign !== 0));
  return {
    multiplications: used.flat().filter((x) => Math.abs(x.value) !== 1).length,
    additions: used.reduce((sum, row) => sum + Math.max(0, row.length - 1), 0),
  };
}
