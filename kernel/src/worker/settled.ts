/**
 * Whether what cells have put off for the end of the current callback (`process.nextTick`, promise jobs) had its turn. An
 * interrupt is over only then: a termination that strikes a callback after the reader's code leaves it standing, to
 * begin with the next callback, and it may be a loop that nothing ends once the host believes that all is still.
 */
const { nextTick } = process; // the reader may put another one in its place

let settled: number | undefined;

/** @returns whether what stood before an earlier call with this `token` has run; a callback that ended is between them. */
export function isSettled(token: number): boolean {
  if (settled === token) return true;
  nextTick(() =>
    queueMicrotask(() => {
      settled = token;
    }),
  );
  return false;
}
