/**
 * Blocks of a cache by number: which are free, how many sequences have each, and which hold tokens that are known by a hash, so
 * that a sequence that begins alike can have them too. (Kwon et al. 2023; vLLM's BlockPool.)
 */
import { MlsysError, ValueError } from "../../core/errors.js";

/**
 * Blocks 0 … size − 1, all free at first.
 * @example const pool = new deploy.BlockPool(4); pool.allocate(); pool.freeCount // 3
 */
export class BlockPool {
  /** Free blocks, those that were given back longest ago first. Some still hold what their hash says. */
  private readonly free: Set<number>;
  private readonly references: Int32Array;
  private readonly hashes: (string | null)[];
  private readonly known = new Map<string, number>();
  private sharedCount = 0;

  /** @throws ValueError unless `size` is a whole number from 1. */
  constructor(readonly size: number) {
    if (!Number.isInteger(size) || size < 1)
      throw new ValueError(`BlockPool: the number of blocks is a whole number from 1, got ${size}`);
    this.references = new Int32Array(size);
    this.hashes = new Array<string | null>(size).fill(null);
    this.free = new Set(this.references.keys());
  }

  /** Blocks that no sequence has. */
  get freeCount(): number {
    return this.free.size;
  }

  /** Blocks that some sequence has. */
  get usedCount(): number {
    return this.size - this.free.size;
  }

  /** Blocks that several sequences have. */
  get shared(): number {
    return this.sharedCount;
  }

  /** Free blocks that can still be found by their hash. */
  get cachedCount(): number {
    let count = 0;
    for (const block of this.free) if (this.hashes[block] !== null) count++;
    return count;
  }

  /** Sequences that have a block. */
  ownersOf(block: number): number {
    return this.references[block];
  }

  /** A free block, now with one owner, what it held forgotten; `null` if there is none. */
  allocate(): number | null {
    for (const block of this.free) {
      this.free.delete(block);
      this.forget(block);
      this.references[block] = 1;
      return block;
    }
    return null;
  }

  /** One more owner, also of a free block whose hash was found. */
  retain(block: number): void {
    const before = this.references[this.checked(block, "retain")]++;
    if (before === 0) this.free.delete(block);
    else if (before === 1) this.sharedCount++;
  }

  /** One owner less; the last one gives the block back. @throws MlsysError if nobody has it. */
  release(block: number): void {
    if (this.references[this.checked(block, "release")] === 0)
      throw new MlsysError(`BlockPool: block ${block} was given back, and nobody has it`);
    const left = --this.references[block];
    if (left === 0) this.free.add(block);
    else if (left === 1) this.sharedCount--;
  }

  /** From now on the block can be found by this hash of what it holds; it must not be written any more. */
  remember(block: number, hash: string): void {
    if (this.known.has(hash) || this.hashes[this.checked(block, "remember")] !== null) return;
    this.known.set(hash, block);
    this.hashes[block] = hash;
  }

  /** The block with this hash, free or not. */
  find(hash: string): number | undefined {
    return this.known.get(hash);
  }

  /** Whether nobody has the block. */
  isFree(block: number): boolean {
    return this.free.has(block);
  }

  /** For pictures: owners of each block; −1: free, but its contents are still known. */
  occupancy(): Int32Array {
    return this.references.map((count, block) => (count === 0 && this.hashes[block] !== null ? -1 : count));
  }

  private forget(block: number): void {
    const hash = this.hashes[block];
    if (hash === null) return;
    this.known.delete(hash);
    this.hashes[block] = null;
  }

  private checked(block: number, what: string): number {
    if (!Number.isInteger(block) || block < 0 || block >= this.size)
      throw new ValueError(`BlockPool.${what}: blocks are 0 … ${this.size - 1}, got ${block}`);
    return block;
  }
}
