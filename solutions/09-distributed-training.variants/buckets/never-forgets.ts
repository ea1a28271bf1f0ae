// expect: wrong 9/10
// fails: one step after the other
// why: what came back in the last step counts for this one
/** Lists of parameters. */
function makeBuckets(sizes: number[], cap: number): number[][] {
  const buckets: number[][] = [];
  let held = Number.POSITIVE_INFINITY;
  for (let i = sizes.length - 1; i >= 0; i--) {
    if (held + sizes[i] > cap) {
      buckets.push([]);
      held = 0;
    }
    buckets[buckets.length - 1].push(i);
    held += sizes[i];
  }
  return buckets;
}

/** Gathers gradients, and starts buckets. */
class Reducer {
  private readonly made = new Map<number, Float64Array>();
  private readonly back = new Map<number, Float64Array>();
  private started = 0;
  constructor(
    readonly ranks: number,
    readonly sizes: number[],
    readonly buckets: number[][],
    readonly start: (bucket: number, values: Float64Array) => void,
  ) {}

  ready(parameter: number, gradient: Float64Array): void {
    if (this.made.has(parameter)) throw new Error(`parameter ${parameter} is ready twice`);
    if (this.made.size === 0) {
      this.started = 0;
      
    }
    this.made.set(parameter, gradient.slice());
    this.go(false);
  }

  finish(): void {
    if (this.made.size === 0) {
      this.started = 0;
      
    }
    this.go(true);
    this.made.clear();
  }

  arrived(bucket: number, sums: Float64Array): void {
    this.back.set(bucket, sums);
  }

  gradients(): Float64Array[] {
    if (this.back.size < this.buckets.length) throw new Error("buckets are still under way");
    const out: Float64Array[] = new Array(this.sizes.length);
    for (const [b, list] of this.buckets.entries()) {
      const sums = this.back.get(b) as Float64Array;
      let at = 0;
      for (const i of list) {
        out[i] = sums.slice(at, at + this.sizes[i]).map((sum) => sum / this.ranks);
        at += this.sizes[i];
      }
    }
    return out;
  }

  private go(all: boolean): void {
    for (; this.started < this.buckets.length; this.started++) {
      const list = this.buckets[this.started];
      if (!all && !list.every((i) => this.made.has(i))) return;
      const values = list.flatMap((i) => [...(this.made.get(i) ?? new Float64Array(this.sizes[i]))]);
      this.start(this.started, Float64Array.from(values));
    }
  }
}
