/** Bells: words of shared memory on which threads sleep. */

/** Wakes whoever sleeps on a bell. */
export function ring(bell: Int32Array): void {
  Atomics.add(bell, 0, 1);
  Atomics.notify(bell, 0);
}
