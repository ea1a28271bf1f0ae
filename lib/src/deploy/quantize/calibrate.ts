/**
 * Calibration: which range of values is worth the few numbers there are. Extremes are exact but rare; what lies outside a
 * smaller range is cut off, what lies inside is told apart better. (Book, chapter 8: histograms and candidate ranges.)
 */
import { ValueError } from "../../core/errors.js";
import type { Range, Scheme } from "./scheme.js";

export type CalibrationMethod = "minMax" | "percentile" | "mse" | "kl" | "symmetricKl" | "js";

export interface CalibrationOptions extends Scheme {
  readonly method?: CalibrationMethod;
  /** For "percentile": the share of values other than 0 that stay inside, in percent. Default 99.9. */
  readonly percentile?: number;
}

/** Even, so that ranges can be doubled by joining neighbours. */
const BINS = 4096;

/** Candidate ranges that are tried, from the widest to an eighth of it. */
const CANDIDATES = 96;

/** What values of one tensor were seen: extremes, and how many lie where, in bins of equal width around 0. */
export class Observer {
  least = Infinity;
  most = -Infinity;
  private reach = 0;
  private counts = new Float64Array(BINS);

  /** Adds values. @throws ValueError for NaN and infinities. */
  add(values: ArrayLike<number>): void {
    let largest = 0;
    for (let i = 0; i < values.length; i++) {
      const v = values[i];
      if (!Number.isFinite(v)) throw new ValueError(`calibration: a sample makes ${v}`);
      if (v < this.least) this.least = v;
      if (v > this.most) this.most = v;
      if (Math.abs(v) > largest) largest = Math.abs(v);
    }
    if (this.reach === 0) this.reach = largest;
    while (largest > this.reach) this.widen();
    if (this.reach === 0) return; // zeros only
    const scale = BINS / (2 * this.reach);
    for (let i = 0; i < values.length; i++) {
      const v = values[i];
      // 0 stays 0 in every range: the many that rectified values have say nothing about it
      if (v !== 0) this.counts[Math.min(BINS - 1, Math.floor((v + this.reach) * scale))]++;
    }
  }

  /** The range by a method. @throws ValueError if nothing was seen. */
  range(options: CalibrationOptions = {}): Range {
    const { method = "minMax", percentile = 99.9, bits = 8, symmetric = false } = options;
    if (this.least > this.most) throw new ValueError("calibration: no value was seen");
    if (method === "minMax" || this.reach === 0) return [this.least, this.most];
    if (method === "percentile") return this.percentileRange(percentile);
    const cost = {
      mse: meanSquare,
      kl: divergence(kl),
      symmetricKl: divergence(symmetricKl),
      js: divergence(js),
    }[method];
    if (!cost) throw new ValueError(`calibration: unknown method "${method}"`);
    const levels = 2 ** bits - 1;
    let best: Range = [this.least, this.most];
    let smallest = Infinity;
    for (let k = 0; k < CANDIDATES; k++) {
      const part = 1 - (7 / 8) * (k / CANDIDATES);
      const most = Math.max(-this.least, this.most) * part;
      const range: Range = symmetric
        ? [-most, most]
        : [Math.min(0, this.least * part), Math.max(0, this.most * part)];
      const found = cost(this.counts, this.reach, range, levels);
      if (found < smallest) [smallest, best] = [found, range];
    }
    return best;
  }

  /** Twice the reach: neighbours join, around the middle. */
  private widen(): void {
    const wide = new Float64Array(BINS);
    for (let i = 0; i < BINS; i++) wide[BINS / 4 + (i >> 1)] += this.counts[i];
    this.counts = wide;
    this.reach *= 2;
  }

  private percentileRange(percentile: number): Range {
    if (!(percentile > 0 && percentile <= 100))
      throw new ValueError(`calibration: ${percentile} is no percentage`);
    const total = this.counts.reduce((a, b) => a + b, 0);
    const out = ((1 - percentile / 100) / 2) * total;
    const edge = (i: number): number => (2 * this.reach * i) / BINS - this.reach;
    let [from, to] = [0, BINS - 1];
    for (let sum = this.counts[0]; sum <= out && from < to; sum += this.counts[++from]);
    for (let sum = this.counts[BINS - 1]; sum <= out && to > from; sum += this.counts[--to]);
    return [Math.max(this.least, edge(from)), Math.min(this.most, edge(to + 1))];
  }
}

type Cost = (counts: Float64Array, reach: number, range: Range, levels: number) => number;

/** Mean square of what rounding and cutting off change. */
const meanSquare: Cost = (counts, reach, [least, most], levels) => {
  const step = (most - least) / levels || 1;
  let sum = 0;
  counts.forEach((count, i) => {
    if (count === 0) return;
    const x = (2 * reach * (i + 0.5)) / BINS - reach;
    const inside = Math.min(Math.max(x, least), most);
    const y = least + Math.round((inside - least) / step) * step;
    // within a step values lie evenly: rounding costs step²/12, where bins are finer than steps
    const rounding = x === inside ? Math.max((x - y) ** 2, (step * step) / 12) : (x - y) ** 2;
    sum += count * rounding;
  });
  return sum;
};

type Divergence = (p: Float64Array, q: Float64Array) => number;

const kl: Divergence = (p, q) =>
  p.reduce((sum, a, i) => (a > 0 ? sum + a * Math.log(a / Math.max(q[i], 1e-12)) : sum), 0);
const symmetricKl: Divergence = (p, q) => kl(p, q) + kl(q, p);
const js: Divergence = (p, q) => {
  const middle = p.map((a, i) => (a + q[i]) / 2);
  return (kl(p, middle) + kl(q, middle)) / 2;
};

/** Between the distribution, what is cut off put at the ends, and what the levels tell apart of it. (NVIDIA, TensorRT 2017.) */
const divergence =
  (measure: Divergence): Cost =>
  (counts, reach, [least, most], levels) => {
    const bin = (x: number): number =>
      Math.min(BINS - 1, Math.max(0, Math.floor(((x + reach) * BINS) / (2 * reach))));
    const [from, to] = [bin(least), bin(most)];
    const kept = counts.slice(from, to + 1);
    const whole = kept.slice();
    for (let i = 0; i < from; i++) whole[0] += counts[i];
    for (let i = to + 1; i < BINS; i++) whole[whole.length - 1] += counts[i];
    const merged = new Float64Array(kept.length);
    const width = kept.length / levels;
    if (width <= 1) merged.set(kept);
    else
      for (let level = 0; level < levels; level++) {
        const [start, end] = [
          Math.floor(level * width),
          Math.min(kept.length, Math.floor((level + 1) * width)),
        ];
        let sum = 0;
        let some = 0;
        for (let i = start; i < end; i++) {
          sum += kept[i];
          if (kept[i] > 0) some++;
        }
        for (let i = start; i < end; i++) if (kept[i] > 0) merged[i] = sum / some;
      }
    const normal = (list: Float64Array): Float64Array => {
      const total = list.reduce((a, b) => a + b, 0) || 1;
      return list.map((v) => v / total);
    };
    return measure(normal(whole), normal(merged));
  };
