/** Which tiles lie in a memory: loaded when first needed, kept while there is room, given up for what is needed sooner. */
import type { Memory } from "./config.js";

/** Where a tile lies, and whether it has to be brought there. */
export interface Held {
  readonly slot: number;
  readonly missed: boolean;
  /** What lay there before and will be needed again. */
  readonly evicted: string | null;
}

/**
 * Slots for tiles of one size. The order in which tiles will be needed is known, so the one whose next use is farthest goes
 * (Belady 1966); of those that are needed no more, the one that was used longest ago, so that its successor can come early.
 */
export class TileSlots {
  private readonly held: (string | null)[];
  private readonly used: number[];
  private readonly uses = new Map<string, number[]>();

  constructor(
    readonly memory: Memory,
    count: number,
    /** The tile of each step; null: none. */
    order: readonly (string | null)[],
  ) {
    this.held = Array.from({ length: count }, () => null);
    this.used = this.held.map(() => -1);
    order.forEach((tile, at) => {
      if (tile === null) return;
      const list = this.uses.get(tile);
      if (list) list.push(at);
      else this.uses.set(tile, [at]);
    });
  }

  /** The tile's place at a step; steps come in order. */
  take(tile: string, at: number): Held {
    const list = this.uses.get(tile) as number[];
    while (list.length > 0 && list[0] <= at) list.shift();
    const found = this.held.indexOf(tile);
    if (found >= 0) {
      this.used[found] = at;
      return { slot: found, missed: false, evicted: null };
    }
    let best = 0;
    const next = (slot: number): number => {
      const other = this.held[slot];
      return other === null
        ? Number.POSITIVE_INFINITY
        : (this.uses.get(other)?.[0] ?? Number.POSITIVE_INFINITY);
    };
    for (let s = 1; s < this.held.length; s++)
      if (next(s) > next(best) || (next(s) === next(best) && this.used[s] < this.used[best])) best = s;
    const evicted = Number.isFinite(next(best)) ? this.held[best] : null;
    this.held[best] = tile;
    this.used[best] = at;
    return { slot: best, missed: true, evicted };
  }

  /** Whether the tile is needed at a step behind this one. */
  needed(tile: string): boolean {
    return (this.uses.get(tile)?.length ?? 0) > 0;
  }
}
