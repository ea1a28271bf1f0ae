/** Single draws by rejection, from a source of numbers in (0, 1). */
import { lgamma } from "./special.js";

export type UniformSource = () => number;

function normalSample(next: UniformSource): number {
  return Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());
}

/** Marsaglia & Tsang, "A simple method for generating gamma variables" (2000). NaN unless a > 0. */
export function gammaSample(a: number, next: UniformSource): number {
  if (!(a > 0)) return Number.NaN;
  if (a < 1) return gammaSample(a + 1, next) * next() ** (1 / a);
  const d = a - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normalSample(next);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(next()) < (x * x) / 2 + d - d * v + d * Math.log(v)) return d * v;
  }
}

/**
 * Products of uniform numbers for small rates (Knuth), transformed rejection for others (Hörmann, "The transformed rejection method
 * for generating Poisson random variables", 1993, PTRS). −1 unless rate ≥ 0.
 */
export function poissonSample(rate: number, next: UniformSource): number {
  if (!(rate >= 0)) return -1;
  return rate < 10 ? fewEvents(rate, next) : manyEvents(rate, next);
}

function fewEvents(rate: number, next: UniformSource): number {
  const limit = Math.exp(-rate);
  let count = 0;
  for (let product = next(); product > limit; product *= next()) count++;
  return count;
}

function manyEvents(rate: number, next: UniformSource): number {
  const b = 0.931 + 2.53 * Math.sqrt(rate);
  const a = -0.059 + 0.02483 * b;
  const scale = 1.1239 + 1.1328 / (b - 3.4);
  const sure = 0.9277 - 3.6224 / (b - 2);
  for (;;) {
    const u = next() - 0.5;
    const v = next();
    const us = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / us + b) * u + rate + 0.43);
    if (us >= 0.07 && v <= sure) return k;
    if (k < 0 || (us < 0.013 && v > us)) continue;
    const bound = Math.log((v * scale) / (a / (us * us) + b));
    if (bound <= k * Math.log(rate) - rate - lgamma(k + 1)) return k;
  }
}
