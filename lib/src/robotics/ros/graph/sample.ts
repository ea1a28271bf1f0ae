/** One published message on its way. */
import type { Codec } from "./copy.js";

/** Whose request a request or reply belongs to: the reader of the client's replies, and the client's count. */
export interface Related {
  readonly client: string;
  readonly call: number;
}

export class Sample {
  /** Queues and histories that hold it. */
  private users = 0;

  constructor(
    /** Counts the writer's samples from 1. */
    readonly sequence: number,
    /** Milliseconds since 1970. */
    readonly sourceTime: number,
    readonly receivedTime: number,
    /** Milliseconds since 1970 after which it is not delivered. */
    readonly expires: number,
    private content: unknown,
    readonly related: Related | null,
    /** Whether `message` is the publisher's own object, that it may still change. */
    private isBorrowed: boolean,
    private bytes = -1,
  ) {}

  get message(): unknown {
    return this.content;
  }

  /** Holds it: from now on the publisher's changes don't reach it. */
  hold(codec: Codec | null): void {
    this.users++;
    if (!this.isBorrowed || !codec) return;
    this.content = codec.copy(this.content);
    this.isBorrowed = false;
  }

  /** About how many bytes the message has. */
  size(codec: Codec | null): number {
    if (this.bytes < 0) this.bytes = codec ? codec.size(this.content) : 0;
    return this.bytes;
  }

  release(): void {
    this.users--;
  }

  /** Gives the message to one holder, who owns it then: a copy as long as others hold it. */
  take(codec: Codec): unknown {
    return --this.users > 0 ? codec.copy(this.content) : this.content;
  }
}

/** Samples that a writer keeps for late joiners, or a reader until they are taken; KEEP_LAST drops the oldest. */
export class History {
  private samples: Sample[] = [];
  private first = 0;

  /** @param depth `Infinity` for KEEP_ALL */
  constructor(private readonly depth: number) {}

  get length(): number {
    return this.samples.length - this.first;
  }

  push(sample: Sample): void {
    if (this.length >= this.depth) this.shift()?.release();
    this.samples.push(sample);
  }

  shift(): Sample | undefined {
    if (this.length === 0) return undefined;
    const sample = this.samples[this.first];
    this.samples[this.first++] = undefined as never;
    if (this.first === this.samples.length) {
      this.samples.length = 0;
      this.first = 0;
    } else if (this.first > 64 && this.first * 2 > this.samples.length) {
      this.samples.splice(0, this.first);
      this.first = 0;
    }
    return sample;
  }

  *[Symbol.iterator](): Generator<Sample> {
    for (let i = this.first; i < this.samples.length; i++) yield this.samples[i];
  }

  clear(): void {
    for (const sample of this) sample.release();
    this.samples.length = 0;
    this.first = 0;
  }
}
