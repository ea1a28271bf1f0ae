/** Subscriptions: messages of a topic, given to a callback by the executor, or to a loop. */
import type { HostSubscription, MessageInfo, QoSProfile } from "../host.js";
import type { MessageType } from "../interfaces/types.js";
import type { CallbackGroup, Entity, Owner } from "./callback-group.js";
import { NodeDestroyedError } from "./errors.js";
import { type WaitContext, type WaitOptions, waitUntil } from "./wait.js";

export type MessageCallback<M> = (message: M, info: MessageInfo) => unknown;

/** First in, first out; with `limit`, the oldest give way. Constant time at both ends. */
class Queue<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  constructor(private readonly limit: number) {}

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    if (this.size >= this.limit) this.shift();
    this.#items.push(item);
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head > 64 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  clear(): void {
    this.#items = [];
    this.#head = 0;
  }
}

const limitOf = (qos: QoSProfile): number => (qos.history === "keep_all" ? Infinity : qos.depth);

/** Calls a callback for each message. Made by `node.createSubscription`. */
export class Subscription<M> implements Entity, Disposable {
  readonly #queue: Queue<[M, MessageInfo]>;
  #host: HostSubscription | undefined;
  #destroyed = false;

  /** @internal `attach` is called once, with what takes the messages. */
  constructor(
    readonly type: MessageType<M>,
    /** The topic's full name. */
    readonly topic: string,
    readonly qos: QoSProfile,
    private readonly callback: MessageCallback<M>,
    readonly group: CallbackGroup,
    private readonly owner: Owner,
    private readonly context: WaitContext,
    attach: (onMessage: (message: M, info: MessageInfo) => void) => HostSubscription,
  ) {
    this.#queue = new Queue(limitOf(qos));
    this.#host = attach((message, info) => {
      if (this.#destroyed) return;
      this.#queue.push([message, info]);
      this.wake();
    });
  }

  /** Publishers whose messages come here, as far as discovery knows. */
  get publisherCount(): number {
    return this.#destroyed ? 0 : (this.#host?.publisherCount ?? 0);
  }

  /**
   * True as soon as at least `count` publishers are there, false on timeout.
   * @throws NodeDestroyedError, or the signal's reason
   */
  waitForPublishers(count = 1, options?: WaitOptions): Promise<boolean> {
    return waitUntil(
      this.context,
      () => {
        if (this.#destroyed) throw new NodeDestroyedError(`the subscription of ${this.topic} was destroyed`);
        return this.publisherCount >= count;
      },
      options,
    );
  }

  destroy(): void {
    if (this.#destroyed) return;
    this.#destroyed = true;
    this.#queue.clear();
    this.#host?.dispose();
    this.owner.forget(this);
  }

  [Symbol.dispose](): void {
    this.destroy();
  }

  /** @internal */
  wake(): void {
    this.owner.wake(this);
  }

  /** @internal */
  isReady(): boolean {
    return this.#queue.size > 0;
  }

  /** @internal */
  take(): (() => unknown) | undefined {
    const next = this.#queue.shift();
    return next && (() => this.callback(...next));
  }

  /** @internal */
  fail(error: unknown): void {
    this.owner.report(error, `subscription of ${this.topic}`);
  }
}

/**
 * The messages of a topic as an async iterator. It begins to collect when it is made, keeps as many as its QoS depth
 * says, and ends when the loop is left, its signal is aborted or its node is destroyed.
 */
export class MessageStream<M> implements AsyncIterableIterator<M, undefined>, AsyncDisposable {
  readonly #queue: Queue<M>;
  readonly #waiting: ((result: IteratorResult<M, undefined>) => void)[] = [];
  readonly #host: HostSubscription;
  #ended = false;

  /** @internal */
  constructor(
    readonly type: MessageType<M>,
    /** The topic's full name. */
    readonly topic: string,
    readonly qos: QoSProfile,
    private readonly owner: Owner,
    attach: (onMessage: (message: M) => void) => HostSubscription,
    private readonly signal?: AbortSignal,
  ) {
    this.#queue = new Queue(limitOf(qos));
    this.#host = attach((message) => {
      if (this.#ended) return;
      const waiting = this.#waiting.shift();
      if (waiting) waiting({ done: false, value: message });
      else this.#queue.push(message);
    });
    signal?.addEventListener("abort", this.destroy);
    if (signal?.aborted) this.destroy();
  }

  /** Publishers whose messages come here, as far as discovery knows. */
  get publisherCount(): number {
    return this.#ended ? 0 : this.#host.publisherCount;
  }

  next(): Promise<IteratorResult<M, undefined>> {
    const message = this.#queue.shift();
    if (message !== undefined) return Promise.resolve({ done: false, value: message });
    if (this.#ended) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async return(): Promise<IteratorResult<M, undefined>> {
    this.destroy();
    this.#queue.clear();
    return { done: true, value: undefined };
  }

  /** Ends it; what it has collected may still be read. */
  readonly destroy = (): void => {
    if (this.#ended) return;
    this.#ended = true;
    this.signal?.removeEventListener("abort", this.destroy);
    this.#host.dispose();
    for (const waiting of this.#waiting.splice(0)) waiting({ done: true, value: undefined });
    this.owner.forget(this);
  };

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}
