/** Parts of a dataset: take, skip, shard. */
import { ValueError } from "../../core/errors.js";
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

/** What every rank gets if the elements can't be divided: see `Dataset.shard`. */
export type Evenness = false | "drop" | "pad";

/**
 * Every `count`-th element, from the one with number `rank` on. A state has the elements that all ranks together were given:
 * as they go in step, other ranks than before, and more or fewer of them, can go on from it.
 */
export function shardNode<T>(input: Node<T>, rank: number, count: number, even: Evenness): Node<T> {
  const name = `shard(${rank} of ${count})`;
  const part = (length: number): number => {
    if (even === "pad") return Math.ceil(length / count);
    return even === "drop" ? Math.floor(length / count) : Math.ceil(Math.max(0, length - rank) / count);
  };
  const node = {
    op: "shard",
    name,
    inputs: [input],
    spec: { kind: "other" } as const,
    size: input.size === undefined ? undefined : part(input.size),
    ranks: count,
  };
  const below = input.indexed;
  if (!below)
    return {
      ...node,
      open: (opening, state) =>
        new Sharding(openNode(input, opening, state?.input as State | undefined), rank, count, even),
    };
  const behind = (access: RandomAccess<T>, base: number): RandomAccess<T> => {
    const { length } = access;
    // behind the last element comes the first, as PyTorch's DistributedSampler has it
    return { length: part(length - base), at: (i) => access.at((base + i * count + rank) % length) };
  };
  return {
    ...node,
    indexed: (epoch) => behind(below(epoch), 0),
    advance: (state, more) => {
      const at = placeOf(state, count);
      return { ...at, index: at.index + more };
    },
    open({ epoch }, state) {
      const access = below(epoch);
      const { base, index } = placeOf(state, count, access.length);
      return new Ranked(behind(access, base), base, index, count);
    },
  };
}

interface Place extends State {
  /** Elements before those that these ranks divide. */
  readonly base: number;
  /** Elements that this rank was given since. */
  readonly index: number;
  readonly ranks: number;
}

/** @param length of the epoch; given where the walk goes on with the ranks of now */
function placeOf(state: State | undefined, ranks: number, length?: number): Place {
  const { base = 0, index = 0, ranks: before = ranks } = (state ?? {}) as Partial<Place>;
  if (length === undefined || before === ranks) return { base, index, ranks: before };
  return { base: Math.min(length, base + index * before), index: 0, ranks };
}

class Ranked<T> implements Cursor<T> {
  constructor(
    private readonly access: RandomAccess<T>,
    private readonly base: number,
    private index: number,
    private readonly ranks: number,
  ) {}

  next(): Maybe<Pulled<T>> {
    return this.index < this.access.length ? this.access.at(this.index++) : END;
  }

  state(): State {
    return { base: this.base, index: this.index, ranks: this.ranks };
  }

  close(): void {}
}

/**
 * @throws ValueError for a state with elements to be left out above a shard of other ranks: how many those are depends on
 *   how they were divided
 */
export function checkRanks(node: Node, state: unknown, skipping = false): void {
  if (typeof state !== "object" || state === null) return;
  const { skip, ranks } = state as { skip?: unknown; ranks?: unknown };
  const known = ranksOf(node);
  if (skipping && typeof ranks === "number" && known !== undefined && ranks !== known)
    throw new ValueError(
      `dataset: the state is one of ${ranks} ranks, in the midst of what one of them had ahead; ${known} ranks can go on only from a state without that: of a walk without threads, or with maps and batches alone on them`,
    );
  for (const below of Object.values(state)) checkRanks(node, below, skipping || skip !== undefined);
}

const ranksOf = (node: Node): number | undefined =>
  node.ranks ?? node.inputs.map(ranksOf).find((found) => found !== undefined);

class Sharding<T> implements Cursor<T> {
  constructor(
    private readonly input: Cursor<T>,
    private readonly rank: number,
    private readonly count: number,
    private readonly even: Evenness,
  ) {}

  /** Reads one round, an element for each rank. */
  next(): Maybe<Pulled<T>> {
    let read = 0;
    let mine: Pulled<T> = END;
    const round: T[] = []; // for those that the last one, which is not whole, lacks
    return until(() =>
      after(this.input.next(), (x): Pulled<T> | typeof AGAIN => {
        if (x === END) {
          if (this.even === "drop") return END;
          return this.even === "pad" && mine === END && read > 0 ? round[this.rank % read] : mine;
        }
        if (read === this.rank) mine = x;
        if (this.even === "pad" && read <= this.rank) round.push(x);
        read++;
        return read === this.count ? mine : AGAIN;
      }),
    );
  }

  state(): State {
    return { input: this.input.state(), ranks: this.count };
  }

  close(): Maybe<void> {
    return this.input.close();
  }
}
