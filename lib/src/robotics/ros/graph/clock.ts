/** The clock of a host's timers of quality of service; tests give one that stands still until it is moved. */

export interface GraphClock {
  /** Milliseconds since 1970, with fractions. */
  now(): number;
  /** Calls `run` once after `ms`, and keeps no process alive for it; returns what cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** Longest delay that `setTimeout` takes. */
const LONGEST_MS = 2 ** 31 - 1;

export const systemClock: GraphClock = {
  now: () => performance.timeOrigin + performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(Math.ceil(ms), LONGEST_MS)).unref();
    return () => clearTimeout(timer);
  },
};

/**
 * A clock that stands still until `advance`.
 * @example
 * const clock = new VirtualClock();
 * clock.after(1000, () => console.log("a second later"));
 * clock.advance(1); // seconds
 */
export class VirtualClock implements GraphClock {
  private readonly timers = new Set<{ readonly at: number; readonly run: () => void }>();

  /** @param time milliseconds since 1970 */
  constructor(private time = 0) {}

  now(): number {
    return this.time;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.time + Math.max(0, ms), run };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  /** Moves on by `seconds`; what falls due on the way runs at its time. */
  advance(seconds: number): void {
    const end = this.time + seconds * 1000;
    for (;;) {
      let next: { readonly at: number; readonly run: () => void } | undefined;
      for (const timer of this.timers) if (timer.at <= end && !(next && next.at <= timer.at)) next = timer;
      if (!next) break;
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.run();
    }
    this.time = end;
  }
}
