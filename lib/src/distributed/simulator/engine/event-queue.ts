/** What happens next: events by time, and by order of scheduling where times are equal, so that a run is the same each time. */

/** A binary heap over arrays of numbers: no object per event. */
export class EventQueue {
  readonly #times: number[] = [];
  readonly #orders: number[] = [];
  readonly #events: number[] = [];
  #scheduled = 0;

  get size(): number {
    return this.#times.length;
  }

  /** When the first event happens; infinity if there is none. */
  get nextTime(): number {
    return this.#times.length > 0 ? this.#times[0] : Number.POSITIVE_INFINITY;
  }

  /** The first event, left where it is; there must be one. */
  get next(): number {
    return this.#events[0];
  }

  /** @param event a number that says to the caller what happens */
  push(time: number, event: number): void {
    let at = this.#times.length;
    const order = this.#scheduled++;
    this.#times.push(time);
    this.#orders.push(order);
    this.#events.push(event);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** The first event, taken out. */
  pop(): number | undefined {
    if (this.#times.length === 0) return undefined;
    const event = this.#events[0];
    const last = this.#times.length - 1;
    this.#swap(0, last);
    this.#times.pop();
    this.#orders.pop();
    this.#events.pop();
    let at = 0;
    for (;;) {
      let least = at;
      for (let child = 2 * at + 1; child <= 2 * at + 2 && child < last; child++)
        if (this.#before(child, least)) least = child;
      if (least === at) return event;
      this.#swap(at, least);
      at = least;
    }
  }

  #before(a: number, b: number): boolean {
    const [ta, tb] = [this.#times[a], this.#times[b]];
    return ta < tb || (ta === tb && this.#orders[a] < this.#orders[b]);
  }

  #swap(a: number, b: number): void {
    swap(this.#times, a, b);
    swap(this.#orders, a, b);
    swap(this.#events, a, b);
  }
}

function swap(column: number[], a: number, b: number): void {
  const kept = column[a];
  column[a] = column[b];
  column[b] = kept;
}
