// expect: wrong 5/8
// fails: each producer has a queue of its own | random threads
// why: counts the capacity over all queues
/** Brings elements from N producers to M consumers in order. */
class Connector {
  private readonly queues: unknown[][];
  private readonly closed: boolean[];
  private next = 0;
  constructor(
    readonly producers: number,
    readonly consumers: number,
    readonly capacity: number,
  ) {
    this.queues = Array.from({ length: producers }, () => []);
    this.closed = this.queues.map(() => false);
  }

  push(producer: number, value: unknown): boolean {
    if (this.closed[producer]) throw new Error(`producer ${producer} is closed`);
    const queue = this.queues[producer];
    if (this.waiting() >= this.capacity) return false;
    queue.push(value);
    return true;
  }

  pop(consumer: number): Popped {
    const turn = this.next % this.producers;
    const queue = this.queues[turn];
    if (queue.length === 0) return this.closed[turn] ? { done: true } : null;
    if (this.next % this.consumers !== consumer) return null;
    this.next++;
    return { value: queue.shift() };
  }

  close(producer: number): void {
    this.closed[producer] = true;
  }

  waiting(): number {
    return this.queues.reduce((sum, { length }) => sum + length, 0);
  }
}
