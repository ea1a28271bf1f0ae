/**
 * PowerSGD: each gradient matrix M is sent as a product P·Qᵀ of low rank, by one step of power iteration from the last
 * step's Q: P = mean(M·Q), made orthonormal; Q = mean(Mᵀ·P). Both means are plain sums over ranks, so that allReduce carries
 * them. (Vogels et al. 2019; DALL-E was trained so: Ramesh et al. 2021.)
 */
import { ValueError } from "../../core/errors.js";
import { WordStream } from "../../core/random.js";
import { sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import { tidy } from "../../ops/tidy.js";
import { outsideScopes } from "../../runtime/tidy.js";
import type { GradientBucket } from "../data-parallel/bucket.js";
import { mapped } from "../group/mapped-work.js";
import type { ProcessGroup, Work } from "../group/process-group.js";
import { type CompressionHook, Counter, hookOf, lasting, Residuals } from "./hook.js";

export interface PowerSGDOptions {
  /** Rank of the products. Default 2. */
  readonly rank?: number;
  /** Q goes on from step to step instead of starting at random. Default true. */
  readonly warmStart?: boolean;
  /** Of the random numbers: the same on all ranks. Default 1. */
  readonly seed?: number;
}

/** A parameter's place in a bucket, as a matrix. */
interface Part {
  readonly from: number;
  readonly size: number;
  readonly rows: number;
  readonly columns: number;
  /** Sent as a product; else as it is: vectors, and matrices for which the product would be larger. */
  readonly low: boolean;
}

/**
 * Sends each matrix of r(n + m) instead of n·m numbers. What is lost stays in the error feedback.
 * @example distributed.powerSGDHook({ rank: 2 }).statistics.sent // 0
 * @throws ValueError unless the rank is a whole number from 1
 */
export function powerSGDHook(options: PowerSGDOptions = {}): CompressionHook {
  const { rank = 2, warmStart = true, seed = 1 } = options;
  if (!Number.isInteger(rank) || rank < 1)
    throw new ValueError(`powerSGDHook: the rank is a whole number from 1, got ${rank}`);
  const counter = new Counter();
  const residuals = new Residuals();
  /** Each bucket's Qs, one behind the other. */
  const held = new Map<number, Float32Array>();
  let step = 0;
  return hookOf(counter, (bucket, group) => {
    const values = residuals.gradients(bucket);
    const parts = partsOf(bucket, rank);
    const low = parts.filter((part) => part.low);
    const width = low.reduce((sum, { columns }) => sum + columns * rank, 0);
    const last = warmStart ? held.get(bucket.index) : undefined;
    const q = last?.length === width ? last : gaussian(width, [seed + bucket.index, step++]);
    // first sum: all P, and what is not compressed
    const plain = parts.filter((part) => !part.low);
    const first = concatenated([
      ...products(values, low, q, rank),
      ...plain.map(({ from, size }) => values.subarray(from, from + size)),
    ]);
    return mapped(summed(first, group, counter), (means) => {
      const got = taken(means);
      const height = low.reduce((sum, { rows }) => sum + rows * rank, 0);
      const p = got.subarray(0, height);
      let at = 0;
      for (const { rows } of low) {
        orthonormalize(p.subarray(at, at + rows * rank), rows, rank);
        at += rows * rank;
      }
      const second = concatenated(transposedProducts(values, low, p, rank));
      const next = low.length > 0 ? taken(summed(second, group, counter).wait()) : second;
      held.set(bucket.index, next);
      const result = new Float32Array(values.length);
      approximate(result, low, p, next, rank);
      const lost = new Float32Array(values.length);
      for (const { from, size } of low)
        for (let i = from; i < from + size; i++) lost[i] = values[i] - result[i];
      let end = height;
      for (const { from, size } of plain) {
        result.set(got.subarray(end, end + size), from);
        end += size;
      }
      residuals.keep(bucket, lost);
      counter.lose(values, lost);
      return lasting(result, bucket.tensor.dtype);
    });
  });
}

function partsOf({ parameters }: GradientBucket, rank: number): Part[] {
  let from = 0;
  return parameters.map(({ shape }) => {
    const size = sizeOf(shape);
    const rows = shape.length > 1 ? shape[0] : size;
    const columns = size === 0 ? 0 : size / rows;
    const part = { from, size, rows, columns, low: shape.length > 1 && rank * (rows + columns) < size };
    from += size;
    return part;
  });
}

function summed(values: Float32Array, group: ProcessGroup, counter: Counter): Work<Tensor> {
  counter.send(4 * values.length);
  const own = lasting(values, "float32");
  const work = outsideScopes(() => group.allReduce(own, { op: "mean" }));
  return mapped(work, (mean) => {
    own.dispose();
    return mean;
  });
}

function taken(x: Tensor): Float32Array {
  const values = x.toTypedArray() as Float32Array;
  x.dispose();
  return values;
}

function concatenated(parts: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

const matrix = (values: Float32Array, rows: number, columns: number): Tensor =>
  tensor(values, { shape: [rows, columns] });

/** M·Q of each part. */
function products(
  values: Float32Array,
  parts: readonly Part[],
  q: Float32Array,
  rank: number,
): Float32Array[] {
  let at = 0;
  return parts.map(({ from, size, rows, columns }) => {
    const right = q.subarray(at, at + columns * rank);
    at += columns * rank;
    return plainly(() =>
      matrix(values.subarray(from, from + size), rows, columns).matmul(matrix(right, columns, rank)),
    );
  });
}

/** Mᵀ·P of each part. */
function transposedProducts(
  values: Float32Array,
  parts: readonly Part[],
  p: Float32Array,
  rank: number,
): Float32Array[] {
  let at = 0;
  return parts.map(({ from, size, rows, columns }) => {
    const left = p.subarray(at, at + rows * rank);
    at += rows * rank;
    return plainly(() =>
      matrix(values.subarray(from, from + size), rows, columns)
        .transpose()
        .matmul(matrix(left, rows, rank)),
    );
  });
}

/** P·Qᵀ of each part, at its place. */
function approximate(
  into: Float32Array,
  parts: readonly Part[],
  p: Float32Array,
  q: Float32Array,
  rank: number,
): void {
  let [left, right] = [0, 0];
  for (const { from, rows, columns } of parts) {
    const a = p.subarray(left, left + rows * rank);
    const b = q.subarray(right, right + columns * rank);
    left += rows * rank;
    right += columns * rank;
    into.set(
      plainly(() => matrix(a, rows, rank).matmul(matrix(b, columns, rank).transpose())),
      from,
    );
  }
}

const plainly = (f: () => Tensor): Float32Array => tidy(() => f().toTypedArray() as Float32Array);

/** Gram–Schmidt on the columns, in double precision; a column that depends on those before becomes zeros. */
export function orthonormalize(x: Float32Array, rows: number, columns: number): void {
  for (let c = 0; c < columns; c++) {
    let before = 0;
    for (let i = 0; i < rows; i++) before += x[i * columns + c] ** 2;
    for (let d = 0; d < c; d++) {
      let dot = 0;
      for (let i = 0; i < rows; i++) dot += x[i * columns + c] * x[i * columns + d];
      for (let i = 0; i < rows; i++) x[i * columns + c] -= dot * x[i * columns + d];
    }
    let after = 0;
    for (let i = 0; i < rows; i++) after += x[i * columns + c] ** 2;
    const length = Math.sqrt(after);
    // what rounding has left of a dependent column is noise
    const factor = after > 1e-10 * before && length > 0 ? 1 / length : 0;
    for (let i = 0; i < rows; i++) x[i * columns + c] *= factor;
  }
}

/** Normally distributed, the same on every rank. */
function gaussian(count: number, seed: readonly [number, number]): Float32Array {
  const words = new WordStream([seed[0], seed[1]]);
  const unit = (): number => (words.next() + 0.5) / 2 ** 32;
  return Float32Array.from(
    { length: count },
    () => Math.sqrt(-2 * Math.log(unit())) * Math.cos(2 * Math.PI * unit()),
  );
}
