/** Taking what has come: all of it, but not so long that nothing else gets a turn. */

/** Taken in one turn of the event loop. */
const MOST = 256;

/**
 * A listener that takes as often as something came, and until nothing is left; after `MOST` in a later turn.
 * @param take false: nothing was there for this end. More may be: a client's queue has other clients' answers too.
 */
export function drain(take: () => boolean): (count: number) => void {
  let owed = 0;
  let isWaiting = false;
  const run = (): void => {
    for (let turn = 0; turn < MOST; turn++) {
      const taken = take();
      if (owed > 0) owed--;
      else if (!taken) return;
    }
    isWaiting = true;
    setImmediate(() => {
      isWaiting = false;
      run();
    });
  };
  return (count) => {
    owed += count;
    if (!isWaiting) run();
  };
}
