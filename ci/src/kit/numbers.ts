/** The numbers behind a comparison that failed, small enough for a report to draw them. */
import { numbersOf } from "./close.js";

/** Larger arrays are compared, but not drawn. */
const MAX_ELEMENTS = 1_024;
/** float32 has no more; a drawing shows fewer. */
const DIGITS = 7;

/** JSON has no NaN and no infinity: these stand as text. */
export type PlainNumber = number | "NaN" | "Infinity" | "-Infinity";

export interface ComparedNumbers {
  /** Of both. */
  shape: number[];
  /** Row-major. */
  got: PlainNumber[];
  expected: PlainNumber[];
}

/** `undefined` unless both are numbers of one shape with at least one axis, and not too many. */
export function comparedNumbers(got: unknown, expected: unknown): ComparedNumbers | undefined {
  try {
    const [have, want] = [numbersOf(got), numbersOf(expected)];
    const size = want.values.length;
    if (want.shape.length === 0 || size < 2 || size > MAX_ELEMENTS) return undefined;
    if (have.shape.join() !== want.shape.join() || have.values.length !== size) return undefined;
    return { shape: want.shape, got: plain(have.values), expected: plain(want.values) };
  } catch {
    return undefined; // not numbers
  }
}

function plain(values: ArrayLike<number>): PlainNumber[] {
  return Array.from(values, (value) =>
    Number.isFinite(value) ? Number(value.toPrecision(DIGITS)) : (String(value) as PlainNumber),
  );
}
