/** Which sequence has which blocks: they grow, begin with what others have computed, fork, and are given back. */
import { createHash } from "node:crypto";
import { BlockPool } from "./block-pool.js";
import type { Sequence } from "./sequence.js";

export class BlockTables {
  /** Blocks copied because a sequence wrote to one that others have too. */
  copies = 0;
  readonly pool: BlockPool;

  /**
   * @param copy copies what a block holds to another one
   * @param sharing whether sequences that begin alike have the same blocks
   */
  constructor(
    blocks: number,
    readonly blockSize: number,
    private readonly copy: (from: number, to: number) => void,
    private readonly sharing = true,
  ) {
    this.pool = new BlockPool(blocks);
  }

  /**
   * Blocks for the next `count` tokens of a sequence, the first of them its own.
   * @returns false if there are not enough; then it has what it had
   */
  grow(sequence: Sequence, count: number): boolean {
    const { pool, blockSize } = this;
    const { blocks, computed } = sequence;
    const needed = Math.ceil((computed + count) / blockSize) - blocks.length;
    const written = Math.floor(computed / blockSize);
    const shared = written < blocks.length && pool.ownersOf(blocks[written]) > 1;
    if (Math.max(0, needed) + (shared ? 1 : 0) > pool.freeCount) return false;
    if (shared) {
      const own = pool.allocate() as number;
      this.copy(blocks[written], own);
      pool.release(blocks[written]);
      blocks[written] = own;
      this.copies++;
    }
    for (let i = 0; i < needed; i++) blocks.push(pool.allocate() as number);
    return true;
  }

  /**
   * Full blocks of tokens that are known already; the last token of the sequence is never among them, since its logits are
   * needed. For sequences without blocks.
   * @returns the number of tokens
   */
  match(sequence: Sequence): number {
    if (!this.sharing) return 0;
    const most = Math.floor((sequence.tokens.length - 1) / this.blockSize);
    for (let i = 0; i < most; i++) {
      const block = this.pool.find(this.hashOf(sequence, i));
      if (block === undefined) break;
      this.pool.retain(block);
      sequence.blocks.push(block);
    }
    sequence.computed = sequence.blocks.length * this.blockSize;
    return sequence.computed;
  }

  /** Full blocks of tokens, computed by now, can be found by others. @param before tokens that were computed already */
  remember(sequence: Sequence, before: number): void {
    if (!this.sharing) return;
    const full = Math.floor(sequence.computed / this.blockSize);
    for (let i = Math.floor(before / this.blockSize); i < full; i++)
      this.pool.remember(sequence.blocks[i], this.hashOf(sequence, i));
  }

  /** Gives a sequence the blocks of another one, to be copied where either writes. */
  fork(from: Sequence, to: Sequence): void {
    for (const block of from.blocks) this.pool.retain(block);
    to.blocks = [...from.blocks];
    to.computed = from.computed;
  }

  /** Gives all blocks back, the last first: what many begin with is forgotten last. */
  release(sequence: Sequence): void {
    for (const block of sequence.blocks.reverse()) this.pool.release(block);
    sequence.blocks = [];
    sequence.computed = 0;
  }

  /** Hash of block i's tokens and all before them. */
  private hashOf({ hashes, tokens }: Sequence, i: number): string {
    while (hashes.length <= i) {
      const at = hashes.length * this.blockSize;
      const part = Int32Array.from(tokens.slice(at, at + this.blockSize));
      hashes.push(
        createHash("sha256")
          .update(hashes.at(-1) ?? "")
          .update(part)
          .digest("base64"),
      );
    }
    return hashes[i];
  }
}
