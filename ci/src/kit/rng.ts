/** Seeded random inputs, the same on every machine and in both places where a test runs. */
import { uniformFloat64 } from "pure-rand/distribution/uniformFloat64";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";

/** Nested arrays of numbers; a number for shape (). */
export type NestedNumbers = number | NestedNumbers[];

export interface Rng {
  /** An integer from `low` to `high`, both included. */
  int(low: number, high: number): number;
  /** In [low, high). */
  uniform(low?: number, high?: number): number;
  /** Normal with the given mean and standard deviation. */
  normal(mean?: number, deviation?: number): number;
  choice<T>(items: readonly T[]): T;
  /** A shuffled copy. */
  shuffle<T>(items: readonly T[]): T[];
  /** `ndim` distinct odd sizes from 3 to 13: a swapped or flattened axis can't go unnoticed. */
  shape(ndim: number): number[];
  /** Normal numbers in nested arrays. */
  array(shape: readonly number[]): NestedNumbers;
  /** `length` normal numbers, rounded to float32. */
  float32(length: number): Float32Array;
}

/** A generator of its own for each seed; a text is hashed. */
export function rng(seed: string | number): Rng {
  const source = xoroshiro128plus(hash(String(seed)));
  const int = (low: number, high: number) => uniformInt(source, low, high);
  const uniform = (low = 0, high = 1) => low + (high - low) * uniformFloat64(source);
  const normal = (mean = 0, deviation = 1) => {
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())); // Box and Muller
    return mean + deviation * radius * Math.cos(2 * Math.PI * uniform());
  };
  const shuffle = <T>(items: readonly T[]): T[] => {
    const copy = [...items];
    for (let i = copy.length - 1; i > 0; i--) {
      const j = int(0, i);
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  };
  const array = (shape: readonly number[]): NestedNumbers =>
    shape.length === 0 ? normal() : Array.from({ length: shape[0] }, () => array(shape.slice(1)));
  return {
    int,
    uniform,
    normal,
    shuffle,
    array,
    choice: (items) => {
      if (items.length === 0) throw new RangeError("rng.choice: an empty list");
      return items[int(0, items.length - 1)];
    },
    shape: (ndim) => {
      const sizes = [3, 5, 7, 9, 11, 13];
      if (ndim > sizes.length) throw new RangeError(`rng.shape: at most ${sizes.length} axes, not ${ndim}`);
      return shuffle(sizes).slice(0, ndim);
    },
    float32: (length) => Float32Array.from({ length }, () => normal()),
  };
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let state = 0x811c9dc5;
  for (const byte of Buffer.from(text, "utf8")) state = Math.imul(state ^ byte, 0x01000193);
  return state | 0;
}
