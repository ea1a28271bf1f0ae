/** A buffer in parts that lie one after the other, and what members do with two of them at once. */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import type { Cost, Member } from "./collective.js";

/** The parts of `data` that hold `counts` bytes each, as views. */
export function partsOf(data: Uint8Array, counts: readonly number[]): Uint8Array[] {
  let at = 0;
  return counts.map((count) => {
    const part = data.subarray(at, at + count);
    at += count;
    return part;
  });
}

/**
 * Sizes in bytes of `count` parts of whole elements, as even as possible: the first get one more. With more parts than
 * elements the last are empty.
 */
export function evenCounts(bytes: number, count: number, dtype: DType): number[] {
  const width = bytesPerElement(dtype);
  const elements = bytes / width;
  const least = Math.floor(elements / count);
  const rest = elements % count;
  return Array.from({ length: count }, (_, i) => (least + (i < rest ? 1 : 0)) * width);
}

/** Sum of the counts. */
export const total = (counts: readonly number[]): number => counts.reduce((sum, count) => sum + count, 0);

/** `x` modulo the size of the group, never negative. */
export const wrap = (x: number, size: number): number => ((x % size) + size) % size;

/** ⌈log₂ p⌉: rounds in which everybody can hear of everybody. */
export const rounds = (size: number): number => Math.ceil(Math.log2(size));

/** True for 1, 2, 4, 8 … */
export const isPowerOfTwo = (size: number): boolean => Number.isInteger(Math.log2(size));

/** Why an algorithm that halves the group again and again can't do this one. */
export const powersOfTwoOnly = ({ size }: { readonly size: number }): string | undefined =>
  isPowerOfTwo(size) ? undefined : `needs a number of members that is a power of two, this group has ${size}`;

/** Sends and receives at the same time: links are full duplex. */
export async function exchange(
  member: Member,
  to: number,
  bytes: Uint8Array,
  from: number,
  into: Uint8Array,
): Promise<void> {
  await Promise.all([member.send(to, bytes), member.receive(from, into)]);
}

/** Sends that go on while the member does other things. */
export class Sends {
  private readonly underWay: Promise<void>[] = [];

  add(send: Promise<void>): void {
    send.catch(() => {}); // `done` says so, or what came before has failed
    this.underWay.push(send);
  }

  async done(): Promise<void> {
    await Promise.all(this.underWay);
  }
}

/** The cost of one thing after another. */
export function inTurn(...costs: readonly Cost[]): Cost {
  const sum = { messages: 0, rounds: 0, bytes: 0, combined: 0, near: { messages: 0, bytes: 0 } };
  for (const { messages, rounds = messages, bytes, combined, near } of costs) {
    sum.messages += messages;
    sum.rounds += rounds;
    sum.bytes += bytes;
    sum.combined += combined;
    sum.near.messages += near?.messages ?? 0;
    sum.near.bytes += near?.bytes ?? 0;
  }
  return sum;
}
