/** Expectations: what a test states about an answer. A failure names what was given and what was expected. */
import { isTensorLike } from "../wire/tensor.js";
import { type CloseOptions, closeFailure, numbersOf } from "./close.js";
import { firstDifference, show } from "./difference.js";
import { type ComparedNumbers, comparedNumbers } from "./numbers.js";
import { countExpectation } from "./scope.js";
import { StudentError } from "./student.js";

/** What was given and what was expected, as text, and as numbers where both are numbers of one shape. */
export interface Comparison {
  got: string;
  expected: string;
  numbers?: ComparedNumbers;
}

/** A statement about the answer that does not hold: costs the test's points and is shown to the learner. */
export class ExpectationError extends Error {
  override readonly name = "ExpectationError";
  constructor(
    message: string,
    /** For a report that puts them side by side. */
    readonly comparison?: Comparison,
  ) {
    super(message);
  }
}

/** What `expectThrows` accepts. A text must be contained in the message. */
export type ErrorPattern = RegExp | string | { name?: string; message?: RegExp | string };

/**
 * Deep and exact. NaN equals NaN, 0 equals -0; a typed array is not an array; Maps and Sets by content, in any
 * order; instances (handles) are equal only to themselves.
 * @throws ExpectationError with the path of the first difference
 */
export function expectEqual(got: unknown, expected: unknown, label?: string): void {
  countExpectation();
  refusePromise(got);
  const difference = firstDifference(got, expected);
  if (!difference) return;
  const where = difference.path === "" ? "" : ` (first difference at ${difference.path})`;
  throw new ExpectationError(
    `${prefix(label)}got ${difference.got}, expected ${difference.expected}${where}`,
    compared(got, expected),
  );
}

/**
 * Numbers that agree within `atol + rtol·|expected|`, element by element: numbers, nested arrays, typed arrays and
 * tensors in any mixture; the shapes must be the same.
 * @throws ExpectationError with the number of differing elements, the largest difference and where it is
 */
export function expectClose(
  got: unknown,
  expected: unknown,
  options: CloseOptions & { label?: string } = {},
): void {
  countExpectation();
  refusePromise(got);
  const failure = closeFailure(got, expected, options);
  if (failure === undefined) return;
  throw new ExpectationError(prefix(options.label) + failure, compared(got, expected));
}

/** The shape of a tensor, a typed array or nested arrays. @throws ExpectationError */
export function expectShape(got: unknown, shape: readonly number[], label?: string): void {
  countExpectation();
  refusePromise(got);
  const actual = isObject(got) && isTensorLike(got) ? [...got.shape] : shapeOf(got);
  if (actual.length === shape.length && actual.every((dim, i) => dim === shape[i])) return;
  throw new ExpectationError(
    `${prefix(label)}got shape (${actual.join(", ")}), expected (${shape.join(", ")})`,
  );
}

/** @throws ExpectationError with `message`, which says what should hold */
export function expectTrue(condition: unknown, message: string): void {
  countExpectation();
  refusePromise(condition);
  if (condition !== true) throw new ExpectationError(`expected: ${message}`);
}

/**
 * The student's code must throw, and the right error: an untouched stub, a missing name and a time-out never count.
 * @throws ExpectationError if it returns, or throws something else
 */
export async function expectThrows(
  action: () => Promise<unknown>,
  pattern: ErrorPattern,
  label?: string,
): Promise<void> {
  countExpectation();
  let value: unknown;
  try {
    value = await action();
  } catch (error) {
    if (!(error instanceof StudentError) || error.kind !== "thrown" || error.isStub) throw error;
    if (matches(error, pattern)) return;
    throw new ExpectationError(
      `${prefix(label)}got the error ${error.thrownName}: ${error.thrownMessage}, expected one that matches ${describe(pattern)}`,
    );
  }
  throw new ExpectationError(
    `${prefix(label)}expected an error that matches ${describe(pattern)}, got the value ${show(value, 300)}`,
  );
}

/** Ends the test as failed. */
export function fail(message: string): never {
  countExpectation();
  throw new ExpectationError(message);
}

function compared(got: unknown, expected: unknown): Comparison {
  const numbers = comparedNumbers(got, expected);
  return { got: show(got, 2000), expected: show(expected, 2000), ...(numbers && { numbers }) };
}

function matches(error: StudentError, pattern: ErrorPattern): boolean {
  if (pattern instanceof RegExp) return pattern.test(error.thrownMessage);
  if (typeof pattern === "string") return error.thrownMessage.includes(pattern);
  if (pattern.name !== undefined && pattern.name !== error.thrownName) return false;
  return pattern.message === undefined || matches(error, pattern.message);
}

function describe(pattern: ErrorPattern): string {
  if (pattern instanceof RegExp) return String(pattern);
  if (typeof pattern === "string") return JSON.stringify(pattern);
  return [pattern.name, pattern.message === undefined ? undefined : describe(pattern.message)]
    .filter(Boolean)
    .join(": ");
}

function shapeOf(value: unknown): number[] {
  try {
    return numbersOf(value).shape;
  } catch (error) {
    throw new ExpectationError((error as Error).message);
  }
}

function refusePromise(value: unknown): void {
  if (value instanceof Promise)
    throw new ExpectationError("got a Promise: write await before student.… in the test");
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}

function prefix(label: string | undefined): string {
  return label === undefined ? "" : `${label}: `;
}
