/**
 * Philox4x32-10: random bits as a pure function of a key and a counter, so that results depend on neither the
 * number of threads nor the order of calls (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
 */
const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;

/** High 32 bits of the 64-bit product, by halves whose products and sums stay below 2³²: integers all along. */
function mulHigh(a: number, b: number): number {
  const al = a & 0xffff;
  const ah = a >>> 16;
  const bl = b & 0xffff;
  const bh = b >>> 16;
  const mid = (Math.imul(ah, bl) + (Math.imul(al, bl) >>> 16)) | 0;
  const low = ((mid & 0xffff) + Math.imul(al, bh)) | 0;
  return (Math.imul(ah, bh) + (mid >>> 16) + (low >>> 16)) | 0;
}

/** Fills `out` (4 words) with the random bits of block `counter` under `key`. */
export function philox4x32(
  key: readonly [number, number],
  counter: readonly [number, number, number, number],
  out: Uint32Array,
): void {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const h0 = mulHigh(M0, c0);
    const h1 = mulHigh(M1, c2);
    const l0 = Math.imul(M0, c0);
    const l1 = Math.imul(M1, c2);
    c0 = h1 ^ c1 ^ k0;
    c1 = l1;
    c2 = h0 ^ c3 ^ k1;
    c3 = l0;
    k0 = (k0 + W0) | 0;
    k1 = (k1 + W1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** `count` random 32-bit words of the stream that `key` names. */
export function randomWords(key: readonly [number, number], count: number): Uint32Array {
  const out = new Uint32Array(Math.ceil(count / 4) * 4);
  const block = new Uint32Array(4);
  for (let i = 0; i * 4 < count; i++) {
    philox4x32(key, [i >>> 0, Math.floor(i / 2 ** 32), 0, 0], block);
    out.set(block, i * 4);
  }
  return out.subarray(0, count);
}

/** Random words of a key, one after the other. */
export class WordStream {
  private readonly block = new Uint32Array(4);
  private drawn = 0;

  /** @param lane streams of one key that have nothing in common: one for each element of a dataset */
  constructor(
    private readonly key: readonly [number, number],
    private readonly lane = 0,
  ) {}

  /** Words drawn so far. Set it to go on from there. */
  get position(): number {
    return this.drawn;
  }

  set position(drawn: number) {
    this.drawn = drawn;
    if (drawn % 4 !== 0) this.fill();
  }

  /** The next 32 random bits as an integer from 0. */
  next(): number {
    if (this.drawn % 4 === 0) this.fill();
    return this.block[this.drawn++ % 4];
  }

  /** Evenly distributed in 0 … count − 1. */
  below(count: number): number {
    return Math.floor((this.next() / 2 ** 32) * count);
  }

  /** Evenly distributed in [low, high). */
  uniform(low = 0, high = 1): number {
    return low + (this.next() / 2 ** 32) * (high - low);
  }

  private fill(): void {
    const { drawn, lane } = this;
    philox4x32(this.key, [Math.floor(drawn / 4), lane >>> 0, Math.floor(lane / 2 ** 32), 0], this.block);
  }
}
