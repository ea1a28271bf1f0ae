/** A goal's feedback as an async iterator: it collects from before the goal is sent, so that nothing is missed. */
export class FeedbackStream<Feedback> implements AsyncIterableIterator<Feedback, undefined> {
  private queue: Feedback[] = [];
  private readonly waiting: ((result: IteratorResult<Feedback, undefined>) => void)[] = [];
  private isOver = false;
  private lost = 0;

  /** @param depth most that are kept for a loop that is slower, or not there yet */
  constructor(private readonly depth: number) {}

  /** Feedback that was given up because nobody took it: the oldest. */
  get dropped(): number {
    return this.lost;
  }

  /** @internal */
  push(feedback: Feedback): void {
    if (this.isOver) return;
    const waiting = this.waiting.shift();
    if (waiting) {
      waiting({ done: false, value: feedback });
      return;
    }
    this.queue.push(feedback);
    if (this.queue.length <= this.depth) return;
    this.queue.shift();
    this.lost++;
  }

  /** @internal What was collected can still be taken. */
  end(): void {
    this.isOver = true;
    for (const waiting of this.waiting.splice(0)) waiting({ done: true, value: undefined });
  }

  next(): Promise<IteratorResult<Feedback, undefined>> {
    if (this.queue.length > 0) return Promise.resolve({ done: false, value: this.queue.shift()! });
    if (this.isOver) return Promise.resolve({ done: true, value: undefined });
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  async return(): Promise<IteratorResult<Feedback, undefined>> {
    this.end();
    this.queue = [];
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
