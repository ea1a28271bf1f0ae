// expect: wrong 7/8
// fails: the end comes in order, and to everybody
// why: tells the end only to the consumer whose turn it is
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
    if (queue.length >= this.capacity) return false;
    queue.push(value);
    return true;
  }

  pop(consumer: number): Popped {
    const turn = this.next % this.producers;
    const queue = this.queues[turn];
    if (this.next % this.consumers !== consumer) return null;
    if (queue.length === 0) return this.closed[turn] ? { done: true } : null;
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
