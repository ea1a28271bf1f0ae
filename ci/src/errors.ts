/** Errors that a person is meant to read: each says what was given, what was expected and what to do. */

/** What is wrong with a file that was handed in or written by an author. */
export type InputProblem =
  | "missing"
  | "unreadable"
  | "empty"
  | "too-large"
  | "not-json"
  | "not-a-notebook"
  | "wrong-kernel"
  | "unknown-assignment"
  | "duplicate-grade-id"
  | "missing-answers"
  | "duplicate-student"
  | "bad-archive"
  | "bad-settings";

/** A file that can't be graded. It costs only its own author: a batch goes on. */
export class InputError extends Error {
  override readonly name = "InputError";
  constructor(
    readonly problem: InputProblem,
    message: string,
  ) {
    super(message);
  }
}

/** A mistake in an assignment's source: reported to its author by `generate` and `validate`. */
export class AuthoringError extends Error {
  override readonly name = "AuthoringError";
}

/** The grader or its surroundings failed (no kernel, broken test source): never a learner's fault, never a silent 0. */
export class GraderError extends Error {
  override readonly name = "GraderError";
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
