/**
 * Which of very many keys are asked for most, in little memory: a count-min sketch (Cormode and Muthukrishnan 2005) with
 * conservative update. Counts never are too low; they are halved now and then, so that what was hot cools down.
 */
const DEPTH = 4;
const WIDTH = 16_384;
/** Keys counted between two halvings. */
const PERIOD = 2 ** 15;
/** A key is hot with this share of all that was asked for … */
const SHARE = 1 / 8192;
/** … and asked for so often: the first few say nothing. */
const LEAST = 8;

export class HotKeys {
  private readonly counters = new Uint32Array(DEPTH * WIDTH);
  private readonly places = new Uint32Array(DEPTH);
  private total = 0;
  private counted = 0;

  /** Counts a key. @param seed of its table @returns true if it is hot */
  add(seed: number, id: number): boolean {
    const { counters, places } = this;
    let least = Number.POSITIVE_INFINITY;
    for (let row = 0; row < DEPTH; row++) {
      places[row] = row * WIDTH + place(seed, id, row);
      least = Math.min(least, counters[places[row]]);
    }
    for (let row = 0; row < DEPTH; row++) if (counters[places[row]] === least) counters[places[row]]++;
    this.total++;
    if (++this.counted >= PERIOD) this.cool();
    return least + 1 >= LEAST && least + 1 >= SHARE * this.total;
  }

  /** At least as often as it was counted since the last halvings. */
  estimate(seed: number, id: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (let row = 0; row < DEPTH; row++)
      least = Math.min(least, this.counters[row * WIDTH + place(seed, id, row)]);
    return least;
  }

  private cool(): void {
    this.counted = 0;
    this.total /= 2;
    for (let i = 0; i < this.counters.length; i++) this.counters[i] >>>= 1;
  }
}

function place(seed: number, id: number, row: number): number {
  let h = Math.imul(seed ^ Math.imul(row + 1, 0x9e3779b1) ^ id, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35);
  return ((h ^ (h >>> 13)) >>> 0) % WIDTH;
}
