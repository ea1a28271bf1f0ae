/** Datasets: lazy sequences that can be walked again and again; and batches cut from tensors. */

import { ShapeError, ValueError } from "../core/errors.js";
import { WordStream } from "../core/random.js";
import type { Tensor } from "../core/tensor.js";
import { leaves, map as mapTree } from "../core/tree.js";
import { tensor } from "../ops/convert.js";
import { shuffledIndices } from "../ops/random.js";

/** A sequence that starts anew at each walk. */
export class Dataset<T> implements Iterable<T> {
  constructor(
    private readonly open: (walk: number) => Iterator<T>,
    /** Number of elements, where it is known. */
    readonly size?: number,
  ) {}

  private walks = 0;

  [Symbol.iterator](): Iterator<T> {
    return this.open(this.walks++);
  }

  /** Elements of a list. */
  static from<T>(items: readonly T[]): Dataset<T> {
    return new Dataset(() => items[Symbol.iterator](), items.length);
  }

  /** Each element through `f`. An error names the element. */
  map<U>(f: (item: T, index: number) => U): Dataset<U> {
    const source = this;
    return new Dataset(function* () {
      let index = 0;
      for (const item of source) {
        let mapped: U;
        try {
          mapped = f(item, index);
        } catch (cause) {
          throw new ValueError(
            `dataset: map failed at element ${index}: ${cause instanceof Error ? cause.message : String(cause)}`,
            { cause },
          );
        }
        yield mapped;
        index++;
      }
    }, this.size);
  }

  /** The elements for which `keep` holds. */
  filter(keep: (item: T) => boolean): Dataset<T> {
    const source = this;
    return new Dataset(function* () {
      for (const item of source) if (keep(item)) yield item;
    });
  }

  /** The first `count` elements. */
  take(count: number): Dataset<T> {
    checkCount("take", count, 0);
    const source = this;
    return new Dataset(
      function* () {
        let left = count;
        if (left === 0) return;
        for (const item of source) {
          yield item;
          if (--left === 0) return;
        }
      },
      this.size === undefined ? undefined : Math.min(this.size, count),
    );
  }

  /** Each element drawn at random from a buffer of the next `buffer` ones; another order at each walk. */
  shuffle(buffer: number, seed = 0): Dataset<T> {
    checkCount("shuffle", buffer, 1);
    checkSeed(seed);
    const source = this;
    return new Dataset(function* (walk) {
      const random = new WordStream([seed, walk]);
      const held: T[] = [];
      const draw = (): T => {
        const at = random.below(held.length);
        const out = held[at];
        held[at] = held[held.length - 1];
        held.pop();
        return out;
      };
      for (const item of source) {
        held.push(item);
        if (held.length > buffer) yield draw();
      }
      while (held.length > 0) yield draw();
    }, this.size);
  }

  /** Lists of `count` elements. */
  batch(count: number, { dropRemainder = false } = {}): Dataset<T[]> {
    checkCount("batch", count, 1);
    const source = this;
    return new Dataset(
      function* () {
        let batch: T[] = [];
        for (const item of source) {
          batch.push(item);
          if (batch.length === count) {
            yield batch;
            batch = [];
          }
        }
        if (batch.length > 0 && !dropRemainder) yield batch;
      },
      this.size === undefined ? undefined : (dropRemainder ? Math.floor : Math.ceil)(this.size / count),
    );
  }
}

function checkCount(method: string, count: number, least: number): void {
  if (!Number.isInteger(count) || count < least)
    throw new ValueError(`dataset: ${method} wants a whole number from ${least}, got ${count}`);
}

function checkSeed(seed: number): void {
  if (!Number.isSafeInteger(seed)) throw new ValueError(`dataset: a seed is a whole number, got ${seed}`);
}

export interface BatchOptions {
  readonly size: number;
  /** A new order in each epoch. Default false. */
  readonly shuffle?: boolean;
  readonly seed?: number;
  /** Leaves out the last batch if it is not full. Default false. */
  readonly dropRemainder?: boolean;
}

/**
 * Batches of tensors that share their first axis: each element is a tree like `tensors` with `size` rows.
 * @example [...data.batches({ x: zeros([5, 2]), y: arange(5) }, { size: 2 })].length // 3
 * @throws ShapeError if the first axes differ.
 */
export function batches<T>(
  tensors: T,
  { size, shuffle = false, seed = 0, dropRemainder = false }: BatchOptions,
): Dataset<T> {
  const list = leaves(tensors);
  const count = list[0]?.shape[0];
  if (count === undefined || list.some((t) => t.shape[0] !== count)) {
    throw new ShapeError(
      `batches: the tensors must share their first axis, got ${list.map((t) => t.type).join(", ") || "none"}`,
    );
  }
  if (!Number.isInteger(size) || size < 1)
    throw new ValueError(`batches: a batch has at least 1 row, got ${size}`);
  checkSeed(seed);
  const steps = (dropRemainder ? Math.floor : Math.ceil)(count / size);
  return new Dataset(function* (walk) {
    const order = shuffle ? shuffledIndices(count, [seed, walk]) : null;
    for (let step = 0; step < steps; step++) {
      const [from, to] = [step * size, Math.min(count, (step + 1) * size)];
      const rows = order ? tensor(order.subarray(from, to)) : null;
      const batch = mapTree((t: Tensor) => (rows ? t.take(rows) : t.slice([from, to])), tensors);
      rows?.dispose();
      yield batch;
    }
  }, steps);
}
