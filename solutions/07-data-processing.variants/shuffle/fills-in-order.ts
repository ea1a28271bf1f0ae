// expect: wrong 5/8
// fails: broken off anywhere, several times | states hold no elements, and little is read again
// why: fills the buffer in the order of the tape
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
    this.draws = state.draws as number;
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
      this.held.push(...[...found].map(([at, element]) => ({ at, element })));
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
