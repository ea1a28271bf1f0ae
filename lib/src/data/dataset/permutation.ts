/**
 * Random orders of 0 … n − 1 that need no list: a Feistel network is a permutation of the numbers of a few bits, and what
 * falls outside of n is sent through once more (cycle walking; Black and Rogaway, "Ciphers with arbitrary finite domains",
 * CT-RSA 2002).
 */
import { randomWords } from "../../core/random.js";
import { shuffledIndices } from "../../ops/random.js";

/** Below, a list costs less than 256 KiB, and every order is as likely as every other. */
const LISTED = 1 << 16;
const ROUNDS = 8;

/**
 * The position in 0 … n − 1 of each position, in a random order that `key` determines. Memory does not grow with n.
 * @example const at = data.permutation(10_000_000, [7, 0]); at(0) !== at(1) // true
 */
export function permutation(n: number, key: readonly [number, number]): (index: number) => number {
  if (n <= LISTED) {
    const order = shuffledIndices(n, key);
    return (index) => order[index];
  }
  const bits = Math.ceil(Math.log2(n));
  const low = 2 ** (bits >> 1);
  const high = 2 ** (bits - (bits >> 1));
  const keys = randomWords(key, ROUNDS);
  return (index) => {
    let at = index;
    do {
      let right = at % low;
      let left = (at - right) / low;
      for (let round = 0; round < ROUNDS; round += 2) {
        left ^= mix(right ^ keys[round]) & (high - 1);
        right ^= mix(left ^ keys[round + 1]) & (low - 1);
      }
      at = left * low + right;
    } while (at >= n); // the domain is below 2n: at most one more round on average
    return at;
  };
}

/** The finalizer of MurmurHash3: each bit depends on all. */
function mix(x: number): number {
  let h = x ^ (x >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  return (h ^ (h >>> 16)) & 0x7fffffff;
}
