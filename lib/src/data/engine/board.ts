/**
 * Connectors: how stages of threads hand chunks on in order. Each producer has a queue of its own to each consumer; chunk
 * j is made by producer j mod N and taken by consumer j mod M, so that each knows from whom its next one comes, and no
 * one sorts. (Book, chapter 7: order-preserving connectors.) Data goes through message ports; when, is said by counters
 * in shared memory, so that a full queue stops its producer and an empty one its consumer, without an event loop.
 */

/** Words of one queue. */
const PUSHED = 0;
const POPPED = 1;
const QUEUE_WORDS = 2;

/** Most queues and threads of one crew. */
export const MAX_THREADS = 64;
const MAX_QUEUES = 8192;

/** A queue's end, as it is sent to a thread. */
export interface QueueEnd<Port> {
  readonly port: Port;
  /** Number of the queue on the board. */
  readonly queue: number;
  /** Whom to wake when something has changed: the thread at the other end. */
  readonly other: number;
  /** Chunks that may wait in it. */
  readonly capacity: number;
}

/** The counters that all threads see: a bell per thread, two words per queue. */
export class Board {
  readonly words: Int32Array<SharedArrayBuffer>;

  constructor(shared = new SharedArrayBuffer(4 * (MAX_THREADS + QUEUE_WORDS * MAX_QUEUES))) {
    this.words = new Int32Array(shared);
  }

  static readonly queues = MAX_QUEUES;

  pushed(queue: number): void {
    Atomics.add(this.words, this.at(queue) + PUSHED, 1);
  }

  popped(queue: number): void {
    Atomics.add(this.words, this.at(queue) + POPPED, 1);
  }

  /** Chunks that are in the queue. */
  waiting(queue: number): number {
    const at = this.at(queue);
    return (Atomics.load(this.words, at + PUSHED) - Atomics.load(this.words, at + POPPED)) | 0;
  }

  /** A new queue in the place of an old one. */
  clear(queue: number): void {
    const at = this.at(queue);
    this.words.fill(0, at, at + QUEUE_WORDS);
  }

  /** Wakes a thread; the main one (−1) hears of its chunks by messages. */
  ring(thread: number): void {
    if (thread < 0) return;
    Atomics.add(this.words, thread, 1);
    Atomics.notify(this.words, thread);
  }

  /** What the bell shows; `sleep` returns once it shows something else. */
  heard(thread: number): number {
    return Atomics.load(this.words, thread);
  }

  sleep(thread: number, heard: number): void {
    Atomics.wait(this.words, thread, heard);
  }

  private at(queue: number): number {
    return MAX_THREADS + QUEUE_WORDS * queue;
  }
}
