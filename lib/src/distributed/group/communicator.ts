/** The computing thread's end of its communication thread: posts orders, hands out work. */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { MlsysError } from "../../core/errors.js";
import { memory } from "../../runtime/heap.js";
import { ring } from "../transport/bell.js";
import { errorOf, GroupTimeoutError } from "../transport/errors.js";
import type { Place } from "../transport/transport.js";
import type { Work } from "./process-group.js";
import {
  type CommunicationStart,
  FAILED,
  OK,
  type Order,
  PENDING,
  type Reply,
  SLOTS,
  WANTED,
  written,
} from "./protocol.js";

/** Regions of the heap that the thread can note. */
const REGION_WORDS = 1 + 2 * 512;
/** Milliseconds that the communication thread has for telling of a timeout, before it counts as dead itself. */
const MARGIN = 30_000;

type WithoutSlot<T> = T extends { slot: number } ? Omit<T, "slot"> : never;
export type Posted = WithoutSlot<Order>;

export interface TransportChoice {
  /** URL of a module that exports `open`: see OpenTransport. */
  readonly module: string;
  readonly config: unknown;
  /** The word by which the transport's other members wake this one's thread. Default: one of its own. */
  readonly bell?: Int32Array<SharedArrayBuffer>;
}

/** Work that is under way: what it holds on to, and what becomes of its end. */
class Posting<T> implements Work<T> {
  private ended: { readonly failure: Error | null; readonly value: unknown } | null = null;
  private result: { readonly value: T } | { readonly error: Error } | null = null;
  private promise: Promise<T> | null = null;
  private tell: (() => void) | null = null;

  constructor(
    private readonly communicator: Communicator,
    readonly slot: number,
    readonly what: string,
    readonly timeout: number,
    private readonly finish: (value: unknown) => T,
    private readonly giveBack: () => void,
  ) {}

  get done(): boolean {
    if (!this.ended) this.communicator.look(this);
    return this.ended !== null;
  }

  wait(): T {
    if (!this.ended) this.communicator.sleep(this);
    const result = this.outcome();
    if ("error" in result) throw result.error;
    return result.value;
  }

  // biome-ignore lint/suspicious/noThenProperty: work can be awaited
  then<U = T, V = never>(
    resolved?: ((value: T) => U | PromiseLike<U>) | null,
    rejected?: ((reason: unknown) => V | PromiseLike<V>) | null,
  ): Promise<U | V> {
    this.promise ??= new Promise<T>((resolve, reject) => {
      const tell = (): void => {
        const result = this.outcome();
        if ("error" in result) reject(result.error);
        else resolve(result.value);
      };
      if (this.done || this.communicator.isDone(this)) tell();
      else this.tell = tell;
    });
    return this.promise.then(resolved, rejected);
  }

  /** @param failure `null` if all went well */
  end(failure: Error | null, value: unknown): void {
    if (this.ended) return;
    this.ended = { failure, value };
    if (!failure) this.giveBack(); // after a failure late messages may still come for its buffers: they are left alone
    const { tell } = this;
    this.tell = null;
    tell?.();
  }

  /** Made by whoever asks first, so that the result belongs to that one's scope. */
  private outcome(): { readonly value: T } | { readonly error: Error } {
    if (this.result) return this.result;
    const { failure, value } = this.ended as { failure: Error | null; value: unknown };
    try {
      this.result = failure ? { error: failure } : { value: this.finish(value) };
    } catch (error) {
      this.result = { error: error as Error };
    }
    return this.result;
  }

  get awaited(): boolean {
    return this.tell !== null;
  }
}

export class Communicator {
  private readonly words = new Int32Array(new SharedArrayBuffer(4 * SLOTS));
  private readonly bell: Int32Array<SharedArrayBuffer>;
  private readonly port: MessagePort;
  private readonly worker: Worker;
  private readonly free: number[] = [];
  private fresh = 0;
  private readonly postings = new Map<number, Posting<unknown>>();
  /** What has come for operations whose end was not looked at yet. */
  private readonly values = new Map<number, unknown>();
  private readonly errors = new Map<number, Error>();
  private awaited = 0;
  private death: Error | null = null;
  private closing: Promise<void> | null = null;
  private ready: ((error: Error | null) => void) | null = null;
  name = "";
  rank = 0;
  size = 0;
  places: readonly Place[] = [];

  private constructor(transport: TransportChoice) {
    this.bell = transport.bell ?? new Int32Array(new SharedArrayBuffer(4));
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    const start: CommunicationStart = {
      mlsysHeap: { memory, regions: new Int32Array(new SharedArrayBuffer(4 * REGION_WORDS)) },
      words: this.words,
      bell: this.bell,
      port: port2,
      transport: { module: transport.module, config: transport.config },
    };
    this.worker = new Worker(new URL("./worker.js", import.meta.url), {
      workerData: start,
      transferList: [port2],
      execArgv: [],
      name: "communication",
    });
    this.worker.on("error", (error) => this.die(`its communication thread died: ${error.message}`));
    this.worker.on("exit", () => this.die("its communication thread has ended"));
    port1.on("message", (message: Reply) => this.note(message));
  }

