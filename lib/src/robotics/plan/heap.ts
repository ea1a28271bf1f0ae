/** A binary heap of numbered items under pairs of keys, compared one after the other; keys can change. */

export class KeyedHeap {
  private readonly items: number[] = [];
  private readonly first: Float64Array;
  private readonly second: Float64Array;
  /** Where each item stands in `items`; −1: nowhere. */
  private readonly place: Int32Array;

  /** @param capacity items are 0 … capacity − 1 */
  constructor(capacity: number) {
    this.first = new Float64Array(capacity);
    this.second = new Float64Array(capacity);
    this.place = new Int32Array(capacity).fill(-1);
  }

  get size(): number {
    return this.items.length;
  }

  has(item: number): boolean {
    return this.place[item] >= 0;
  }

  /** The least item. −1 if there is none. */
  peek(): number {
    return this.items[0] ?? -1;
  }

  keyOf(item: number): readonly [number, number] {
    return [this.first[item], this.second[item]];
  }

  /** Puts an item in, or changes its keys. */
  set(item: number, first: number, second: number): void {
    this.first[item] = first;
    this.second[item] = second;
    if (this.place[item] < 0) {
      this.place[item] = this.items.length;
      this.items.push(item);
    }
    this.up(this.place[item]);
    this.down(this.place[item]);
  }

  /** Takes the least item out. −1 if there is none. */
  pop(): number {
    const least = this.peek();
    if (least >= 0) this.delete(least);
    return least;
  }

  delete(item: number): void {
    const at = this.place[item];
    if (at < 0) return;
    this.place[item] = -1;
    const last = this.items.pop() as number;
    if (last === item) return;
    this.items[at] = last;
    this.place[last] = at;
    this.up(at);
    this.down(this.place[last]);
  }

  private less(a: number, b: number): boolean {
    return (
      this.first[a] < this.first[b] || (this.first[a] === this.first[b] && this.second[a] < this.second[b])
    );
  }

  private up(from: number): void {
    const { items, place } = this;
    let at = from;
    const item = items[at];
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.less(item, items[parent])) break;
      items[at] = items[parent];
      place[items[at]] = at;
      at = parent;
    }
    items[at] = item;
    place[item] = at;
  }

  private down(from: number): void {
    const { items, place } = this;
    let at = from;
    const item = items[at];
    for (;;) {
      let child = 2 * at + 1;
      if (child >= items.length) break;
      if (child + 1 < items.length && this.less(items[child + 1], items[child])) child++;
      if (!this.less(items[child], item)) break;
      items[at] = items[child];
      place[items[at]] = at;
      at = child;
    }
    items[at] = item;
    place[item] = at;
  }
}
