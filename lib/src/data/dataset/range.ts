/** Parts of a dataset: take, skip, shard. */
import { AGAIN, after, type Maybe, until } from "./maybe.js";
import { type Cursor, END, type Node, openNode, type Pulled, type RandomAccess, type State } from "./node.js";
import { indexedNode } from "./source.js";

export function takeNode<T>(input: Node<T>, count: number): Node<T> {
  const size = input.size === undefined ? undefined : Math.min(input.size, count);
  return {
    op: "take",
    name: `take(${count})`,
    inputs: [input],
    spec: { kind: "other" },
    size,
    indexed: view(input, (length) => ({ length: Math.min(length, count), at: (i) => i })),
    open(opening, state) {
      const taken = (state?.taken as number | undefined) ?? 0;
      if (taken >= count) return new Nothing(state ?? { taken });
      return new Taking(openNode(input, opening, state?.input as State | undefined), count, taken);
    },
  };
}

/** Behind the last element: what lies below is not opened. */
class Nothing implements Cursor<never> {
  constructor(private readonly at: State) {}
  next = (): typeof END => END;
  state = (): State => this.at;
  close = (): void => {};
}

class Taking<T> implements Cursor<T> {
  constructor(
    private readonly input: Cursor<T>,
    private readonly count: number,
    private taken: number,
  ) {}

  next(): Maybe<Pulled<T>> {
    if (this.taken >= this.count) return END;
    return after(this.input.next(), (x) => {
      if (x !== END) this.taken++;
      return x;
    });
  }

  state(): State {
    return { taken: this.taken, input: this.input.state() };
  }

  close(): Maybe<void> {
    return this.input.close();
  }
}

/** Positions of a node's elements, seen through a function of positions. */
function view<T>(
  input: Node<T>,
  chosen: (length: number) => { length: number; at: (i: number) => number },
): Node<T>["indexed"] {
  const below = input.indexed;
  if (!below) return undefined;
  return (epoch): RandomAccess<T> => {
    const access = below(epoch);
    const { length, at } = chosen(access.length);
    return { length, at: (i) => access.at(at(i)) };
  };
}

export function skipNode<T>(input: Node<T>, count: number): Node<T> {
  const name = `skip(${count})`;
  const size = input.size === undefined ? undefined : Math.max(0, input.size - count);
  const indexed = view(input, (length) => ({ length: Math.max(0, length - count), at: (i) => i + count }));
  if (indexed) return indexedNode("skip", [input], size as number, indexed, name);
  return {
    op: "skip",
    name,
    inputs: [input],
    spec: { kind: "other" },
    size,
    open: (opening, state) =>
      new Following(
        openNode(input, opening, (state?.input as State | undefined) ?? undefined),
        state ? 0 : count,
      ),
  };
}

/** What comes behind the first `left` elements. */
class Following<T> implements Cursor<T> {
  constructor(
    private readonly input: Cursor<T>,
    private left: number,
  ) {}

  next(): Maybe<Pulled<T>> {
    return until(() =>
      after(this.input.next(), (x): Pulled<T> | typeof AGAIN => {
        if (x === END || this.left === 0) return x;
        this.left--;
        return AGAIN;
      }),
    );
  }

  state(): State {
    const input = this.input.state();
    return { input: this.left === 0 ? input : { from: input, skip: this.left } };
  }

  close(): Maybe<void> {
    return this.input.close();
  }
}

/**
 * Every `count`-th element, from the one with number `rank` on.
 * @param even leaves out what not every rank has an element of
 */
export function shardNode<T>(input: Node<T>, rank: number, count: number, even: boolean): Node<T> {
  const name = `shard(${rank} of ${count})`;
  const part = (length: number): number =>
    even ? Math.floor(length / count) : Math.ceil(Math.max(0, length - rank) / count);
  const indexed = view(input, (length) => ({ length: part(length), at: (i) => i * count + rank }));
  const size = input.size === undefined ? undefined : part(input.size);
  if (indexed) return indexedNode("shard", [input], size as number, indexed, name);
  return {
    op: "shard",
    name,
    inputs: [input],
    spec: { kind: "other" },
    size,
    open: (opening, state) =>
      new Sharding(openNode(input, opening, state?.input as State | undefined), rank, count, even),
  };
}

class Sharding<T> implements Cursor<T> {
  constructor(
    private readonly input: Cursor<T>,
    private readonly rank: number,
    private readonly count: number,
    private readonly even: boolean,
  ) {}

  /** Reads one round, an element for each rank. */
  next(): Maybe<Pulled<T>> {
    let read = 0;
    let mine: Pulled<T> = END;
    return until(() =>
      after(this.input.next(), (x): Pulled<T> | typeof AGAIN => {
        if (x === END) return this.even ? END : mine;
        if (read === this.rank) mine = x;
        read++;
        return read === this.count ? mine : AGAIN;
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
