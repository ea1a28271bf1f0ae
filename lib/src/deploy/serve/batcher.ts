/**
 * Dynamic batching: requests wait in a bounded queue; whenever an instance is free, the oldest one leaves together with
 * those that may share its run. Nobody waits while an instance is idle, unless a delay says so.
 */
import { ServeError } from "./errors.js";

/** What waits. */
export interface Queued {
  /** Requests share a run only with those of the same key; `null`: with none. */
  readonly key: string | null;
  /** Rows that it brings. */
  readonly rows: number;
  /** Milliseconds of the clock at which it came, … */
  readonly since: number;
  /** … and at which its client stops waiting; `Infinity`: never. */
  readonly deadline: number;
}

export interface BatcherOptions {
  /** Rows of one run. */
  readonly maxBatch: number;
  /** Milliseconds that the oldest may wait for others to come. */
  readonly maxDelayMs: number;
  /** Numbers of rows that are run without waiting for more. */
  readonly preferred: readonly number[];
  /** Requests that may wait. */
  readonly maxQueue: number;
  /** Milliseconds; so that tests have a clock of their own. */
  readonly now: () => number;
  /** Calls `f` once after so many milliseconds; returns how to call that off. */
  readonly later: (f: () => void, ms: number) => () => void;
}

export class Batcher<T extends Queued> {
  private queue: T[] = [];
  private free = 0;
  private callOff: (() => void) | null = null;

  constructor(
    private readonly options: BatcherOptions,
    /** Runs a batch; the place it took is given back by `release`. */
    private readonly run: (batch: readonly T[]) => void,
  ) {}

  get length(): number {
    return this.queue.length;
  }

  /** Rows that wait. */
  get rows(): number {
    return this.queue.reduce((sum, { rows }) => sum + rows, 0);
  }

  /** @throws ServeError RESOURCE_EXHAUSTED if the queue is full; `retryAfter` is the caller's guess, in seconds. */
  add(item: T, retryAfter: () => number): void {
    const { maxQueue } = this.options;
    if (this.queue.length >= maxQueue && !(this.free > 0 && this.queue.length === 0))
      throw new ServeError(
        "RESOURCE_EXHAUSTED",
        `the queue is full: ${this.queue.length} request(s) wait, at most ${maxQueue} may`,
        { retryAfter: retryAfter() },
      );
    this.queue.push(item);
    this.pump();
  }

  /** Takes one out that nobody waits for any more. @returns whether it was still there */
  remove(item: T): boolean {
    const at = this.queue.indexOf(item);
    if (at < 0) return false;
    this.queue.splice(at, 1);
    this.pump(); // the others may be a batch now, or their turn another
    return true;
  }

  /** Takes all out. */
  clear(): T[] {
    const all = this.queue;
    this.queue = [];
    this.pump();
    return all;
  }

  /** One more batch may run. */
  release(): void {
    this.free++;
    this.pump();
  }

  /** A place that `release` gave is gone. */
  withdraw(): void {
    this.free--;
  }

  private pump(): void {
    this.callOff?.();
    this.callOff = null;
    while (this.free > 0 && this.queue.length > 0) {
      const { batch, wait } = this.next();
      if (wait > 0) {
        this.callOff = this.options.later(() => this.pump(), wait);
        return;
      }
      const taken = new Set(batch);
      this.queue = this.queue.filter((item) => !taken.has(item));
      this.free--;
      this.run(batch);
    }
  }

  /** The batch whose time comes first: the oldest one's, unless it waits for others and another's need not. */
  private next(): { batch: readonly T[]; wait: number } {
    const seen = new Set<string>();
    let first: { batch: readonly T[]; wait: number } | null = null;
    for (const head of this.queue) {
      if (head.key !== null && seen.has(head.key)) continue;
      if (head.key !== null) seen.add(head.key);
      const batch = this.batch(head);
      const wait = this.wait(head, batch);
      if (first === null || wait < first.wait) first = { batch, wait };
      if (wait <= 0) break;
    }
    return first as NonNullable<typeof first>;
  }

  /** The oldest and those behind it that may go with it, in order; cut to a preferred size if there is no full one. */
  private batch(head: T): T[] {
    const { maxBatch, preferred } = this.options;
    if (head.key === null) return [head];
    const batch: T[] = [];
    let rows = 0;
    let best = 0; // requests that make up the largest preferred size
    for (const item of this.queue) {
      if (item.key !== head.key) continue;
      if (rows + item.rows > maxBatch) break; // those behind it must not overtake it
      rows += item.rows;
      batch.push(item);
      if (preferred.includes(rows)) best = batch.length;
    }
    return best > 0 && rows < maxBatch ? batch.slice(0, best) : batch;
  }

  /** Milliseconds that this batch should wait for others. */
  private wait(head: T, batch: readonly T[]): number {
    const { maxBatch, maxDelayMs, preferred, now } = this.options;
    if (head.key === null || maxDelayMs <= 0) return 0;
    const rows = batch.reduce((sum, item) => sum + item.rows, 0);
    const behind = this.queue.find((item) => item.key === head.key && !batch.includes(item));
    if (rows >= maxBatch || preferred.includes(rows) || behind !== undefined) return 0;
    const until = head.since + maxDelayMs;
    if (batch.some(({ deadline }) => deadline <= until)) return 0; // it would come too late
    return Math.max(0, until - now());
  }
}
