// expect: wrong 6/8
// fails: each place of the buffer is as likely | no more is read than fits the buffer, and no less
// why: shuffles one buffer after the other
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
      this.held.push(...held.map((at) => ({ at, element: found.get(at) as T })));
    }
    tape.skip(read - tape.position);
  }

  next(): T | undefined {
    const { held, tape } = this;
    while (held.length < this.size && (this.draws % this.size === 0)) {
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
