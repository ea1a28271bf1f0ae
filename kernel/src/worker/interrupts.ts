/**
 * Where an interrupt may strike. V8 can terminate JavaScript at any function call and any turn of a loop, and what is
 * terminated runs no `finally`: inside of Node's own code, or ours, that costs messages, modules half loaded, or the
 * process. So the host does not terminate. It has `stop` called, which V8 does in the midst of whatever runs; where that
 * is the reader's code, `stop` terminates it, else the next of the reader's code is terminated when it begins.
 *
 * Reader's code is what runs under `readersCode` and in promise jobs. For what is neither (a loop in
 * `process.nextTick`, in an event's handler) the host terminates by force after a while.
 */
import { Session } from "node:inspector";

const session = new Session();
session.connect();

/** Inside of an evaluation that holds reader's code: a termination ends at its edge. */
let inside = false;
/** Inside of a promise job; a termination ends it and drops the jobs that were to follow. */
let inJob = false;
/** An interrupt waits for reader's code to strike. */
let wanted = false;
/** A termination was ordered and has not struck yet. */
let ordered = false;

/** Code runs that must not be left half done. */
let holding = 0;

/** Called by the host through the inspector, at any moment. @returns what the host should have patience with. */
export function stop(): "held" | undefined {
  if (inside || inJob) order();
  else wanted = true;
  return holding > 0 ? "held" : undefined;
}

/** The interrupt is over: whoever it was meant for has been told. @returns true, for the host to see. */
export function calm(): true {
  wanted = false;
  ordered = false;
  inJob = false;
  holding = 0;
  return true;
}

/**
 * Marks what `evaluate` evaluates synchronously as reader's code. `evaluate` must be an evaluation of the inspector:
 * nothing else holds a termination back.
 */
export function readersCode<T>(evaluate: () => T): T {
  const [before, job] = [inside, inJob];
  inside = true;
  inJob = false;
  const result = evaluate();
  inside = before;
  inJob = job;
  ordered = false;
  return result;
}

/** The first thing and the last thing that is done inside of `readersCode`. */
export function entered(): void {
  if (wanted) order();
  landed();
}

/**
 * A termination that was ordered strikes in this loop at the latest: past the edge it would strike something else.
 * One that has struck elsewhere is forgotten.
 */
export function landed(): void {
  for (let turn = 0; ordered && turn < 1e6; turn++);
  ordered = false;
}

/** Whether an interrupt waits, for code that is about to evaluate a cell. */
export function isInterruptWanted(): boolean {
  return wanted;
}

/** Code that must not be left half done, as the loading of a module. Only a forced termination stops it. */
export function uninterrupted<T>(body: () => T): T {
  const [before, job] = [inside, inJob];
  inside = false;
  inJob = false;
  holding++;
  try {
    return body();
  } finally {
    holding--;
    inside = before;
    inJob = job;
    if (inside || inJob) entered();
  }
}

export function jobBegins(): void {
  inJob = true;
  if (wanted) entered();
}

export function jobEnds(): void {
  if (ordered) landed();
  inJob = false;
}

function order(): void {
  wanted = false;
  ordered = true;
  session.post("Runtime.terminateExecution");
}
