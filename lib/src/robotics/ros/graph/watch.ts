/** Notices that something has not happened for a while: the timer behind deadlines, liveliness and leases. */
import type { GraphClock } from "./clock.js";

export class Watch {
  private last = 0;
  private cancel: (() => void) | null = null;
  private readonly period: number;

  /**
   * @param seconds `Infinity`: nothing is watched
   * @param onMiss how many periods passed without a `touch`; a watch that doesn't repeat sleeps until the next one
   */
  constructor(
    private readonly clock: GraphClock,
    seconds: number,
    private readonly onMiss: (periods: number) => void,
    private readonly repeats: boolean,
  ) {
    this.period = seconds * 1000;
  }

  /** It happened. */
  touch(): void {
    if (this.period === Number.POSITIVE_INFINITY) return;
    this.last = this.clock.now();
    if (this.cancel === null) this.arm(this.period);
  }

  stop(): void {
    this.cancel?.();
    this.cancel = null;
  }

  /** A timer is set once a period, not once a `touch`: it looks how long ago the last one was. */
  private arm(ms: number): void {
    this.cancel = this.clock.after(ms, () => {
      this.cancel = null;
      const now = this.clock.now();
      const left = this.last + this.period - now;
      if (left > 0) return this.arm(left);
      const periods = this.period > 0 ? Math.max(1, Math.floor((now - this.last) / this.period)) : 1;
      this.last += periods * this.period;
      if (this.repeats) this.arm(Math.max(1, this.last + this.period - now));
      this.onMiss(periods);
    });
  }
}
