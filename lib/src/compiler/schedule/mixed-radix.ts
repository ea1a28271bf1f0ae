/**
 * Equations over bounded whole numbers, taken apart: 16a + 4b + c = 0 with |4b + c| < 16 says 16a = 0 and 4b + c = 0. What
 * elimination over the rationals does not see, and what indices that were cut in pieces are made of.
 */
import { Affine, affine, type Term } from "../loop/affine.js";
import { boundsOf } from "./tree.js";

type Interval = readonly [low: number, high: number];

/** Terms that count as one: v and its twin of the other iteration, or a term alone. */
interface Digit {
  readonly terms: readonly Term[];
  readonly weight: number;
  readonly range: Interval;
}

/**
 * The equations that `zero` = 0 is, given bounds of its variables (`rangesIn`).
 * @param twin name of the same variable in the other iteration
 */
export function digitsOf(
  zero: Affine,
  ranges: ReadonlyMap<string, Interval>,
  twin: (v: string) => string,
): Affine[] {
  const digits = digitsIn(zero, ranges, twin);
  const out: Affine[] = [];
  let low = zero.constant;
  let high = zero.constant;
  let rest = zero;
  let small = affine(zero.constant);
  for (let i = digits.length - 1; i > 0; i--) {
    const { terms, weight, range } = digits[i];
    for (const t of terms) small = small.plus(new Affine([t], 0));
    low += Math.min(weight * range[0], weight * range[1]);
    high += Math.max(weight * range[0], weight * range[1]);
    const step = digits.slice(0, i).reduce((g, d) => gcd(g, Math.abs(d.weight)), 0);
    if (!(low > -step && high < step)) continue;
    out.push(small);
    rest = rest.minus(small);
    [low, high, small] = [0, 0, affine(0)];
  }
  return [...out, rest];
}

function digitsIn(zero: Affine, ranges: ReadonlyMap<string, Interval>, twin: (v: string) => string): Digit[] {
  const anything: Interval = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const byKey = new Map(zero.terms.map((t) => [t.key, t]));
  const second = new Set<string>();
  const pairs = new Map<string, Term>();
  for (const term of zero.terms) {
    const other = byKey.get(twin(term.key));
    if (other?.coefficient !== -term.coefficient) continue;
    pairs.set(term.key, other);
    second.add(other.key);
  }
  const digits = zero.terms.flatMap((term): Digit[] => {
    if (second.has(term.key)) return [];
    const [low, high] = ranges.get(term.key) ?? anything;
    const other = pairs.get(term.key);
    if (!other) return [{ terms: [term], weight: term.coefficient, range: [low, high] }];
    const [otherLow, otherHigh] = ranges.get(other.key) ?? anything;
    return [{ terms: [term, other], weight: term.coefficient, range: [low - otherHigh, high - otherLow] }];
  });
  return digits.sort((a, b) => Math.abs(b.weight) - Math.abs(a.weight));
}

/** Constant bounds of variables that single constraints give. */
export function rangesIn(nonnegative: readonly Affine[]): Map<string, Interval> {
  const out = new Map<string, [number, number]>();
  for (const e of nonnegative.flatMap((x) => boundsOf(x, "min"))) {
    const [term] = e.terms;
    if (e.terms.length !== 1 || term.atom.kind !== "var" || Math.abs(term.coefficient) !== 1) continue;
    const range = out.get(term.key) ?? [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
    if (term.coefficient === 1) range[0] = Math.max(range[0], -e.constant);
    else range[1] = Math.min(range[1], e.constant);
    out.set(term.key, range);
  }
  return out;
}

function gcd(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}
