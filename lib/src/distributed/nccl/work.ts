/** Work on a GPU's stream: others wait for it by events, the host only when it has to. */

import type { CudaDevice } from "../../runtime/cuda/start.js";
import { type CudaEvent, CudaStream, EventPool } from "../../runtime/cuda/stream.js";
import type { Storage } from "../../runtime/storage.js";
import type { Work } from "../group/process-group.js";
import { GroupTimeoutError } from "../transport/errors.js";

/** What an operation is, and what it gives. */
export interface Enqueued<T> {
  /** For messages: "allReduce float32(3)". */
  readonly what: string;
  /** What it reads and writes: kept until it is over. */
  readonly storages: readonly Storage[];
  readonly enqueue: () => void;
  readonly finish: () => T;
}

interface Entry {
  readonly over: CudaEvent;
  readonly storages: readonly Storage[];
}

/** The stream that communicates, beside the one that computes. */
export class CommunicationStream {
  readonly stream: CudaStream;
  private readonly events: EventPool;
  private entries: Entry[] = [];

  constructor(
    private readonly device: CudaDevice,
    /** What went wrong on other members or on the device. @throws CudaError */
    private readonly check: () => void,
    private readonly abort: () => void,
    /** Milliseconds. */
    private readonly timeout: number,
  ) {
    const { driver } = device.context;
    this.stream = new CudaStream(driver);
    this.events = new EventPool(driver);
  }

  /** Enqueues behind what the device computes now. */
  post<T>({ what, storages, enqueue, finish }: Enqueued<T>): Work<T> {
    this.sweep();
    const ready = this.events.take().record(this.device.context.stream);
    this.stream.wait(ready);
    this.events.give(ready); // the wait has its own copy of what was recorded
    for (const storage of storages) storage.retain();
    enqueue();
    const over = this.events.take().record(this.stream);
    this.entries.push({ over, storages });
    return this.workOf(what, over, finish);
  }

  /** Waits for all that is under way. */
  close(): void {
    this.stream.synchronize();
    this.sweep();
    this.events[Symbol.dispose]();
    this.stream[Symbol.dispose]();
  }

  private workOf<T>(what: string, over: CudaEvent, finish: () => T): Work<T> {
    const until = Date.now() + this.timeout;
    let made: { readonly value: T } | null = null;
    const isOver = (): boolean => made !== null || !this.isUnderWay(over) || over.passed;
    /** Whatever is computed from now on comes behind the operation; the host does not wait. */
    const wait = (): T => {
      this.check();
      if (!made && this.isUnderWay(over)) this.device.context.stream.wait(over);
      made ??= { value: finish() };
      return made.value;
    };
    const arrival = async (): Promise<T> => {
      while (!isOver()) {
        this.check();
        if (Date.now() > until) {
          this.abort();
          throw new GroupTimeoutError(`${what}: not finished within ${this.timeout} ms`);
        }
        await new Promise((resolve) => setTimeout(resolve, 0));
      }
      return wait();
    };
    return {
      get done() {
        return isOver();
      },
      wait,
      // biome-ignore lint/suspicious/noThenProperty: work can be awaited
      then: (resolved, rejected) => arrival().then(resolved, rejected),
    };
  }

  private isUnderWay(over: CudaEvent): boolean {
    return this.entries.some((entry) => entry.over === over);
  }

  /** Lets go of what finished operations have used. */
  private sweep(): void {
    this.entries = this.entries.filter(({ over, storages }) => {
      if (!over.passed) return true;
      for (const storage of storages) storage.drop();
      over[Symbol.dispose](); // not to the pool: work that was handed out may still ask for it
      return false;
    });
  }
}
