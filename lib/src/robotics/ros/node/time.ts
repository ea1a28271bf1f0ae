/** Points in time: nanoseconds of some clock, as `builtin_interfaces/msg/Time` carries them. Durations are seconds. */

/** `builtin_interfaces/msg/Time` and `Duration`. */
export interface TimeMessage {
  sec: number;
  nanosec: number;
}

const BILLION = 1_000_000_000n;

/** Seconds as nanoseconds, rounded. @throws RangeError if `seconds` is not finite */
export function nanoseconds(seconds: number): bigint {
  if (!Number.isFinite(seconds))
    throw new RangeError(`a duration is a finite number of seconds, not ${seconds}`);
  const whole = Math.trunc(seconds);
  return BigInt(whole) * BILLION + BigInt(Math.round((seconds - whole) * 1e9));
}

/** Nanoseconds as seconds. */
export const seconds = (ns: bigint): number => Number(ns / BILLION) + Number(ns % BILLION) / 1e9;

/**
 * A point in time; immutable.
 * @example
 * const start = ros.Time.fromSeconds(1.5);
 * start.add(0.25).since(start) // 0.25
 */
export class Time {
  private constructor(
    /** Since 1970 for ROS and system time; since some start for steady time. */
    readonly nanoseconds: bigint,
  ) {}

  static fromNanoseconds(ns: bigint): Time {
    return new Time(ns);
  }

  /** @throws RangeError if not finite */
  static fromSeconds(s: number): Time {
    return new Time(nanoseconds(s));
  }

  static fromMessage(message: Readonly<TimeMessage>): Time {
    return new Time(BigInt(message.sec) * BILLION + BigInt(message.nanosec));
  }

  get seconds(): number {
    return seconds(this.nanoseconds);
  }

  /** This time moved by a duration in seconds, which may be negative. */
  add(duration: number): Time {
    return new Time(this.nanoseconds + nanoseconds(duration));
  }

  /** Seconds from `earlier` to this. */
  since(earlier: Time): number {
    return seconds(this.nanoseconds - earlier.nanoseconds);
  }

  /** Negative, 0 or positive, for sorting. */
  compare(other: Time): number {
    return this.nanoseconds < other.nanoseconds ? -1 : this.nanoseconds > other.nanoseconds ? 1 : 0;
  }

  /** Fields of `builtin_interfaces/msg/Time`: `nanosec` is in 0 … 999,999,999, also before 1970. */
  toMessage(): TimeMessage {
    return timeMessage(this.nanoseconds);
  }

  toString(): string {
    const { sec, nanosec } = this.toMessage();
    return `${sec}.${String(nanosec).padStart(9, "0")}`;
  }
}

function timeMessage(ns: bigint): TimeMessage {
  const nanosec = ((ns % BILLION) + BILLION) % BILLION;
  return { sec: Number((ns - nanosec) / BILLION), nanosec: Number(nanosec) };
}

/**
 * Fields of `builtin_interfaces/msg/Duration`, of seconds.
 * @throws RangeError if not finite
 * @example ros.durationMessage(1.5).nanosec // 500000000
 */
export const durationMessage = (duration: number): TimeMessage => timeMessage(nanoseconds(duration));

/**
 * Seconds of a `builtin_interfaces/msg/Duration`.
 * @example ros.durationSeconds({ sec: 1, nanosec: 500_000_000 }) // 1.5
 */
export const durationSeconds = (message: Readonly<TimeMessage>): number =>
  message.sec + message.nanosec / 1e9;
