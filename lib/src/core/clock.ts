/**
 * Milliseconds on a clock that all threads of a process share, so that what they did can be shown together.
 * @example data.clock() <= data.clock() // true
 */
export function clock(): number {
  return performance.timeOrigin + performance.now();
}
