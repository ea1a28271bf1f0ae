/** Times of transforms: nanoseconds, since 1970 or since the start of simulated time. */

/** `builtin_interfaces/msg/Time`. */
export interface Stamp {
  readonly sec: number;
  readonly nanosec: number;
}
/** Nanoseconds, or a message's stamp; 0 means "the newest that there is". */
export type TimeLike = bigint | Stamp;

const SECOND = 1_000_000_000n;

export const toNanoseconds = (time: TimeLike): bigint =>
  typeof time === "bigint" ? time : BigInt(time.sec) * SECOND + BigInt(time.nanosec);

export const toStamp = (nanoseconds: bigint): Stamp => ({
  sec: Number(nanoseconds / SECOND),
  nanosec: Number(nanoseconds % SECOND),
});

/** Seconds as nanoseconds, to the nearest. */
export const nanosecondsOf = (seconds: number): bigint => BigInt(Math.round(seconds * 1e9));

/** "12.500000000", for messages. */
export const showTime = (nanoseconds: bigint): string =>
  `${nanoseconds / SECOND}.${String(nanoseconds % SECOND).padStart(9, "0")}`;
