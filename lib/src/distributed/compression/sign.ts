/**
 * One bit: of each gradient its sign is sent, and for each block of them the mean size. (Seide et al. 2014; with error feedback as
 * Karimireddy et al. 2019.)
 */
import { ValueError } from "../../core/errors.js";
import { sizeOf } from "../../core/shape.js";
import { type CompressionHook, Counter, gatheredMean, hookOf, Residuals } from "./hook.js";

export interface OneBitOptions {
  /** Numbers that share a mean size, of one parameter: where many gradients are 0 (unused inputs), small blocks lose less. Default 128. */
  readonly block?: number;
}

/**
 * Sends a bit for each gradient and four bytes for each block of them: with blocks of 128 a 25th of float32.
 * @example distributed.oneBitHook().statistics.sent // 0
 * @throws ValueError unless blocks have a whole number of elements, from 1
 */
export function oneBitHook({ block = 128 }: OneBitOptions = {}): CompressionHook {
  if (!Number.isInteger(block) || block < 1)
    throw new ValueError(`oneBitHook: a block has a whole number of elements, from 1, got ${block}`);
  const counter = new Counter();
  const residuals = new Residuals();
  return hookOf(counter, (bucket, group) => {
    const values = residuals.gradients(bucket);
    const ends = blockEnds(
      bucket.parameters.map(({ shape }) => sizeOf(shape)),
      block,
    );
    const bytes = packSigns(values, ends);
    const sent = new Float32Array(values.length);
    addSigns(sent, bytes, ends);
    const lost = values.map((x, i) => x - sent[i]);
    residuals.keep(bucket, lost);
    counter.lose(values, lost);
    return gatheredMean(bucket, group, counter, bytes, (sum, received) => addSigns(sum, received, ends));
  });
}

/** Where each block ends; none reaches into the next parameter. */
function blockEnds(sizes: readonly number[], block: number): number[] {
  const ends: number[] = [];
  let start = 0;
  for (const size of sizes) {
    for (let at = block; at < size; at += block) ends.push(start + at);
    start += size;
    ends.push(start);
  }
  return ends;
}

/** Mean sizes of the blocks (float32), then a bit for each number: 1 for those below 0. */
export function packSigns(values: Float32Array, ends: readonly number[]): Uint8Array {
  const head = 4 * ends.length;
  const bytes = new Uint8Array(head + Math.ceil(values.length / 8));
  const scales = new Float32Array(bytes.buffer, 0, ends.length);
  let start = 0;
  ends.forEach((end, part) => {
    let sum = 0;
    for (let i = start; i < end; i++) sum += Math.abs(values[i]);
    scales[part] = end > start ? sum / (end - start) : 0;
    start = end;
  });
  for (let i = 0; i < values.length; i++) if (values[i] < 0) bytes[head + (i >> 3)] |= 1 << (i & 7);
  return bytes;
}

/** Adds what was packed. */
export function addSigns(sum: Float32Array, bytes: Uint8Array, ends: readonly number[]): void {
  const head = 4 * ends.length;
  const scales = new Float32Array(bytes.buffer, bytes.byteOffset, ends.length);
  let start = 0;
  ends.forEach((end, part) => {
    for (let i = start; i < end; i++)
      sum[i] += (bytes[head + (i >> 3)] >> (i & 7)) & 1 ? -scales[part] : scales[part];
    start = end;
  });
}
