/** Times of transforms, in any of the ways that ROS code has them. */
import { Time, type TimeMessage } from "../node/time.js";

/** A point in time, a message's stamp, or nanoseconds; 0 means "the newest that there is". */
export type TimeLike = Time | Readonly<TimeMessage> | bigint;

export function toNanoseconds(time: TimeLike): bigint {
  if (typeof time === "bigint") return time;
  return time instanceof Time ? time.nanoseconds : Time.fromMessage(time).nanoseconds;
}

export const toStamp = (nanoseconds: bigint): TimeMessage => Time.fromNanoseconds(nanoseconds).toMessage();

/** "12.500000000", for messages. */
export const showTime = (nanoseconds: bigint): string => Time.fromNanoseconds(nanoseconds).toString();
