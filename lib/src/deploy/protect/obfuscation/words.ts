/**
 * Values as words of 32 bits, disguised: each word goes to another place, and another number is added to it, modulo 2³².
 * Both can be undone to the bit, for every dtype, which adding noise to floating-point numbers could not: (w + n) − n rounds.
 */
import { createCipheriv } from "node:crypto";
import { bytesPerElement } from "../../../core/dtype.js";
import { isContiguous } from "../../../core/layout.js";
import { sizeOf, type TensorType } from "../../../core/shape.js";
import { type DenseTensor, denseFromBytes, elementBytes } from "../../../runtime/dense.js";
import { getDevice } from "../../../runtime/devices.js";
import type { Dice } from "../dice.js";

/** Word i goes to (offset + step · i) mod n; step and n have no common divisor. */
export interface Places {
  readonly step: number;
  readonly offset: number;
}

export const bytesOf = (type: TensorType): number => sizeOf(type.shape) * bytesPerElement(type.dtype);
/** Words that the elements fill, the last perhaps in part. */
export const wordsOf = (type: TensorType): number => Math.ceil(bytesOf(type) / 4);

export function randomPlaces(words: number, dice: Dice): Places {
  if (words < 2) return { step: 1, offset: 0 };
  let step = 1 + dice.below(words - 1);
  while (gcd(step, words) !== 1) step = 1 + dice.below(words - 1);
  return { step, offset: dice.below(words) };
}

export const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));

/** The elements as words, in place where they lie so: to be read, and not for long. */
export function wordsFrom(tensor: DenseTensor): Int32Array {
  const start = tensor.offset * bytesPerElement(tensor.dtype);
  if (isContiguous(tensor) && start % 4 === 0 && bytesOf(tensor) % 4 === 0) {
    tensor.needAlive();
    const all = tensor.storage.readableBytes();
    return new Int32Array(all.buffer, all.byteOffset + start, bytesOf(tensor) / 4);
  }
  const bytes = elementBytes(tensor);
  const whole = bytes.length % 4 === 0 ? bytes : new Uint8Array(4 * Math.ceil(bytes.length / 4));
  if (whole !== bytes) whole.set(bytes);
  return new Int32Array(whole.buffer, whole.byteOffset, whole.length / 4);
}

/** A tensor of these words. */
export function fromWords(words: Int32Array, type: TensorType): DenseTensor {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, bytesOf(type));
  return denseFromBytes(bytes, type.shape, type.dtype, getDevice());
}

/** What is added: `added`, from its beginning again when it ends. */
export function disguise(words: Int32Array, { step, offset }: Places, added: Int32Array): Int32Array {
  const n = words.length;
  const out = new Int32Array(n);
  const m = added.length;
  for (let i = 0, to = offset, k = 0; i < n; i++) {
    out[to] = m === 0 ? words[i] : (words[i] + added[k]) | 0;
    to += step;
    if (to >= n) to -= n;
    if (++k >= m) k = 0;
  }
  return out;
}

/** The words that were disguised so. */
export function undisguise(words: Int32Array, { step, offset }: Places, added: Int32Array): Int32Array {
  const n = words.length;
  const out = new Int32Array(n);
  const m = added.length;
  for (let i = 0, from = offset, k = 0; i < n; i++) {
    out[i] = m === 0 ? words[from] : (words[from] - added[k]) | 0;
    from += step;
    if (from >= n) from -= n;
    if (++k >= m) k = 0;
  }
  return out;
}

let zeros = Buffer.alloc(0);

/** Words that look random to those without the key: AES-256 in counter mode. */
export function noise(key: Uint8Array, iv: Uint8Array, words: number): Int32Array {
  if (zeros.length < 4 * words) zeros = Buffer.alloc(4 * words);
  const bytes = createCipheriv("aes-256-ctr", key, iv).update(zeros.subarray(0, 4 * words));
  const own = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  return new Int32Array(own.buffer, own.byteOffset, words);
}

/** Several stretches as one. */
export function joined(parts: readonly Int32Array[]): Int32Array {
  if (parts.length === 1) return parts[0];
  const out = new Int32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The stretches of these lengths. */
export function divided(words: Int32Array, lengths: readonly number[]): Int32Array[] {
  let at = 0;
  return lengths.map((length) => {
    at += length;
    return words.subarray(at - length, at);
  });
}