  /** Starts the thread and the transport on it. */
  static async open(transport: TransportChoice): Promise<Communicator> {
    const made = new Communicator(transport);
    try {
      await new Promise<void>((resolve, reject) => {
        made.ready = (error) => (error ? reject(error) : resolve());
      });
    } catch (error) {
      await made.worker.terminate();
      throw error;
    }
    made.ready = null;
    made.rest();
    return made;
  }

  /**
   * @param finish makes the result, of what the communication thread sends with it
   * @param giveBack lets go of what the operation needs
   */
  post<T>(
    order: Posted,
    what: string,
    timeout: number,
    finish: (value: unknown) => T,
    giveBack: () => void = () => {},
  ): Work<T> {
    if (this.death) throw this.death;
    const slot = this.slot();
    const posting = new Posting<T>(this, slot, what, timeout, finish, giveBack);
    this.postings.set(slot, posting as Posting<unknown>);
    this.send({ ...order, slot } as Order);
    return posting;
  }

  send(order: Order): void {
    this.port.postMessage(written(order));
    ring(this.bell);
  }

  look(posting: Posting<unknown>): void {
    const state = Atomics.load(this.words, posting.slot);
    if (state === OK || state === FAILED) this.settle(posting, state);
    else if (this.death) posting.end(this.death, undefined);
  }

  sleep(posting: Posting<unknown>): void {
    const { words } = this;
    const { slot } = posting;
    const until = Date.now() + posting.timeout + MARGIN;
    for (;;) {
      const state = Atomics.load(words, slot);
      if (state === OK || state === FAILED) {
        this.settle(posting, state);
        return;
      }
      const late = Atomics.wait(words, slot, state, Math.max(0, until - Date.now())) === "timed-out";
      if (this.death || late) {
        const why = `${posting.what}: the communication thread does not answer`;
        posting.end(this.death ?? new GroupTimeoutError(why), undefined);
        return;
      }
    }
  }

  /** False if a message will tell of the end. */
  isDone(posting: Posting<unknown>): boolean {
    const before = Atomics.compareExchange(this.words, posting.slot, PENDING, WANTED);
    if (before === PENDING || before === WANTED) {
      if (this.awaited++ === 0) this.holdProcess();
      return false;
    }
    this.settle(posting, before);
    return true;
  }

  /** Says goodbye and ends the thread. What is under way is finished before. */
  close(): Promise<void> {
    this.closing ??= this.shut();
    return this.closing;
  }

  /** Ends the thread at once. */
  async abandon(): Promise<void> {
    this.closing ??= Promise.resolve();
    await this.worker.terminate();
  }

  private async shut(): Promise<void> {
    if (!this.death) await this.post({ do: "close" }, "close", MARGIN, () => undefined);
    await this.worker.terminate();
  }

  private slot(): number {
    for (const posting of this.postings.values()) if (!posting.done) break; // gives back what those have that nobody looked at
    const slot = this.free.pop() ?? this.fresh++;
    if (slot >= SLOTS) throw new MlsysError(`more than ${SLOTS} operations under way`);
    return slot;
  }

  private settle(posting: Posting<unknown>, state: number): void {
    const { slot } = posting;
    for (let got = receiveMessageOnPort(this.port); got; got = receiveMessageOnPort(this.port))
      this.note(got.message as Reply);
    if (this.postings.get(slot) !== posting) return; // one of the messages told of its end, and settled it
    this.postings.delete(slot);
    if (posting.awaited && --this.awaited === 0) this.rest();
    const value = this.values.get(slot);
    const error = this.errors.get(slot) ?? null;
    this.values.delete(slot);
    this.errors.delete(slot);
    Atomics.store(this.words, slot, PENDING);
    this.free.push(slot);
    posting.end(state === FAILED ? (error ?? new MlsysError("it failed")) : null, value);
  }

  private note(message: Reply): void {
    switch (message.kind) {
      case "ready":
        this.name = message.name;
        this.rank = message.rank;
        this.size = message.size;
        this.places = message.places;
        this.ready?.(null);
        return;
      case "unready":
        this.ready?.(errorOf(message.error));
        return;
      case "failed":
        this.errors.set(message.slot, errorOf(message.error));
        return;
      case "value":
        this.values.set(message.slot, message.value);
        return;
      case "done": {
        const posting = this.postings.get(message.slot);
        if (posting) this.look(posting);
      }
    }
  }

  private die(why: string): void {
    if (this.death) return;
    this.death = new MlsysError(why);
    this.ready?.(this.death);
    for (const posting of [...this.postings.values()]) this.look(posting); // some have finished before it
    this.postings.clear();
    this.awaited = 0;
    this.port.close();
  }

  private holdProcess(): void {
    this.worker.ref();
    this.port.ref();
  }

  private rest(): void {
    this.worker.unref();
    this.port.unref();
  }
}
