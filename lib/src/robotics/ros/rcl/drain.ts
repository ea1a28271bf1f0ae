/** Taking what has come: all of it, but not so long that nothing else gets a turn. */

/** Messages taken in one turn of the event loop. */
const MOST = 256;

/**
 * A listener that calls `take` until it says that nothing is left, and goes on in a later turn after `MOST`.
 * @param take false: nothing was there, or no more is wanted
 */
export function drain(take: () => boolean): () => void {
  let isWaiting = false;
  const run = (): void => {
    if (isWaiting) return;
    for (let count = 0; count < MOST; count++) if (!take()) return;
    isWaiting = true;
    setImmediate(() => {
      isWaiting = false;
      run();
    });
  };
  return run;
}
