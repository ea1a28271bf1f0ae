// expect: correct
// why: the next element takes the place of the drawn one; the state is what was given so far, by position
class Shuffle<T> {
  private slots: { place: number; value: T }[] = [];
  private count = 0;
  private hole = -1;
  constructor(
    private readonly tape: Tape<T>,
    private readonly size: number,
    private readonly seed: number,
    state?: ShuffleState,
  ) {
    if (state === undefined) return;
    const places = state.places as number[];
    this.count = state.count as number;
    this.hole = state.hole as number;
    const end = state.end as number;
    const first = places.reduce((a, b) => Math.min(a, b), end);
    tape.skip(first);
    const seen: T[] = [];
    while (tape.position < end) seen.push((tape.read() as { element: T }).element);
    this.slots = places.map((place) => ({ place, value: seen[place - first] }));
  }

  next(): T | undefined {
    for (;;) {
      if (this.hole < 0 && this.slots.length >= this.size) break;
      const place = this.tape.position;
      const got = this.tape.read();
      if (got === null) {
        if (this.hole >= 0) this.slots.splice(this.hole, 1);
        this.hole = -1;
        break;
      }
      if (this.hole >= 0) this.slots[this.hole] = { place, value: got.element };
      else this.slots.push({ place, value: got.element });
      this.hole = -1;
    }
    if (this.slots.length === 0) return undefined;
    this.hole = below(this.seed, this.count++, this.slots.length);
    return this.slots[this.hole].value;
  }

  state(): ShuffleState {
    return { places: this.slots.map(({ place }) => place), hole: this.hole, count: this.count, end: this.tape.position };
  }
}
