/** Ops on one element at a time: map, filter, flatMap. */

import { attempt, counter, ElementError, type NoteFailure, SKIPPED } from "./failure.js";
import { type AGAIN, after, AGAIN as again, isPromise, type Maybe, until } from "./maybe.js";
import {
  advanced,
  type Call,
  type Cursor,
  END,
  type Node,
  type Opening,
  openNode,
  type Pulled,
  type RandomAccess,
  type State,
} from "./node.js";
import { Ahead } from "./prefetch.js";

type Kind = "map" | "filter" | "flatMap";

/** A node that calls a function with each element. */
export function elementNode(kind: Kind, input: Node, call: Call, op: string = kind): Node {
  return {
    op,
    name: call.name,
    inputs: [input],
    spec: { kind, call },
    size: kind === "map" && !mayLose(call) ? input.size : undefined,
    indexed: kind === "map" && !mayLose(call) && input.indexed ? mapped(input.indexed, call) : undefined,
    advance: kind === "map" && !mayLose(call) ? (state, count) => further(input, state, count) : undefined,
    open(opening, state) {
      const below = openNode(input, opening, state?.input as State | undefined);
      if (kind === "flatMap") return new Flattened(below, call, opening, state);
      const several = kind === "map" && typeof call.parallel === "number" && call.parallel > 1;
      if (several && opening.asynchronous)
        return new Ahead(below, call.parallel as number, state, applier(call, opening), input);
      return new PerElement(kind, below, call, opening, state);
    },
  };
}

/** Of an op that gives an element for each. */
function further(input: Node, state: State | undefined, count: number): State | undefined {
  const below = advanced(input, state?.input as State | undefined, count);
  return below && { index: ((state?.index as number | undefined) ?? 0) + count, input: below };
}

/** True if an element may be left out. */
const mayLose = ({ onError }: Call): boolean =>
  onError === "skip" || (typeof onError === "object" && onError.otherwise === "skip");

function mapped(indexed: (epoch: number) => RandomAccess<unknown>, call: Call) {
  return (epoch: number): RandomAccess<unknown> => {
    const input = indexed(epoch);
    return {
      length: input.length,
      at: (i) => after(input.at(i), (x) => naming(call, i, () => attempt(call, x, i, epoch, () => {}))),
    };
  };
}

/** Calls, and names the element in what is thrown. */
function naming(call: Call, index: number, body: () => Maybe<unknown>): Maybe<unknown> {
  const fail = (error: unknown): never => {
    throw new ElementError(call.name, index, error);
  };
  try {
    const result = body();
    return isPromise(result) ? result.then((x) => x, fail) : result;
  } catch (error) {
    return fail(error);
  }
}

/** The op's function in one walk. */
function applier(call: Call, { epoch, failures }: Opening): (item: unknown, index: number) => Maybe<unknown> {
  const note: NoteFailure = counter(failures, call.name);
  return (item, index) => naming(call, index, () => attempt(call, item, index, epoch, note));
}

class PerElement implements Cursor<unknown> {
  private index: number;
  private readonly apply: (item: unknown, index: number) => Maybe<unknown>;

  constructor(
    private readonly kind: Kind,
    private readonly input: Cursor<unknown>,
    call: Call,
    opening: Opening,
    state?: State,
  ) {
    this.index = (state?.index as number | undefined) ?? 0;
    this.apply = applier(call, opening);
  }

  next(): Maybe<Pulled<unknown>> {
    return until(() =>
      after(this.input.next(), (x) => {
        if (x === END) return END;
        return after(this.apply(x, this.index++), (y): unknown | typeof AGAIN => {
          if (y === SKIPPED) return again;
          return this.kind === "map" ? y : y ? x : again;
        });
      }),
    );
  }

  state(): State {
    return { index: this.index, input: this.input.state() };
  }

  close(): Maybe<void> {
    return this.input.close();
  }
}

/** The elements of what a function gives for each element. */
class Flattened implements Cursor<unknown> {
  private index: number;
  private readonly apply: (item: unknown, index: number) => Maybe<unknown>;
  private inner: Iterator<unknown> | AsyncIterator<unknown> | null = null;
  private given = 0;
  private skip: number;
  /** Before the element whose expansion is being given. */
  private before: State;

  constructor(
    private readonly input: Cursor<unknown>,
    call: Call,
    opening: Opening,
    state?: State,
  ) {
    this.index = (state?.index as number | undefined) ?? 0;
    this.skip = (state?.given as number | undefined) ?? 0;
    this.apply = applier(call, opening);
    this.before = input.state();
  }

  next(): Maybe<Pulled<unknown>> {
    return until(() => {
      if (this.inner) return this.fromInner(this.inner);
      this.before = this.input.state();
      return after(this.input.next(), (x) => {
        if (x === END) return END;
        return after(this.apply(x, this.index++), (list) => {
          if (list !== SKIPPED) this.inner = open(list as Iterable<unknown> | AsyncIterable<unknown>);
          return again;
        });
      });
    });
  }

  state(): State {
    return this.inner
      ? { index: this.index - 1, given: this.given, input: this.before }
      : { index: this.index, given: this.skip, input: this.input.state() };
  }

  close(): Maybe<void> {
    const { inner } = this;
    this.inner = null;
    return after(inner?.return?.() as Maybe<unknown>, () => this.input.close());
  }

  private fromInner(inner: Iterator<unknown> | AsyncIterator<unknown>): Maybe<unknown> {
    return after(inner.next() as Maybe<IteratorResult<unknown>>, ({ done, value }): unknown => {
      if (done) {
        this.inner = null;
        this.given = 0;
        return again;
      }
      this.given++;
      if (this.skip === 0) return value;
      this.skip--;
      return again;
    });
  }
}

function open(list: Iterable<unknown> | AsyncIterable<unknown>): Iterator<unknown> | AsyncIterator<unknown> {
  return Symbol.iterator in list ? list[Symbol.iterator]() : list[Symbol.asyncIterator]();
}
