/** Several datasets as one, and one several times: zip, concat, repeat, interleave. */
import { AGAIN, after, isPromise, type Maybe, until } from "./maybe.js";
import { type Cursor, END, type Node, type Opening, openNode, type Pulled, type State } from "./node.js";

const known = (sizes: readonly (number | undefined)[]): sizes is readonly number[] =>
  sizes.every((size) => size !== undefined);

/** One element of each, as long as all have one. */
export function zipNode(inputs: readonly Node[]): Node<unknown[]> {
  const sizes = inputs.map((input) => input.size);
  return {
    op: "zip",
    name: "zip",
    inputs,
    spec: { kind: "other" },
    size: known(sizes) ? Math.min(...sizes) : undefined,
    open(opening, state) {
      const states = state?.inputs as State[] | undefined;
      return new Zipping(inputs.map((input, i) => openNode(input, opening, states?.[i])));
    },
  };
}

class Zipping implements Cursor<unknown[]> {
  constructor(private readonly inputs: readonly Cursor<unknown>[]) {}

  next(): Maybe<Pulled<unknown[]>> {
    const values = this.inputs.map((input) => input.next());
    if (!values.some(isPromise)) return values.includes(END) ? END : values;
    return Promise.all(values).then((list) => (list.includes(END) ? END : list));
  }

  state(): State {
    return { inputs: this.inputs.map((input) => input.state()) };
  }

  close(): Maybe<void> {
    return closeAll(this.inputs);
  }
}

function closeAll(cursors: readonly Cursor<unknown>[]): Maybe<void> {
  const open = cursors.map((cursor) => cursor.close()).filter(isPromise);
  return open.length === 0 ? undefined : Promise.all(open).then(() => {});
}

/** One after the other. */
export function concatNode<T>(inputs: readonly Node<T>[]): Node<T> {
  const sizes: readonly (number | undefined)[] = inputs.map((input) => input.size);
  const all = inputs.every(({ indexed }) => indexed);
  return {
    op: "concat",
    name: "concat",
    inputs,
    spec: { kind: "other" },
    size: known(sizes) ? sizes.reduce((a, b) => a + b, 0) : undefined,
    indexed: all
      ? (epoch) => {
          const parts = inputs.map((input) => (input.indexed as NonNullable<Node<T>["indexed"]>)(epoch));
          const ends: number[] = [];
          for (const { length } of parts) ends.push((ends.at(-1) ?? 0) + length);
          return {
            length: ends.at(-1) ?? 0,
            at(i) {
              const part = ends.findIndex((end) => i < end);
              return parts[part].at(part === 0 ? i : i - ends[part - 1]);
            },
          };
        }
      : undefined,
    open: (opening, state) => new Sequence(inputs.length, (k, s) => openNode(inputs[k], opening, s), state),
  };
}

/** `count` walks, each with the epoch that follows the one before. */
export function repeatNode<T>(input: Node<T>, count: number): Node<T> {
  const endless = count === Number.POSITIVE_INFINITY;
  const size = endless || input.size === undefined ? undefined : input.size * count;
  return {
    op: "repeat",
    name: endless ? "repeat" : `repeat(${count})`,
    inputs: [input],
    spec: { kind: "other" },
    size,
    open(opening, state) {
      // of an endless repetition there is but one walk, unless it is left early: those begin far apart
      const first = opening.epoch * (endless ? 2 ** 20 : count);
      const walk = (k: number, s: State | undefined): Cursor<T> =>
        openNode(input, { ...opening, epoch: first + k }, s);
      return new Sequence(count, walk, state, true);
    },
  };
}

/** Cursors one behind the other, each opened when the one before has ended. */
class Sequence<T> implements Cursor<T> {
  private at: number;
  private current: Cursor<T> | null = null;
  private start: State | undefined;
  private given = 0;

  constructor(
    private readonly count: number,
    private readonly walk: (k: number, state: State | undefined) => Cursor<T>,
    state: State | undefined,
    /** An empty walk ends all: it would be repeated for ever. */
    private readonly same = false,
  ) {
    this.at = (state?.at as number | undefined) ?? 0;
    this.start = (state?.input as State | null | undefined) ?? undefined;
  }

