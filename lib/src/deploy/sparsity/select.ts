/** Which elements go: the pure part of pruning, on numbers. */
import { ValueError } from "../../core/errors.js";

/** A share of what is left (0 to 1), or a count. */
export type Amount = number | { readonly count: number };

/** How many of `total` an amount is; shares are rounded half to even, as in PyTorch. @throws ValueError for none. */
export function countOf(amount: Amount, total: number): number {
  if (typeof amount === "number") {
    if (!(amount >= 0 && amount <= 1))
      throw new ValueError(
        `prune: a share is between 0 and 1, got ${amount}; for a number of elements give { count }`,
      );
    const exact = amount * total;
    const down = Math.floor(exact);
    if (exact - down !== 0.5) return Math.round(exact);
    return down % 2 === 0 ? down : down + 1;
  }
  const { count } = amount;
  if (!Number.isInteger(count) || count < 0 || count > total)
    throw new ValueError(`prune: ${count} is no count among ${total} that are left`);
  return count;
}

/**
 * Places of the `count` least scores among `places` (default: all); of equal ones, the first.
 * @throws ValueError for a score that is no number.
 */
export function leastOf(scores: ArrayLike<number>, count: number, places?: ArrayLike<number>): Int32Array {
  const among = places ?? Int32Array.from({ length: scores.length }, (_, i) => i);
  if (count === 0) return new Int32Array(0);
  const sorted = new Float64Array(among.length);
  for (let i = 0; i < among.length; i++) sorted[i] = scores[among[i]];
  if (sorted.some(Number.isNaN)) throw new ValueError("prune: a score is NaN");
  sorted.sort();
  const limit = sorted[count - 1];
  let equal = count; // how many that equal the limit go
  for (let i = 0; i < count && sorted[i] < limit; i++) equal--;
  const out = new Int32Array(count);
  let n = 0;
  for (let i = 0; i < among.length && n < count; i++) {
    const score = scores[among[i]];
    if (score < limit || (score === limit && equal-- > 0)) out[n++] = among[i];
  }
  return out;
}

/**
 * A mask that keeps the `keep` greatest scores of each `of` neighbours along an axis; of equal ones, the first.
 * @throws ValueError where groups do not fill the axis.
 */
export function groupMask(
  scores: ArrayLike<number>,
  shape: readonly number[],
  { keep, of, axis }: { readonly keep: number; readonly of: number; readonly axis: number },
): Uint8Array {
  const size = shape[axis];
  if (!Number.isInteger(of) || !Number.isInteger(keep) || of < 1 || keep < 0 || keep > of)
    throw new ValueError(`prune: ${keep} of ${of} is no pattern`);
  if (size % of !== 0)
    throw new ValueError(`prune: axis ${axis} has ${size} elements, which groups of ${of} do not fill`);
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const mask = new Uint8Array(scores.length).fill(1);
  const places = new Int32Array(of);
  const outer = scores.length / (size * inner);
  for (let o = 0; o < outer; o++)
    for (let g = 0; g < size; g += of)
      for (let i = 0; i < inner; i++) {
        // backwards, so that of equal ones the last go
        for (let k = 0; k < of; k++) places[k] = (o * size + g + of - 1 - k) * inner + i;
        for (const place of leastOf(scores, of - keep, places)) mask[place] = 0;
      }
  return mask;
}

/** p-norms of the slices of an array along an axis. p: any positive number, or Infinity. */
export function sliceNorms(
  values: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  p: number,
): Float64Array {
  if (!(p > 0)) throw new ValueError(`prune: there is no norm of order ${p}`);
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const norms = new Float64Array(shape[axis]);
  for (let i = 0; i < values.length; i++) {
    const slice = Math.floor(i / inner) % norms.length;
    const x = Math.abs(values[i]);
    if (p === Number.POSITIVE_INFINITY) norms[slice] = Math.max(norms[slice], x);
    else norms[slice] += p === 1 ? x : p === 2 ? x * x : x ** p;
  }
  return p === Number.POSITIVE_INFINITY || p === 1 ? norms : norms.map((sum) => sum ** (1 / p));
}
