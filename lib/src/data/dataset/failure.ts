/** Calls of a user's function on one element: its random numbers, and what happens when it throws. */
import { MlsysError, ValueError } from "../../core/errors.js";
import { WordStream } from "../../core/random.js";
import { isPromise, type Maybe } from "./maybe.js";
import type { Call, ErrorPolicy, FailureCount } from "./node.js";

/** What a call gives whose element a policy leaves out. */
export const SKIPPED: unique symbol = Symbol("skipped");

/** Who hears of failures that a policy let pass. */
export type NoteFailure = (what: keyof FailureCount) => void;

export const textOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** An element's function failed: which op, which element. */
export class ElementError extends MlsysError {
  override name = "ElementError";

  constructor(
    /** "map(decode)" */
    readonly op: string,
    /** Position among the elements that the op was given, from 0. */
    readonly element: number,
    cause: unknown,
  ) {
    super(`dataset: ${op} failed at element ${element}: ${textOf(cause)}`, { cause });
  }
}

/** Numbers of one element's own, whoever computes it. */
export const randomOf = (seed: number, epoch: number, index: number): WordStream =>
  new WordStream([seed, epoch], index + 1); // lane 0 is the shuffles'

/**
 * Calls `f` with the element, its index and its random numbers, as often as the policy wants.
 * @throws what `f` throws
 */
export function attempt(
  { f, seed, onError }: Pick<Call, "f" | "seed" | "onError">,
  item: unknown,
  index: number,
  epoch: number,
  note: NoteFailure,
): Maybe<unknown> {
  const call = (): unknown => (f.length > 2 ? f(item, index, randomOf(seed, epoch, index)) : f(item, index));
  if (onError === "fail") return call();
  return tryAgain(call, typeof onError === "object" ? onError.retry : 0, onError, note);
}

function tryAgain(call: () => unknown, left: number, policy: ErrorPolicy, note: NoteFailure): Maybe<unknown> {
  const failed = (error: unknown): Maybe<unknown> => {
    if (left > 0) {
      note("retried");
      return tryAgain(call, left - 1, policy, note);
    }
    if ((typeof policy === "object" ? policy.otherwise : policy) !== "skip") throw error;
    note("skipped");
    return SKIPPED;
  };
  let result: unknown;
  try {
    result = call();
  } catch (error) {
    return failed(error);
  }
  return isPromise(result) ? result.then((value) => value, failed) : result;
}

/** Counts into the walk's table. */
export function counter(failures: Map<string, FailureCount>, name: string): NoteFailure {
  return (what) => {
    const count = failures.get(name) ?? { skipped: 0, retried: 0 };
    failures.set(name, count);
    count[what]++;
  };
}

export function checkPolicy(where: string, policy: ErrorPolicy): ErrorPolicy {
  const known =
    policy === "fail" ||
    policy === "skip" ||
    (typeof policy === "object" && policy !== null && Number.isInteger(policy.retry) && policy.retry >= 1);
  if (!known)
    throw new ValueError(
      `dataset: ${where} wants onError "fail", "skip" or { retry: from 1 }, got ${JSON.stringify(policy)}`,
    );
  return policy;
}
