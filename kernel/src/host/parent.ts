/** A kernel whose client is gone ends too: nobody else can reach it. */

const EVERY_MS = 1_000;

/**
 * Calls `orphaned` when the process that started this one has ended. Only for a client that asks for it as Jupyter's do, by
 * `JPY_PARENT_PID` in the environment: who starts a kernel for later wants it to stay.
 */
export function watchParent(orphaned: () => void): void {
  const named = Number(process.env.JPY_PARENT_PID);
  if (!Number.isInteger(named) || named < 1) return;
  const parent = process.ppid;
  const timer = setInterval(() => {
    // It may have ended before we looked for the first time.
    if (process.ppid === parent && (parent !== 1 || exists(named))) return;
    clearInterval(timer);
    orphaned();
  }, EVERY_MS);
  timer.unref();
}

function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // another user's
  }
}
