// expect: correct
// why: counts what is missing in each bucket; flat arrays are written into as gradients come
function makeBuckets(sizes: number[], cap: number): number[][] {
  const out: number[][] = [];
  let current: number[] = [];
  for (const p of [...sizes.keys()].reverse()) {
    const full = current.length > 0 && [...current, p].reduce((sum, q) => sum + sizes[q], 0) > cap;
    if (full) {
      out.push(current);
      current = [];
    }
    current.push(p);
  }
  return current.length > 0 ? [...out, current] : out;
}

class Reducer {
  private place = new Map<number, [bucket: number, at: number]>();
  private missing: number[] = [];
  private flats: Float64Array[] = [];
  private sums: (Float64Array | undefined)[] = [];
  private seen = new Set<number>();
  private next = 0;
  private fresh = true;

  constructor(
    readonly ranks: number,
    readonly sizes: number[],
    readonly buckets: number[][],
    readonly start: (bucket: number, values: Float64Array) => void,
  ) {
    for (const [b, list] of buckets.entries()) {
      let at = 0;
      for (const p of list) {
        this.place.set(p, [b, at]);
        at += sizes[p];
      }
    }
  }

  private begin(): void {
    if (!this.fresh) return;
    this.fresh = false;
    this.next = 0;
    this.seen = new Set();
    this.missing = this.buckets.map((list) => list.length);
    this.flats = this.buckets.map((list) => new Float64Array(list.reduce((sum, p) => sum + this.sizes[p], 0)));
    this.sums = this.buckets.map(() => undefined);
  }

  ready(parameter: number, gradient: Float64Array): void {
    this.begin();
    if (this.seen.has(parameter)) throw new Error("twice");
    this.seen.add(parameter);
    const [b, at] = this.place.get(parameter) as [number, number];
    this.flats[b].set(gradient, at);
    this.missing[b]--;
    while (this.next < this.buckets.length && this.missing[this.next] === 0) this.start(this.next, this.flats[this.next++]);
  }

  finish(): void {
    this.begin();
    while (this.next < this.buckets.length) this.start(this.next, this.flats[this.next++]);
    this.fresh = true;
  }

  arrived(bucket: number, sums: Float64Array): void {
    this.sums[bucket] = sums;
  }

  gradients(): Float64Array[] {
    if (this.sums.some((s) => s === undefined)) throw new Error("under way");
    return this.sizes.map((size, p) => {
      const [b, at] = this.place.get(p) as [number, number];
      return (this.sums[b] as Float64Array).slice(at, at + size).map((x) => x / this.ranks);
    });
  }
}
