/** What a frame's transform to its parent was, over time. */
import { ExtrapolationError } from "./errors.js";
import { showTime } from "./time.js";
import { interpolateTransforms, type RigidTransform } from "./transform.js";

/** A frame in its parent at one time. */
export interface Entry {
  /** Nanoseconds; of static frames 0. */
  readonly stamp: bigint;
  readonly parent: string;
  readonly transform: RigidTransform;
}

export interface FrameHistory {
  readonly isStatic: boolean;
  /** 0 of a static frame: it holds at any time. */
  readonly latest: bigint;
  readonly oldest: bigint;
  readonly length: number;
  /**
   * At a time; 0: the newest.
   * @throws ExtrapolationError outside what is kept
   */
  at(time: bigint): Entry;
  /** @returns false where it is older than what is kept */
  insert(entry: Entry): boolean;
}

/** Of a frame that does not move in its parent. */
export class StaticHistory implements FrameHistory {
  readonly isStatic = true;
  readonly latest = 0n;
  readonly oldest = 0n;
  readonly length = 1;

  constructor(private entry: Entry) {}

  at(time: bigint): Entry {
    return { ...this.entry, stamp: time };
  }

  insert(entry: Entry): boolean {
    this.entry = entry;
    return true;
  }
}

/** Of a moving frame: entries by time, oldest first, those of the last `cacheTime` nanoseconds. */
export class MovingHistory implements FrameHistory {
  readonly isStatic = false;
  private entries: Entry[] = [];

  constructor(private readonly cacheTime: bigint) {}

  get latest(): bigint {
    return this.entries.at(-1)?.stamp ?? 0n;
  }

  get oldest(): bigint {
    return this.entries[0]?.stamp ?? 0n;
  }

  get length(): number {
    return this.entries.length;
  }

  insert(entry: Entry): boolean {
    if (this.entries.length > 0 && entry.stamp < this.latest - this.cacheTime) return false;
    const place = this.firstAfter(entry.stamp);
    if (place > 0 && this.entries[place - 1].stamp === entry.stamp) this.entries[place - 1] = entry;
    else this.entries.splice(place, 0, entry);
    const stale = this.entries.findIndex(({ stamp }) => stamp >= this.latest - this.cacheTime);
    if (stale > 0) this.entries.splice(0, stale);
    return true;
  }

  at(time: bigint): Entry {
    const { entries } = this;
    if (time === 0n) return entries[entries.length - 1];
    const next = this.firstAfter(time);
    const before = entries[next - 1];
    if (before?.stamp === time) return before;
    if (entries.length === 1)
      throw new ExtrapolationError(
        `lookup would require extrapolation at time ${showTime(time)}, but only time ${showTime(entries[0].stamp)} is in the buffer`,
      );
    if (!before)
      throw new ExtrapolationError(
        `lookup would require extrapolation into the past: requested time ${showTime(time)}, but the earliest data is at time ${showTime(this.oldest)}`,
      );
    if (next === entries.length)
      throw new ExtrapolationError(
        `lookup would require extrapolation into the future: requested time ${showTime(time)}, but the latest data is at time ${showTime(this.latest)}`,
      );
    const after = entries[next];
    if (before.parent !== after.parent) return before; // it changed parents: between two trees there is nothing
    const ratio = Number(time - before.stamp) / Number(after.stamp - before.stamp);
    return {
      stamp: time,
      parent: before.parent,
      transform: interpolateTransforms(before.transform, after.transform, ratio),
    };
  }

  /** The first entry after a time, by halving; most come at the end. */
  private firstAfter(time: bigint): number {
    const { entries } = this;
    if (entries.length === 0 || entries[entries.length - 1].stamp <= time) return entries.length;
    let [low, high] = [0, entries.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (entries[middle].stamp <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
