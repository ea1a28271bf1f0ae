/** Random choices that a seed repeats: for the search, and for tests. */

/** Numbers from a seed. */
export class Dice {
  private state: number;

  constructor(seed: number) {
    this.state = (seed ^ 0x9e3779b9) >>> 0;
  }

  real(): number {
    this.state = (Math.imul(this.state, 1664525) + 1013904223) >>> 0;
    return ((this.state >>> 8) ^ (this.state & 0xff)) / 2 ** 24;
  }

  /** A whole number from 0 to n − 1. */
  below(n: number): number {
    return Math.min(n - 1, Math.floor(this.real() * n));
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  shuffled<T>(list: readonly T[]): T[] {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [out[i], out[j]] = [out[j], out[i]];
    }
    return out;
  }
}
