/**
 * Shared state (open tidy scopes, running transformations) changes only while synchronous code runs, and is put back in
 * a `finally`. A kernel's interrupt (V8's TerminateExecution) skips every `finally`. So sections are counted: when the
 * event loop turns, the stack is empty; a section that is then still open was interrupted, and the state is reset.
 */
let open = 0;
let watching = false;
const resets: (() => void)[] = [];

/** Says how to put state back after an interrupt. Called with an empty stack. */
export function onInterrupted(reset: () => void): void {
  resets.push(reset);
}

/** A synchronous section begins; `leaveSection` must follow in a `finally`. */
export function enterSection(): void {
  open++;
  if (!watching) {
    setImmediate(sweep).unref();
    watching = true; // last: an interrupt in between costs one more sweep, not all of them
  }
}

export function leaveSection(): void {
  open--;
}

function sweep(): void {
  watching = false;
  if (open === 0) return;
  open = 0;
  for (const reset of resets) reset();
}
