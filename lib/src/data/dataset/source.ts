/** Where elements come from: lists, whatever can be iterated, whatever has positions. */
import { ValueError } from "../../core/errors.js";
import { after, type Maybe } from "./maybe.js";
import {
  type Cursor,
  END,
  type Node,
  type Opening,
  type Pulled,
  type RandomAccess,
  type State,
} from "./node.js";

/** An iterator that can say where it is, of a source that can go on there. */
export interface Resumable<T> extends Iterable<T> {
  [Symbol.iterator](): Iterator<T> & { state(): State };
  resume(state: State): Iterator<T> & { state(): State };
}

/** What a dataset can be made of. A function is called at the start of each walk, with the number of walks before it. */
export type Source<T> =
  | RandomAccess<T>
  | Iterable<T>
  | AsyncIterable<T>
  | Resumable<T>
  | ((epoch: number) => Iterable<T> | AsyncIterable<T>);

type Opened<T> = Iterator<T> | AsyncIterator<T>;

/** @throws ValueError for what is no source */
export function sourceNode<T>(source: Source<T>): Node<T> {
  if (isRandomAccess(source)) return indexedNode("from", [], source.length, () => source);
  const spread = (epoch: number): Opened<T> => {
    const made = typeof source === "function" ? source(epoch) : source;
    return iteratorOf(made);
  };
  if (typeof source !== "function") check(source);
  return {
    op: "from",
    name: "from",
    inputs: [],
    spec: { kind: "other" },
    size: (source as { size?: unknown }).size as number | undefined,
    open: (opening, state) => new Iterating(source, spread, opening, state),
  };
}

function isRandomAccess<T>(source: Source<T>): source is RandomAccess<T> {
  const { length, at } = source as Partial<RandomAccess<T>>;
  return typeof source === "object" && typeof length === "number" && typeof at === "function";
}

function check(source: unknown): void {
  const known =
    typeof source === "object" &&
    source !== null &&
    (Symbol.iterator in source || Symbol.asyncIterator in source);
  if (!known)
    throw new ValueError(
      `dataset: from wants something iterable, async iterable, with length and at(i), or a function that gives one, got ${source === null ? "null" : typeof source}`,
    );
}

function iteratorOf<T>(source: Iterable<T> | AsyncIterable<T>): Opened<T> {
  check(source);
  return Symbol.iterator in source ? source[Symbol.iterator]() : source[Symbol.asyncIterator]();
}

/** An iterator, and how far it is. One that can't be resumed is walked again up to there. */
class Iterating<T> implements Cursor<T> {
  private readonly iterator: Opened<T> & { state?(): State };
  private index = 0;
  private skip: number;
  private ended = false;

  constructor(source: Source<T>, spread: (epoch: number) => Opened<T>, opening: Opening, state?: State) {
    this.skip = 0;
    if (state?.own !== undefined && typeof (source as Resumable<T>).resume === "function") {
      this.iterator = (source as Resumable<T>).resume(state.own as State);
      this.index = state.index as number;
    } else {
      this.iterator = spread(opening.epoch);
      this.skip = (state?.index as number | undefined) ?? 0;
    }
  }

  next(): Maybe<Pulled<T>> {
    if (this.ended) return END;
    for (;;) {
      const result = this.iterator.next();
      if (result instanceof Promise || !("done" in result || "value" in result))
        return after(result, (r) => this.take(r) ?? this.next());
      const taken = this.take(result as IteratorResult<T>);
      if (taken !== null) return taken as Pulled<T>;
    }
  }

  state(): State {
    const own = this.skip === 0 ? this.iterator.state?.() : undefined;
    return { index: this.index + this.skip, ...(own === undefined ? {} : { own }) };
  }

  close(): Maybe<void> {
    if (this.ended) return;
    this.ended = true;
    return after(this.iterator.return?.() as Maybe<unknown>, () => {});
  }

  /** `null`: an element that was there before. */
  private take({ done, value }: IteratorResult<T>): Pulled<T> | null {
    if (done) {
      this.ended = true;
      return END;
    }
    if (this.skip > 0) {
      this.skip--;
      this.index++;
      return null;
    }
    this.index++;
    return value;
  }
}

/** A node that has its elements by position: a walk is a count. */
export function indexedNode<T>(
  op: string,
  inputs: readonly Node[],
  size: number,
  indexed: (epoch: number) => RandomAccess<T>,
  name = op,
): Node<T> {
  return {
    op,
    name,
    inputs,
    spec: { kind: "other" },
    size,
    indexed,
    advance: (state, count) => ({ index: ((state?.index as number | undefined) ?? 0) + count }),
    open: ({ epoch }, state) => new Counting(indexed(epoch), (state?.index as number | undefined) ?? 0),
  };
}

class Counting<T> implements Cursor<T> {
  constructor(
    private readonly access: RandomAccess<T>,
    private index: number,
  ) {}

  next(): Maybe<Pulled<T>> {
    return this.index < this.access.length ? this.access.at(this.index++) : END;
  }

  state(): State {
    return { index: this.index };
  }

  close(): void {}
}
