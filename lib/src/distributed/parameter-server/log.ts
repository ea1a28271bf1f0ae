/** The last operations of a partition: those that not all have yet, and some more for copies that were away for a moment. */
import type { Op } from "./shard.js";
import { type Position, START } from "./view.js";

export interface Entry extends Position {
  readonly op: Op;
  readonly frames: readonly Uint8Array[];
}

const KEPT_ENTRIES = 128;
const KEPT_BYTES = 64 * 2 ** 20;

export class Log {
  private entries: Entry[] = [];
  private base: Position = START;
  private bytes = 0;

  get end(): Position {
    return this.entries.at(-1) ?? this.base;
  }

  reset(position: Position): void {
    this.entries = [];
    this.bytes = 0;
    this.base = { l: position.l, s: position.s };
  }

  push(entry: Entry): void {
    this.entries.push(entry);
    this.bytes += sizeOf(entry);
  }

  /** What comes after a position; null if it is none of this history, or too old: then all has to be sent. */
  after({ l, s }: Position): readonly Entry[] | null {
    if (s === this.base.s && l === this.base.l) return this.entries;
    const i = this.entries.findIndex((entry) => entry.s === s);
    return i >= 0 && this.entries[i].l === l ? this.entries.slice(i + 1) : null;
  }

  /** Forgets old entries, of those up to `stable`. */
  trim(stable: number): void {
    let drop = 0;
    let { bytes } = this;
    for (const entry of this.entries) {
      const left = this.entries.length - drop;
      if (entry.s > stable || (left <= KEPT_ENTRIES && bytes <= KEPT_BYTES)) break;
      bytes -= sizeOf(entry);
      drop++;
    }
    if (drop === 0) return;
    const { l, s } = this.entries[drop - 1];
    this.base = { l, s };
    this.entries = this.entries.slice(drop);
    this.bytes = bytes;
  }
}

const sizeOf = ({ frames }: Entry): number => frames.reduce((sum, frame) => sum + frame.byteLength, 0);
