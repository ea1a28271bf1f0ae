/** What a request gives, token by token. */
import { MlsysError } from "../../core/errors.js";

/** "stop": a stop token; "length": `maxTokens`, or the model's context is full. */
export type FinishReason = "stop" | "length" | "cancelled";

/** A type, so that it fits where any further properties may be (a server passes them on). */
export type GeneratedToken = {
  /** −1 where `finish` is "cancelled": no token came any more. */
  readonly token: number;
  /** Its number in the output, from 0. */
  readonly index: number;
  /** Natural logarithm of its probability, where the request asks for it. */
  readonly logprob?: number;
  /** In the last one. */
  readonly finish?: FinishReason;
};

/** Items that wait for one reader. */
export class TokenStream implements AsyncIterableIterator<GeneratedToken> {
  private readonly items: GeneratedToken[] = [];
  private waiting: {
    resolve(result: IteratorResult<GeneratedToken>): void;
    reject(error: unknown): void;
  }[] = [];
  private ended = false;
  private error: unknown = null;

  /** @param onLeft called when the reader stops before the end */
  constructor(private readonly onLeft: () => void) {}

  push(item: GeneratedToken): void {
    if (this.ended) return;
    if (item.finish) this.ended = true;
    const reader = this.waiting.shift();
    if (reader) reader.resolve({ value: item, done: false });
    else this.items.push(item);
    if (this.ended) this.settle();
  }

  /** Readers get the items that wait, then the error. */
  fail(error: unknown): void {
    if (this.ended) return;
    this.ended = true;
    this.error = error ?? new MlsysError("generation failed");
    this.settle();
  }

  next(): Promise<IteratorResult<GeneratedToken>> {
    const item = this.items.shift();
    if (item) return Promise.resolve({ value: item, done: false });
    if (!this.ended) return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
    const { error } = this;
    this.error = null;
    return error === null ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(error);
  }

  return(): Promise<IteratorResult<GeneratedToken>> {
    const left = !this.ended;
    this.ended = true;
    this.items.length = 0;
    this.error = null;
    this.settle();
    if (left) this.onLeft();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  private settle(): void {
    for (const reader of this.waiting.splice(0)) {
      if (this.error === null) reader.resolve({ value: undefined, done: true });
      else {
        reader.reject(this.error);
        this.error = null;
      }
    }
  }
}
