// expect: wrong 4/8
// fails: broken off anywhere, several times | broken off behind 7 of 20, and gone on | states hold no elements, and little is read again
// why: begins its random numbers anew
/** A random order through a buffer of `size` elements. */
class Shuffle<T> {
  private readonly held: { at: number; element: T }[] = [];
  private draws = 0;
  constructor(
    private readonly tape: Tape<T>,
    private readonly size: number,
    private readonly seed: number,
    state?: ShuffleState,
  ) {
    if (!state) return;
    const { held, read } = state as { held: number[]; read: number };
    if (held.length > 0) {
      tape.skip(Math.min(...held));
      const found = new Map<number, T>();
      while (found.size < held.length) {
        const at = tape.position;
        const got = tape.read();
        if (!got) break;
        if (held.includes(at)) found.set(at, got.element);
      }
      this.held.push(...held.map((at) => ({ at, element: found.get(at) as T })));
    }
    tape.skip(read - tape.position);
  }

  next(): T | undefined {
    const { held, tape } = this;
    while (held.length < this.size) {
      const at = tape.position;
      const got = tape.read();
      if (!got) break;
      held.push({ at, element: got.element });
    }
    if (held.length === 0) return undefined;
    const drawn = below(this.seed, this.draws++, held.length);
    const { element } = held[drawn];
    held[drawn] = held[held.length - 1];
    held.pop();
    return element;
  }

  state(): ShuffleState {
    return { held: this.held.map(({ at }) => at), read: this.tape.position, draws: this.draws };
  }
}
