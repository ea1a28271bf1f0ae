/** Random decisions that nobody foresees without the seed, and that come out the same with it. */
import { createCipheriv, createHash, randomBytes } from "node:crypto";

const ZEROS = Buffer.alloc(4096);

export class Dice {
  private readonly stream;
  private rest: Buffer = Buffer.alloc(0);

  /** Default seed: 32 random bytes. Whoever can guess the seed can undo what was decided by it. */
  constructor(seed: number | string | Uint8Array = randomBytes(32)) {
    const key = createHash("sha256")
      .update(seed instanceof Uint8Array ? seed : `seed ${seed}`)
      .digest();
    this.stream = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  }

  bytes(count: number): Buffer {
    while (this.rest.length < count) this.rest = Buffer.concat([this.rest, this.stream.update(ZEROS)]);
    const out = Buffer.from(this.rest.subarray(0, count));
    this.rest = this.rest.subarray(count);
    return out;
  }

  /** A whole number from 0 to n − 1, each as likely (n ≤ 2³²). */
  below(n: number): number {
    const most = Math.floor(2 ** 32 / n) * n; // beyond it the small ones would come up more often
    for (;;) {
      const drawn = this.bytes(4).readUInt32LE();
      if (drawn < most) return drawn % n;
    }
  }

  chance(probability: number): boolean {
    return this.bytes(4).readUInt32LE() < probability * 2 ** 32;
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }

  shuffled<T>(list: readonly T[]): T[] {
    const out = [...list];
    for (let i = out.length - 1; i > 0; i--) {
      const k = this.below(i + 1);
      [out[i], out[k]] = [out[k], out[i]];
    }
    return out;
  }

  /** Normally distributed, by Box and Muller. */
  normal(): number {
    const [u, v] = [1 - this.below(2 ** 32) / 2 ** 32, this.below(2 ** 32) / 2 ** 32];
    return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * v);
  }

  /** Positions that cut `length` into at most `parts` stretches, none of them empty. @returns their lengths */
  cuts(length: number, parts: number): number[] {
    const inner = Array.from({ length: parts - 1 }, () => this.below(Math.max(1, length)));
    const at = [...new Set([0, ...inner, length])].sort((a, b) => a - b);
    return at.slice(1).map((end, i) => end - at[i]);
  }
}
