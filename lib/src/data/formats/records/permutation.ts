/** A random order of any number of positions in no memory: a Feistel network over the least even number of bits, walked in cycles. */
import { ValueError } from "../../../core/errors.js";
import { WordStream } from "../../../core/random.js";

const ROUNDS = 6;

/**
 * A permutation of 0 … length − 1, fixed by seed and epoch: `at(i)` says what comes i-th. Same on every machine and rank; takes
 * 24 bytes, however long it is. (Black and Rogaway, "Ciphers with arbitrary finite domains", CT-RSA 2002.)
 */
export class Permutation {
  private readonly keys: Uint32Array;
  private readonly bits: number;

  /** @throws ValueError if `length` is no whole number up to 2⁵² */
  constructor(
    readonly length: number,
    seed: number,
    epoch = 0,
  ) {
    for (const [name, n, most] of [
      ["length", length, 2 ** 52],
      ["epoch", epoch, Number.MAX_SAFE_INTEGER],
    ] as const)
      if (!Number.isSafeInteger(n) || n < 0 || n > most)
        throw new ValueError(`permutation: ${name} is a whole number from 0 to ${most}, got ${n}`);
    if (!Number.isSafeInteger(seed))
      throw new ValueError(`permutation: a seed is a whole number, got ${seed}`);
    const words = new WordStream([seed, epoch]);
    this.keys = Uint32Array.from({ length: ROUNDS }, () => words.next());
    let bits = 1;
    while (4 ** bits < length) bits++;
    this.bits = bits;
  }

  /** The position that comes `index`-th. */
  at(index: number): number {
    const { bits, keys, length } = this;
    if (!(index >= 0 && index < length))
      throw new ValueError(`permutation: positions are 0 to ${length - 1}, got ${index}`);
    const size = 2 ** bits;
    let at = index;
    do {
      // a bijection of 0 … 4^bits − 1; walking on until the result is in range keeps it one
      let left = Math.floor(at / size);
      let right = at % size;
      for (let round = 0; round < ROUNDS; round++) {
        const next = (left ^ (mix(right ^ keys[round], keys[round]) & (size - 1))) & (size - 1);
        left = right;
        right = next;
      }
      at = left * size + right;
    } while (at >= length);
    return at;
  }

  *[Symbol.iterator](): IterableIterator<number> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }
}

/** MurmurHash3's finalizer: each bit of the input changes half of the output's. */
function mix(word: number, key: number): number {
  let h = word;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b) + key;
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}