  next(): Maybe<Pulled<T>> {
    return until(() => {
      if (this.at >= this.count) return END;
      this.current ??= this.walk(this.at, this.start);
      const current = this.current;
      return after(current.next(), (x): Maybe<Pulled<T> | typeof AGAIN> => {
        if (x !== END) {
          this.given++;
          return x;
        }
        if (this.same && this.given === 0 && this.start === undefined) this.at = this.count;
        this.given = 0;
        this.start = undefined;
        this.current = null;
        this.at++;
        return after(current.close(), () => AGAIN);
      });
    });
  }

  state(): State {
    return { at: this.at, input: this.current?.state() ?? this.start ?? null };
  }

  close(): Maybe<void> {
    return this.current?.close();
  }
}

interface Lane {
  cursor: Cursor<unknown> | null;
  /** Before the element that it came from. */
  readonly made: number;
}

/** The elements of the datasets that `f` makes of elements: `cycle` of them at a time, `block` elements of each in turn. */
export function interleaveNode(input: Node, f: (item: unknown) => Node, cycle: number, block: number): Node {
  return {
    op: "interleave",
    name: `interleave(${cycle})`,
    inputs: [input],
    spec: { kind: "other" },
    open: (opening, state) => new Interleaving(input, f, cycle, block, opening, state),
  };
}

class Interleaving implements Cursor<unknown> {
  private readonly lanes: Lane[] = [];
  private turn: number;
  private given: number;
  private source: Cursor<unknown>;
  private made = 0;
  private ended = false;
  private restoring: (State | null)[];
  private readonly first: number[];
  private readonly skipTo: number;

  constructor(
    input: Node,
    private readonly f: (item: unknown) => Node,
    private readonly cycle: number,
    private readonly block: number,
    private readonly opening: Opening,
    state: State | undefined,
  ) {
    this.source = openNode(input, opening); // lanes are made again from the elements that they were made of
    this.turn = (state?.turn as number | undefined) ?? 0;
    this.given = (state?.given as number | undefined) ?? 0;
    this.restoring = [...((state?.lanes as (State | null)[] | undefined) ?? [])];
    this.first = [...((state?.made as number[] | undefined) ?? [])];
    this.skipTo = (state?.read as number | undefined) ?? 0;
  }

  next(): Maybe<Pulled<unknown>> {
    return until(() => {
      if (this.made < this.skipTo) return this.restore();
      if (!this.ended && this.lanes.length < this.cycle) return this.openLane(this.lanes.length);
      const lane = this.lanes[this.turn];
      if (!lane?.cursor) {
        if (!this.lanes.some(({ cursor }) => cursor)) return END;
        this.pass();
        return AGAIN;
      }
      return after(lane.cursor.next(), (x) => {
        if (x !== END) {
          if (++this.given === this.block) this.pass();
          return x;
        }
        const at = this.turn;
        return after((lane.cursor as Cursor<unknown>).close(), () => {
          lane.cursor = null;
          this.given = 0;
          if (!this.ended) return this.openLane(at);
          this.pass();
          return AGAIN;
        });
      });
    });
  }

  state(): State {
    if (this.made < this.skipTo)
      return {
        turn: this.turn,
        given: this.given,
        read: this.skipTo,
        lanes: this.restoring,
        made: this.first,
      };
    return {
      turn: this.turn,
      given: this.given,
      read: this.made,
      lanes: this.lanes.map(({ cursor }) => cursor?.state() ?? null),
      made: this.lanes.map(({ made }) => made),
    };
  }

  close(): Maybe<void> {
    return closeAll([this.source, ...this.lanes.flatMap(({ cursor }) => cursor ?? [])]);
  }

  private pass(): void {
    this.given = 0;
    this.turn = (this.turn + 1) % Math.max(1, this.lanes.length);
  }

  /** Reads the source up to where it was, and opens the lanes that were open. */
  private restore(): Maybe<typeof AGAIN> {
    return after(this.source.next(), (item) => {
      const slot = this.first.indexOf(this.made);
      this.made++;
      if (item === END) {
        this.made = this.skipTo;
        this.ended = true;
      } else if (slot >= 0) {
        const state = this.restoring[slot];
        const cursor = state === null ? null : openNode(this.f(item), this.opening, state);
        this.lanes[slot] = { cursor, made: this.made - 1 };
      }
      return AGAIN;
    });
  }

  private openLane(at: number): Maybe<typeof AGAIN> {
    return after(this.source.next(), (item) => {
      if (item === END) this.ended = true;
      else this.lanes[at] = { cursor: openNode(this.f(item), this.opening), made: this.made++ };
      return AGAIN;
    });
  }
}
