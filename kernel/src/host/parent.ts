/** A kernel whose client is gone ends too: nobody else can reach it. */

const EVERY_MS = 1_000;

/**
 * Calls `orphaned` when the process that started this one has ended. Only for a client that asks for it as Jupyter's do, by
 * `JPY_PARENT_PID` in the environment: who starts a kernel for later wants it to stay.
 */
export function watchParent(orphaned: () => void): void {
  if (process.env.JPY_PARENT_PID === undefined) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(timer);
    orphaned();
  }, EVERY_MS);
  timer.unref();
}
