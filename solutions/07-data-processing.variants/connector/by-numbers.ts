// expect: correct
// why: numbers every element when it is pushed, and keeps them in one table
class Connector {
  private readonly made: number[] = [];
  private readonly over = new Set<number>();
  private readonly store = new Map<number, { value: unknown }>();
  private given = 0;
  constructor(
    readonly producers: number,
    readonly consumers: number,
    readonly capacity: number,
  ) {
    for (let i = 0; i < producers; i++) this.made.push(i);
  }

  push(producer: number, value: unknown): boolean {
    if (this.over.has(producer)) throw new Error("closed");
    const mine = [...this.store.keys()].filter((j) => j % this.producers === producer).length;
    if (mine === this.capacity) return false;
    this.store.set(this.made[producer], { value });
    this.made[producer] += this.producers;
    return true;
  }

  pop(consumer: number): Popped {
    const found = this.store.get(this.given);
    if (found === undefined && this.over.has(this.given % this.producers)) return { done: true };
    if (found === undefined || this.given % this.consumers !== consumer) return null;
    this.store.delete(this.given++);
    return found;
  }

  close(producer: number): void {
    this.over.add(producer);
  }

  waiting(): number {
    return this.store.size;
  }
}
