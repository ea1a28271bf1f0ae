/**
 * The three clocks of ROS 2: system time, steady time, and ROS time, which is system time until a node uses simulated
 * time, then what `/clock` says.
 */
import { NodeDestroyedError } from "./errors.js";
import { nanoseconds, seconds, Time } from "./time.js";
import { machineTime, type TimeBase } from "./time-base.js";

export type ClockType = "ros" | "system" | "steady";

/** A change of a clock that is no ordinary passing of time. */
export interface TimeJump {
  /** Whether the source changed: to simulated time, or away from it. */
  readonly clockChange: "activated" | "deactivated" | "none";
  /** Seconds moved; negative is back. */
  readonly delta: number;
}

export interface JumpOptions {
  /** Call for jumps forward of at least so many seconds; `Infinity` never. @default 0 */
  readonly forward?: number;
  /** Call for jumps back of at least so many seconds. @default 0 */
  readonly backward?: number;
  /** Call when the source changes. @default true */
  readonly onClockChange?: boolean;
}

interface Pending {
  readonly at: bigint;
  readonly callback: () => void;
  cancel?: () => void;
  /** Of simulated time: its turn of the event loop has been asked for. */
  isDue?: boolean;
}

/**
 * Tells time, and wakes who waits for it.
 * @example
 * const node = await ros.createNode("sleeper");
 * node.clock.onJump((jump) => node.logger.warn(`time went back ${-jump.delta} s`), { forward: Infinity });
 * await node.clock.sleep(0.01); // of the node's time, simulated or not
 * await node.destroy();
 */
export class Clock {
  #override: bigint | undefined;
  #closed: Error | undefined;
  readonly #pending = new Set<Pending>();
  readonly #jumps = new Set<(jump: TimeJump) => void>();
  readonly #closers = new Set<(error: Error) => void>();

  constructor(
    readonly type: ClockType = "ros",
    private readonly base: TimeBase = machineTime,
  ) {}

  /** Whether this clock shows simulated time. */
  get isSimulated(): boolean {
    return this.#override !== undefined;
  }

  now(): Time {
    return Time.fromNanoseconds(this.nanoseconds());
  }

  /** As {@link now}, bare. */
  nanoseconds(): bigint {
    return this.#override ?? (this.type === "steady" ? this.base.steady() : this.base.system());
  }

  /**
   * Resolves after `duration` seconds of this clock.
   * @throws NodeDestroyedError if the clock's node is destroyed meanwhile; the signal's reason if that is aborted
   */
  sleep(duration: number, options: { signal?: AbortSignal } = {}): Promise<void> {
    return this.sleepUntil(this.now().add(duration), options);
  }

  /**
   * Resolves when this clock shows `time` or later; at once if it does already.
   * @throws NodeDestroyedError if the clock's node is destroyed meanwhile; the signal's reason if that is aborted
   */
  sleepUntil(time: Time, { signal }: { signal?: AbortSignal } = {}): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(this.#closed);
      if (signal?.aborted) return reject(signal.reason);
      const ends: (() => void)[] = [];
      const settle = (how: () => void) => {
        for (const end of ends) end();
        how();
      };
      ends.push(this.callAt(time.nanoseconds, () => settle(resolve)));
      ends.push(this.#onClose((error) => settle(() => reject(error))));
      const aborted = () => settle(() => reject(signal!.reason));
      signal?.addEventListener("abort", aborted);
      ends.push(() => signal?.removeEventListener("abort", aborted));
    });
  }

  /** Calls once, as soon as this clock shows `at` (nanoseconds) or later; returns what prevents that. */
  callAt(at: bigint, callback: () => void): () => void {
    const pending: Pending = { at, callback };
    this.#pending.add(pending);
    this.#arm(pending);
    return () => this.#drop(pending);
  }

  /**
   * Calls after jumps: each step of simulated time is one, and each change to and from it; `forward` and `backward` tell
   * which matter. Returns what ends it.
   */
  onJump(
    listener: (jump: TimeJump) => void,
    { forward = 0, backward = 0, onClockChange = true }: JumpOptions = {},
  ): () => void {
    const filtered = (jump: TimeJump) => {
      const wanted =
        jump.clockChange !== "none"
          ? onClockChange
          : jump.delta > 0
            ? jump.delta >= forward
            : jump.delta < 0 && -jump.delta >= backward;
      if (wanted) listener(jump);
    };
    this.#jumps.add(filtered);
    return () => this.#jumps.delete(filtered);
  }

  /** @internal Sets simulated time (nanoseconds), or ends it with undefined. @throws TypeError unless this is a ROS clock */
  setOverride(ns: bigint | undefined): void {
    if (this.type !== "ros") throw new TypeError(`a ${this.type} clock can't show simulated time`);
    const before = this.nanoseconds();
    const was = this.isSimulated;
    this.#override = ns;
    const changed = was !== this.isSimulated;
    const delta = seconds(this.nanoseconds() - before);
    if (changed || delta !== 0)
      for (const listener of [...this.#jumps])
        listener({ clockChange: !changed ? "none" : was ? "deactivated" : "activated", delta });
    for (const pending of [...this.#pending]) if (this.#pending.has(pending)) this.#arm(pending);
  }

  #onClose(closer: (error: Error) => void): () => void {
    this.#closers.add(closer);
    return () => this.#closers.delete(closer);
  }

  /** @internal Ends every wait. */
  close(error: Error = new NodeDestroyedError("the clock's node was destroyed")): void {
    this.#closed = error;
    for (const closer of [...this.#closers]) closer(error);
    for (const pending of [...this.#pending]) this.#drop(pending);
    this.#jumps.clear();
  }

  #arm(pending: Pending): void {
    const rest = pending.at - this.nanoseconds();
    // its turn has been asked for: time that goes on in every turn must not put it off for ever
    if (this.isSimulated && rest <= 0n && pending.isDue) return;
    pending.cancel?.();
    pending.cancel = undefined;
    pending.isDue = false;
    if (this.isSimulated) {
      // never at once: the caller of callAt must have its answer first
      if (rest <= 0n) {
        const handle = setImmediate(() => {
          pending.isDue = false;
          this.#fire(pending);
        });
        pending.isDue = true;
        pending.cancel = () => clearImmediate(handle);
      }
    } else pending.cancel = this.base.schedule(rest > 0n ? rest : 0n, () => this.#fire(pending));
  }

  #fire(pending: Pending): void {
    // the system's clock may have been set back since
    if (pending.at > this.nanoseconds()) {
      this.#arm(pending);
      return;
    }
    this.#drop(pending);
    pending.callback();
  }

  #drop(pending: Pending): void {
    pending.cancel?.();
    this.#pending.delete(pending);
  }
}

/** Nanoseconds of a period in seconds. @throws RangeError unless it is a number of at least 0 */
export function periodNanoseconds(period: number): bigint {
  if (typeof period !== "number" || !(period >= 0) || period === Infinity)
    throw new RangeError(`a timer's period is a number of seconds of at least 0, not ${period}`);
  return nanoseconds(period);
}
