/** Timers: callbacks in equal steps of a clock, without drift, as rcl's. */
import type { CallbackGroup, Entity, Owner } from "./callback-group.js";
import { type Clock, periodNanoseconds } from "./clock.js";
import { seconds } from "./time.js";

/** Beside each call of a timer's callback; nanoseconds of its clock. */
export interface TimerInfo {
  /** When the call was due. */
  readonly expected: bigint;
  readonly actual: bigint;
}

export type TimerCallback = (info: TimerInfo) => unknown;

/**
 * Calls in steps of a period. Calls are due at multiples of the period from the start, however late a call was; those
 * that a slow callback made impossible are skipped, not made up for.
 */
export class Timer implements Entity, Disposable {
  #period: bigint;
  #next: bigint;
  #last: bigint;
  #ready = false;
  #canceled = false;
  #stop: (() => void) | undefined;
  readonly #unhook: () => void;

  /** @internal */
  constructor(
    private readonly owner: Owner,
    readonly clock: Clock,
    period: number,
    private readonly callback: TimerCallback,
    readonly group: CallbackGroup,
    autostart: boolean,
  ) {
    this.#period = periodNanoseconds(period);
    this.#last = clock.nanoseconds();
    this.#next = this.#last + this.#period;
    this.#unhook = clock.onJump((jump) => this.#jumped(jump.clockChange !== "none"));
    if (autostart) this.#arm();
    else this.#canceled = true;
  }

  /** Seconds. */
  get period(): number {
    return seconds(this.#period);
  }

  /** Takes effect after the next call, or with {@link reset}. @throws RangeError if negative or not finite */
  set period(period: number) {
    this.#period = periodNanoseconds(period);
  }

  get isCanceled(): boolean {
    return this.#canceled;
  }

  /** Seconds to the next call; negative if it is late, `Infinity` if the timer is canceled. */
  get timeUntilNextCall(): number {
    return this.#canceled ? Infinity : seconds(this.#next - this.clock.nanoseconds());
  }

  /** Seconds since the last call, or since the start. */
  get timeSinceLastCall(): number {
    return seconds(this.clock.nanoseconds() - this.#last);
  }

  /** No more calls until {@link reset}. */
  cancel(): void {
    this.#canceled = true;
    this.#ready = false;
    this.#stop?.();
  }

  /** Begins anew: the next call is one period from now. */
  reset(): void {
    this.#canceled = false;
    this.#ready = false;
    this.#next = this.clock.nanoseconds() + this.#period;
    this.#arm();
  }

  /** Cancels it for good. */
  destroy(): void {
    this.cancel();
    this.#unhook();
    this.owner.forget(this);
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /** @internal */
  wake(): void {
    this.owner.wake(this);
  }

  /** @internal */
  isReady(): boolean {
    return this.#ready;
  }

  /** @internal */
  take(): (() => unknown) | undefined {
    if (!this.#ready) return undefined;
    this.#ready = false;
    const now = this.clock.nanoseconds();
    const info = { expected: this.#next, actual: now };
    this.#last = now;
    // from when it was due, not from now: else every delay would add up
    this.#next += this.#period;
    if (this.#next < now) {
      if (this.#period === 0n) this.#next = now;
      else this.#next += ((now - this.#next + this.#period - 1n) / this.#period) * this.#period;
    }
    this.#arm();
    return () => this.callback(info);
  }

  /** @internal */
  fail(error: unknown): void {
    this.owner.report(error, `timer of ${this.period} s`);
  }

  #arm(): void {
    this.#stop?.();
    this.#stop = this.clock.callAt(this.#next, () => {
      if (this.#canceled) return;
      this.#ready = true;
      this.wake();
    });
  }

  /** As rcl: another source of time, or time set back by more than a period, begins anew. */
  #jumped(sourceChanged: boolean): void {
    const now = this.clock.nanoseconds();
    if (!sourceChanged && now >= this.#last) return;
    this.#last = now;
    this.#next = now + this.#period;
    if (!this.#canceled && !this.#ready) this.#arm();
  }
}
