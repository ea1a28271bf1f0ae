/** The clock of a host's timers of quality of service; tests give one that stands still until it is moved. */

export interface GraphClock {
  /** The time of day: milliseconds since 1970, with fractions. */
  time(): number;
  /** Milliseconds that pass evenly, whatever is done to the time of day. */
  now(): number;
  /** Calls `run` once after `ms`, and keeps no process alive for it; returns what cancels it. */
  after(ms: number, run: () => void): () => void;
}

/** Longest delay that `setTimeout` takes. */
const LONGEST_MS = 2 ** 31 - 1;

/** How far the time of day may be from what is told, in milliseconds: `Date` itself counts whole ones. */
const DRIFT_MS = 2;

let origin = performance.timeOrigin;

export const systemClock: GraphClock = {
  time() {
    const steady = performance.now();
    const day = Date.now();
    // it was set, or the machine slept
    if (Math.abs(origin + steady - day) > DRIFT_MS) origin = day - steady;
    return origin + steady;
  },
  now: () => performance.now(),
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
  constructor(private current = 0) {}

  time(): number {
    return this.current;
  }

  now(): number {
    return this.current;
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.current + Math.max(0, ms), run };
    this.timers.add(timer);
    return () => this.timers.delete(timer);
  }

  /** Moves on by `seconds`; what falls due on the way runs at its time. */
  advance(seconds: number): void {
    const end = this.current + seconds * 1000;
    for (;;) {
      let next: { readonly at: number; readonly run: () => void } | undefined;
      for (const timer of this.timers) if (timer.at <= end && !(next && next.at <= timer.at)) next = timer;
      if (!next) break;
      this.timers.delete(next);
      this.current = Math.max(this.current, next.at);
      next.run();
    }
    this.current = end;
  }
}
