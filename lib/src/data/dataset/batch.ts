/** Several elements as one: batch, window, groupBy. */
import { AGAIN, after, type Maybe, until } from "./maybe.js";
import { advanced, type Cursor, END, type Node, openNode, type Pulled, type State } from "./node.js";
import { Replay } from "./replay.js";

export function batchNode(input: Node, count: number, dropRemainder: boolean): Node<unknown[]> {
  const size =
    input.size === undefined ? undefined : (dropRemainder ? Math.floor : Math.ceil)(input.size / count);
  return {
    op: "batch",
    name: `batch(${count})`,
    inputs: [input],
    spec: { kind: "batch", count, dropRemainder },
    size,
    advance(state, batches) {
      const below = advanced(input, state?.input as State | undefined, batches * count);
      return below && { input: below };
    },
    open(opening, state) {
      const below = openNode(input, opening, state?.input as State | undefined);
      return new Batching(below, count, dropRemainder);
    },
  };
}

class Batching implements Cursor<unknown[]> {
  constructor(
    private readonly input: Cursor<unknown>,
    private readonly count: number,
    private readonly dropRemainder: boolean,
  ) {}

  next(): Maybe<Pulled<unknown[]>> {
    const batch: unknown[] = [];
    return until(() =>
      after(this.input.next(), (x): unknown[] | typeof END | typeof AGAIN => {
        if (x === END) return batch.length > 0 && !this.dropRemainder ? batch : END;
        batch.push(x);
        return batch.length === this.count ? batch : AGAIN;
      }),
    );
  }

  state(): State {
    return { input: this.input.state() };
  }

  close(): Maybe<void> {
    return this.input.close();
  }
}

export interface WindowShape {
  readonly size: number;
  /** Elements from one window's first to the next one's. */
  readonly shift: number;
  /** Elements from one of a window to the next of it. */
  readonly stride: number;
  readonly dropRemainder: boolean;
}

export function windowNode(input: Node, shape: WindowShape): Node<unknown[]> {
  const { size, shift, stride, dropRemainder } = shape;
  const span = (size - 1) * stride + 1;
  const count = (n: number): number =>
    dropRemainder ? Math.max(0, Math.floor((n - span) / shift) + 1) : Math.ceil(n / shift);
  return {
    op: "window",
    name: `window(${size})`,
    inputs: [input],
    spec: { kind: "other" },
    size: input.size === undefined ? undefined : count(input.size),
    open(opening, state) {
      const first = (state?.first as number | undefined) ?? 0;
      const below = openNode(input, opening, state?.input as State | undefined);
      return new Windows(
        new Replay(below, Math.max(span, 16), (state?.at as number | undefined) ?? 0),
        first,
        shape,
        span,
      );
    },
  };
}

class Windows implements Cursor<unknown[]> {
  private held: unknown[] = [];
  private ended = false;

  constructor(
    private readonly input: Replay<unknown>,
    /** Position of the next window's first element. */
    private first: number,
    private readonly shape: WindowShape,
    private readonly span: number,
  ) {}

  next(): Maybe<Pulled<unknown[]>> {
    const { shift, stride, dropRemainder } = this.shape;
    return until(() => {
      if (!this.ended && this.input.index < this.first + this.span) return this.read();
      const whole = this.held.length >= this.span;
      if (this.held.length === 0 || (!whole && dropRemainder)) return END;
      const window = this.held.slice(0, this.span).filter((_, i) => i % stride === 0);
      this.held.splice(0, shift);
      this.first += shift;
      if (this.input.full) this.input.forget(Math.min(this.first, this.input.index));
      return window;
    });
  }

  state(): State {
    const at = Math.min(this.first, this.input.index);
    return { first: this.first, at, input: this.input.stateAt(at) };
  }

  close(): Maybe<void> {
    return this.input.close();
  }

  private read(): Maybe<typeof AGAIN> {
    const at = this.input.index;
    return after(this.input.next(), (x) => {
      if (x === END) this.ended = true;
      else if (at >= this.first) this.held.push(x); // else between two windows
      return AGAIN;
    });
  }
}

/** Elements of one key. */
export interface Group<K, T> {
  readonly key: K;
  readonly items: T[];
}

export function groupNode<K, T>(input: Node, keyOf: (item: T) => K, size: number): Node<Group<K, T>> {
  return {
    op: "groupBy",
    name: `groupBy(${keyOf.name || "key"})`,
    inputs: [input],
    spec: { kind: "other" },
    open(opening, state) {
      const below = openNode(input as Node<T>, opening, state?.input as State | undefined);
      const at = (state?.at as number | undefined) ?? 0;
      return new Groups(new Replay(below, Math.max(size, 64), at), keyOf, size, state);
    },
  };
}

class Groups<K, T> implements Cursor<Group<K, T>> {
  /** By key, in order of the first element. */
  private readonly open = new Map<K, { readonly indices: number[]; readonly items: T[] }>();
  private readonly wanted: Set<number> | null;
  private readonly readBefore: number;
  private ended = false;

  constructor(
    private readonly input: Replay<T>,
    private readonly keyOf: (item: T) => K,
    private readonly size: number,
    state: State | undefined,
  ) {
    this.wanted = state ? new Set(state.held as number[]) : null;
    this.readBefore = (state?.read as number | undefined) ?? 0;
  }

  next(): Maybe<Pulled<Group<K, T>>> {
    return until(() => {
      if (!this.ended) return this.read();
      for (const [key, { items }] of this.open) {
        this.open.delete(key);
        return { key, items };
      }
      return END;
    });
  }

  state(): State {
    // what the state before this one held and is not read again yet belongs to it still
    const later = this.input.index < this.readBefore ? [...(this.wanted as Set<number>)] : [];
    const held = [
      ...[...this.open.values()].flatMap(({ indices }) => indices),
      ...later.filter((i) => i >= this.input.index),
    ];
    const at = this.oldest(); // before the first read, nothing held is before the input's position
    return { held, read: Math.max(this.input.index, this.readBefore), at, input: this.input.stateAt(at) };
  }

  close(): Maybe<void> {
    return this.input.close();
  }

  private oldest(): number {
    let oldest = this.input.index;
    for (const { indices } of this.open.values()) if (indices[0] < oldest) oldest = indices[0];
    return oldest;
  }

  private read(): Maybe<Group<K, T> | typeof AGAIN> {
    const at = this.input.index;
    return after(this.input.next(), (item) => {
      if (item === END) {
        this.ended = true;
        return AGAIN;
      }
      if (at < this.readBefore && !this.wanted?.has(at)) return AGAIN; // given already
      const key = this.keyOf(item);
      const group = this.open.get(key) ?? { indices: [], items: [] };
      group.indices.push(at);
      group.items.push(item);
      this.open.set(key, group);
      if (this.input.full) this.input.forget(this.oldest());
      if (group.items.length < this.size) return AGAIN;
      this.open.delete(key);
      return { key, items: group.items };
    });
  }
}
