/** A map that forgets what was not used for longest once it holds too much. */
export class LruMap<K, V> {
  private readonly entries = new Map<K, V>(); // in order of use

  constructor(private readonly most: number) {}

  get size(): number {
    return this.entries.size;
  }

  /** The value, which counts as a use. */
  get(key: K): V | undefined {
    const value = this.entries.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: K, value: V): void {
    this.entries.delete(key);
    this.entries.set(key, value);
    if (this.entries.size > this.most) this.entries.delete(this.entries.keys().next().value as K);
  }
}
