/** Blocks of the cache: each has the owners that it should, is given out once, and comes back. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deploy } from "../../index.js";

const { BlockPool } = deploy;

/** What a pool should do, written with lists. */
class Plain {
  free: number[];
  owners = new Map<number, number>();
  hashes = new Map<string, number>();

  constructor(size: number) {
    this.free = Array.from({ length: size }, (_, i) => i);
  }
  allocate(): number | null {
    const block = this.free.shift();
    if (block === undefined) return null;
    for (const [hash, at] of this.hashes) if (at === block) this.hashes.delete(hash);
    this.owners.set(block, 1);
    return block;
  }
  retain(block: number): void {
    this.owners.set(block, (this.owners.get(block) ?? 0) + 1);
    this.free = this.free.filter((b) => b !== block);
  }
  release(block: number): void {
    const left = (this.owners.get(block) as number) - 1;
    if (left > 0) this.owners.set(block, left);
    else {
      this.owners.delete(block);
      this.free.push(block);
    }
  }
  remember(block: number, hash: string): void {
    if (!this.hashes.has(hash) && ![...this.hashes.values()].includes(block)) this.hashes.set(hash, block);
  }
}

const command = fc.record({
  what: fc.constantFrom("allocate", "allocate", "retain", "release", "release", "remember", "find" as const),
  which: fc.nat(1000),
  hash: fc.constantFrom("a", "b", "c", "d", "e"),
});

describe("BlockPool", () => {
  it("does what a pool written with lists does, whatever is asked of it", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.array(command, { maxLength: 80 }), (size, commands) => {
        const pool = new BlockPool(size);
        const plain = new Plain(size);
        for (const { what, which, hash } of commands) {
          const owned = [...plain.owners.keys()];
          const one = owned[which % Math.max(1, owned.length)];
          if (what === "allocate") expect(pool.allocate()).toBe(plain.allocate());
          else if (what === "find") {
            const found = pool.find(hash);
            expect(found).toBe(plain.hashes.get(hash));
            if (found === undefined) continue;
            pool.retain(found);
            plain.retain(found);
          } else if (one !== undefined && what === "remember") {
            pool.remember(one, hash);
            plain.remember(one, hash);
          } else if (one !== undefined && what !== "remember") {
            pool[what](one);
            plain[what](one);
          }
          expect([pool.freeCount, pool.usedCount]).toEqual([plain.free.length, plain.owners.size]);
          expect(pool.shared).toBe([...plain.owners.values()].filter((n) => n > 1).length);
          const hashed = new Set(plain.hashes.values());
          expect(pool.cachedCount).toBe(plain.free.filter((b) => hashed.has(b)).length);
          const wanted = Array.from(
            { length: size },
            (_, b) => plain.owners.get(b) ?? (hashed.has(b) ? -1 : 0),
          );
          expect([...pool.occupancy()]).toEqual(wanted);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("takes free blocks with known contents last used first", () => {
    const pool = new BlockPool(3);
    const blocks = [0, 1, 2].map(() => pool.allocate() as number);
    for (const block of blocks) pool.remember(block, `h${block}`);
    for (const block of [2, 0, 1]) pool.release(block);
    expect(pool.allocate()).toBe(2);
    expect(["h0", "h1", "h2"].map((hash) => pool.find(hash))).toEqual([0, 1, undefined]);
  });

  it("names what is wrong", () => {
    expect(() => new BlockPool(0)).toThrow("BlockPool: the number of blocks is a whole number from 1, got 0");
    const pool = new BlockPool(2);
    expect(() => pool.release(1)).toThrow("BlockPool: block 1 was given back, and nobody has it");
    expect(() => pool.retain(2)).toThrow("BlockPool.retain: blocks are 0 … 1, got 2");
  });
});
