/** Where time comes from below the clocks: the machine, or a time that a test moves by hand. */
import { nanoseconds, seconds } from "./time.js";

export interface TimeBase {
  /** Nanoseconds since 1970; may be set back by the machine's owner. */
  system(): bigint;
  /** Nanoseconds since some start; never goes back. */
  steady(): bigint;
  /** Calls once after `delay` nanoseconds of steady time; returns what prevents that. */
  schedule(delay: bigint, callback: () => void): () => void;
}

/** Node's timers hold at most 2^31 - 1 ms; longer waits go in steps. */
const LONGEST = 2_000_000_000;

/** Milliseconds that the two sources of system time may differ by: `Date` has whole ones. */
const AGREE = 2;
let origin = performance.timeOrigin;

/** Microseconds are `performance`'s; what was set or corrected since the start is `Date`'s. */
function systemTime(): bigint {
  const wall = Date.now();
  let fine = origin + performance.now();
  if (Math.abs(fine - wall) > AGREE) {
    origin += wall - fine;
    fine = wall;
  }
  return BigInt(Math.round(fine * 1e3)) * 1000n;
}

/** The machine's clocks; what is scheduled keeps the process alive, as `setTimeout` does. */
export const machineTime: TimeBase = {
  system: systemTime,
  steady: () => process.hrtime.bigint(),
  schedule(delay, callback) {
    const end = process.hrtime.bigint() + delay;
    let handle: NodeJS.Timeout;
    const step = () => {
      const rest = Number(end - process.hrtime.bigint()) / 1e6;
      // Node may fire a fraction of a millisecond early, never late by design
      if (rest <= 0) callback();
      else handle = setTimeout(step, Math.min(Math.ceil(rest), LONGEST));
    };
    handle = setTimeout(step, Math.min(Math.ceil(Math.max(Number(delay) / 1e6, 0)), LONGEST));
    return () => clearTimeout(handle);
  },
};

interface Scheduled {
  readonly at: bigint;
  readonly callback: () => void;
}

/**
 * A time that stands still until `advance`. Give it to `createNode` as `time`, and timers, sleeps and timeouts of that
 * node wait for it: an hour passes at once, and always alike.
 * @example
 * const time = new ros.VirtualTime();
 * const node = await ros.createNode("talker", { time });
 * let ticks = 0;
 * node.createTimer(1.0, () => ticks++);
 * await time.advance(3);
 * await node.destroy();
 * ticks // 3
 */
export class VirtualTime implements TimeBase {
  #now: bigint;
  readonly #epoch: bigint;
  #queue: Scheduled[] = [];

  /** `start` is the system time, in seconds since 1970, at which it begins. */
  constructor(start = 0) {
    this.#epoch = nanoseconds(start);
    this.#now = 0n;
  }

  system(): bigint {
    return this.#epoch + this.#now;
  }

  steady(): bigint {
    return this.#now;
  }

  schedule(delay: bigint, callback: () => void): () => void {
    const entry = { at: this.#now + (delay > 0n ? delay : 0n), callback };
    // after those of the same time, so that they run in the order they were asked for
    const index = this.#queue.findIndex((other) => other.at > entry.at);
    this.#queue.splice(index < 0 ? this.#queue.length : index, 0, entry);
    return () => {
      const found = this.#queue.indexOf(entry);
      if (found >= 0) this.#queue.splice(found, 1);
    };
  }

  /** Milliseconds since 1970: with {@link now} and {@link after}, what the in-process graph's option `clock` takes. */
  time(): number {
    return Number(this.system()) / 1e6;
  }

  /** Milliseconds of steady time. */
  now(): number {
    return Number(this.#now) / 1e6;
  }

  /** Calls once after `ms` milliseconds; returns what prevents that. */
  after(ms: number, callback: () => void): () => void {
    return this.schedule(BigInt(Math.round(ms * 1e6)), callback);
  }

  /**
   * Moves time forward by `duration` seconds, stopping at each moment something is scheduled for. At each stop the
   * event loop turns until callbacks and messages within this process have run.
   * @throws RangeError if time stands still, as with a timer whose period is 0
   */
  async advance(duration: number): Promise<void> {
    const end = this.#now + nanoseconds(duration);
    let stops = 0;
    await turns();
    for (let next = this.#queue[0]; next !== undefined && next.at <= end; next = this.#queue[0]) {
      this.#queue.shift();
      stops = next.at === this.#now ? stops + 1 : 0;
      if (stops > STOPS)
        throw new RangeError(`time stands still at ${seconds(this.#now)} s: a timer whose period is 0?`);
      this.#now = next.at;
      next.callback();
      await turns();
    }
    this.#now = end;
    await turns();
  }
}

/** Stops at one moment that are believed to be meant. */
const STOPS = 1000;

/** Enough turns for a timer's callback to publish, the message to arrive and its callback to answer. */
const TURNS = 8;

async function turns(): Promise<void> {
  for (let i = 0; i < TURNS; i++) await new Promise((resolve) => setImmediate(resolve));
}
