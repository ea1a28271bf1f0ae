/**
 * A client's pushes to one partition, each to be applied exactly once: numbered without a gap, sent in order, sent again
 * in order over a new connection or to a new head, which knows by the numbers what it has.
 */
import { MlsysError } from "../../core/errors.js";
import type { PushOp } from "./shard.js";

export interface PushAnswer {
  readonly version: number;
  /** It came after its step was over and was dropped. */
  readonly late: boolean;
}

interface Push {
  readonly op: Omit<PushOp, "n" | "c">;
  readonly frames: readonly Uint8Array[];
  resolve(answer: PushAnswer): void;
  reject(error: Error): void;
  n: number;
  /** The request that it is under way as, 0 if it is not. */
  i: number;
}

export class PushChannel {
  /** Acknowledged pushes that a new leader did not have: only where replication is asynchronous, or there is none. */
  lost = 0;
  private waiting: Push[] = [];
  private last = 0;

  /** @param transmit sends an operation as request `i` to whom the partition's head is now; false if nobody is there */
  constructor(
    private readonly client: string,
    private readonly requests: { next: number },
    private readonly transmit: (i: number, op: PushOp, frames: readonly Uint8Array[]) => boolean,
  ) {}

  /** Pushes without an answer. */
  get length(): number {
    return this.waiting.length;
  }

  push(op: Omit<PushOp, "n" | "c">, frames: readonly Uint8Array[]): Promise<PushAnswer> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ op, frames, resolve, reject, n: ++this.last, i: 0 });
      this.send();
    });
  }

  /** Is request `i` one of these, and without an answer? */
  has(i: number): boolean {
    return this.waiting.some((push) => push.i === i);
  }

  /** The way to the head is new: what has no answer is sent again. */
  again(): void {
    for (const push of this.waiting) push.i = 0;
    this.send();
  }

  /** @returns true if the request was one of these */
  ok(i: number, answer: PushAnswer): boolean {
    const at = this.waiting.findIndex((push) => push.i === i);
    if (at < 0) return false;
    const [push] = this.waiting.splice(at, 1);
    push.resolve(answer);
    return true;
  }

  /** The head wants number `n` next. @returns as `ok` */
  gap(i: number, n: number): boolean {
    const first = this.waiting.find((push) => push.i === i);
    if (!first) return false; // an answer to what was sent before: the rest was sent again since
    const expected = this.waiting[0].n;
    if (n < expected) {
      this.lost += expected - n;
      this.number(n);
    }
    this.again();
    return true;
  }

  /** The head refuses one for good: those behind it move up. @returns as `ok` */
  bad(i: number, text: string): boolean {
    const at = this.waiting.findIndex((push) => push.i === i);
    if (at < 0) return false;
    const [push] = this.waiting.splice(at, 1);
    push.reject(new MlsysError(text));
    for (const later of this.waiting.slice(at)) later.n--;
    this.last--;
    for (const later of this.waiting.slice(at)) later.i = 0;
    this.send();
    return true;
  }

  fail(error: Error): void {
    for (const push of this.waiting.splice(0)) push.reject(error);
  }

  private number(from: number): void {
    this.waiting.forEach((push, k) => {
      push.n = from + k;
    });
    this.last = from + this.waiting.length - 1;
  }

  private send(): void {
    for (const push of this.waiting) {
      if (push.i > 0) continue;
      const i = this.requests.next++;
      if (!this.transmit(i, { ...push.op, c: this.client, n: push.n }, push.frames)) return;
      push.i = i;
    }
  }
}
