/** Random orders: through a buffer, for elements that only come one after the other; of positions, for those that have them. */
import { WordStream } from "../../core/random.js";
import { AGAIN, after, type Maybe, until } from "./maybe.js";
import { type Cursor, END, type Node, openNode, type Pulled, type State } from "./node.js";
import { permutation } from "./permutation.js";
import { Replay } from "./replay.js";
import { indexedNode } from "./source.js";

export function bufferShuffleNode<T>(input: Node<T>, buffer: number, seed: number): Node<T> {
  return {
    op: "shuffle",
    name: `shuffle(${buffer})`,
    inputs: [input],
    spec: { kind: "other" },
    size: input.size,
    open(opening, state) {
      const at = (state?.at as number | undefined) ?? 0;
      const below = openNode(input, opening, state?.input as State | undefined);
      const random = new WordStream([seed, opening.epoch]);
      return new Shuffling(new Replay(below, Math.max(buffer, 16), at), buffer, random, state);
    },
  };
}

class Shuffling<T> implements Cursor<T> {
  private readonly held: T[] = [];
  private readonly indices: number[] = [];
  private ended = false;
  /** Slots by index, of elements that a state before this one held and that are not read again yet. */
  private readonly slots: Map<number, number>;
  private readonly readBefore: number;

  constructor(
    private readonly input: Replay<T>,
    private readonly buffer: number,
    private readonly random: WordStream,
    state: State | undefined,
  ) {
    const before = (state?.held as number[] | undefined) ?? [];
    this.indices.push(...before);
    this.slots = new Map(before.map((index, slot) => [index, slot]));
    this.readBefore = (state?.read as number | undefined) ?? 0;
    random.position = (state?.drawn as number | undefined) ?? 0;
  }

  next(): Maybe<Pulled<T>> {
    return until(() => {
      if (this.ended || (this.slots.size === 0 && this.indices.length > this.buffer))
        return this.indices.length === 0 ? END : this.draw();
      return this.read();
    });
  }

  state(): State {
    const read = Math.max(this.input.index, this.readBefore);
    const at = this.slots.size > 0 ? this.input.index : Math.min(this.input.index, this.oldest());
    return { held: [...this.indices], read, drawn: this.random.position, at, input: this.input.stateAt(at) };
  }

  close(): Maybe<void> {
    return this.input.close();
  }

  private oldest(): number {
    let oldest = this.input.index;
    for (const index of this.indices) if (index < oldest) oldest = index;
    return oldest;
  }

  private read(): Maybe<typeof AGAIN> {
    const at = this.input.index;
    if (this.input.full && this.slots.size === 0) this.input.forget(this.oldest());
    return after(this.input.next(), (x) => {
      if (x === END) this.ended = true;
      else if (at >= this.readBefore) {
        this.held.push(x);
        this.indices.push(at);
      } else {
        const slot = this.slots.get(at);
        if (slot !== undefined) {
          this.held[slot] = x;
          this.slots.delete(at);
        }
      }
      return AGAIN;
    });
  }

  private draw(): T {
    const { held, indices } = this;
    const at = this.random.below(held.length);
    const out = held[at];
    held[at] = held[held.length - 1];
    indices[at] = indices[indices.length - 1];
    held.pop();
    indices.pop();
    return out;
  }
}

/** Every element once, in an order that takes no memory. The input has positions. */
export function orderShuffleNode<T>(input: Node<T>, seed: number): Node<T> {
  const below = input.indexed as NonNullable<Node<T>["indexed"]>;
  return indexedNode("shuffle", [input], input.size as number, (epoch) => {
    const access = below(epoch);
    const order = permutation(access.length, [seed, epoch]);
    return { length: access.length, at: (i) => access.at(order(i)) };
  });
}

export interface Draws {
  readonly count: number;
  readonly seed: number;
  /** How often elements are drawn, relative to one another; evenly if left out. */
  readonly weights?: ArrayLike<number>;
}

/** Elements drawn with replacement. Draw i depends on seed, epoch and i alone. */
export function sampleNode<T>(input: Node<T>, { count, seed, weights }: Draws): Node<T> {
  const below = input.indexed as NonNullable<Node<T>["indexed"]>;
  const sums = weights && runningSums(weights);
  return indexedNode("sample", [input], count, (epoch) => {
    const access = below(epoch);
    const draw = (i: number): number => {
      const random = new WordStream([seed, epoch], i + 1);
      if (!sums) return random.below(access.length);
      return firstAbove(sums, random.uniform(0, sums[sums.length - 1]));
    };
    return { length: count, at: (i) => access.at(draw(i)) };
  });
}

/** Elements at the positions that a sampler gives for an epoch. */
export function samplerNode<T>(
  input: Node<T>,
  sampler: (length: number, epoch: number) => ArrayLike<number>,
): Node<T> {
  const below = input.indexed as NonNullable<Node<T>["indexed"]>;
  return {
    ...indexedNode("sampler", [input], input.size as number, (epoch) => {
      const access = below(epoch);
      const order = sampler(access.length, epoch);
      return { length: order.length, at: (i: number) => access.at(order[i]) };
    }),
    size: undefined,
  };
}

function runningSums(weights: ArrayLike<number>): Float64Array {
  const sums = new Float64Array(weights.length);
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i];
    sums[i] = sum;
  }
  return sums;
}

/** The first position whose sum is above `x`: elements of weight 0 are never drawn. */
function firstAbove(sums: Float64Array, x: number): number {
  let [low, high] = [0, sums.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] > x) high = middle;
    else low = middle + 1;
  }
  return low;
}
