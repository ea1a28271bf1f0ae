/**
 * Noticing that the code which waits for threads was interrupted. A kernel abandons an interrupted cell: its promises
 * are never looked at again, and its timers no longer fire. Threads would go on for nobody.
 */

/** Milliseconds. */
const TICK = 200;
const LOOK = 1000;

/**
 * Calls `gone` once the caller's timers have stopped firing, while other timers fire.
 * @returns what ends the watch
 */
export function whenInterrupted(gone: () => void): () => void {
  let ticks = 0;
  let watching = true;
  const timer = setInterval(() => {
    ticks++;
  }, TICK);
  timer.unref();
  const look = (): void => {
    if (!watching) return;
    if (ticks === 0) {
      watching = false;
      clearInterval(timer);
      gone();
      return;
    }
    ticks = 0;
    next();
  };
  // not one of the caller's timers: it fires whatever becomes of those
  const next = (): void => AbortSignal.timeout(LOOK).addEventListener("abort", look, { once: true });
  next();
  return () => {
    watching = false;
    clearInterval(timer);
  };
}
