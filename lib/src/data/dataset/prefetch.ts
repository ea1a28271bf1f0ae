/** Elements made ahead of who asks for them, in order: prefetch, and maps with several calls at once. */

import { SKIPPED } from "./failure.js";
import type { Maybe } from "./maybe.js";
import { type Cursor, END, type Node, openNode, type Pulled, type State } from "./node.js";
import { Replay } from "./replay.js";

/** In a walk with `for await`, up to `count` elements are made ahead; other walks have nothing to do it meanwhile. */
export function prefetchNode(input: Node, count: number): Node {
  return {
    op: "prefetch",
    name: `prefetch(${count})`,
    inputs: [input],
    spec: { kind: "other" },
    size: input.size,
    open(opening, state) {
      const below = openNode(input, opening, (state?.input as State | undefined) ?? undefined);
      return opening.asynchronous ? new Ahead(below, count, state, undefined, input) : new Through(below);
    },
  };
}

/** The same states as Ahead, with nothing ahead. */
class Through implements Cursor<unknown> {
  constructor(private readonly input: Cursor<unknown>) {}
  next = (): Maybe<Pulled<unknown>> => this.input.next();
  state = (): State => ({ index: 0, input: this.input.state() });
  close = (): Maybe<void> => this.input.close();
}

interface Entry {
  /** Of the input element. */
  readonly index: number;
  readonly value: Promise<Pulled<unknown>>;
}

/** A queue that is filled in the background. */
export class Ahead implements Cursor<unknown> {
  private readonly input: Replay<unknown>;
  private readonly queue: Entry[] = [];
  /** Input elements that are given, or left out. */
  private position: number;
  private filling: Promise<void> | null = null;
  private ended = false;

  constructor(
    input: Cursor<unknown>,
    private readonly count: number,
    state: State | undefined,
    private readonly apply?: (item: unknown, index: number) => Maybe<unknown>,
    node?: Node,
  ) {
    this.position = (state?.index as number | undefined) ?? 0;
    this.input = new Replay(input, Math.max(count, 16), this.position, node);
  }

  async next(): Promise<Pulled<unknown>> {
    for (;;) {
      this.fill();
      while (this.queue.length === 0 && this.filling) await this.filling;
      const first = this.queue[0];
      if (!first) return END;
      const value = await first.value;
      if (value === END) return END;
      this.queue.shift();
      this.position = first.index + 1;
      if (this.input.full) this.input.forget(this.position);
      if (value !== SKIPPED) {
        this.fill();
        return value;
      }
    }
  }

  state(): State {
    return { index: this.position, input: this.input.stateAt(this.position) };
  }

  async close(): Promise<void> {
    this.ended = true;
    await this.filling;
    for (const { value } of this.queue) await value.catch(() => {});
    await this.input.close();
  }

  /** Pulls, one element after the other, until enough are on their way. */
  private fill(): void {
    if (this.filling || this.ended || this.queue.length >= this.count) return;
    this.filling = (async () => {
      while (!this.ended && this.queue.length < this.count) {
        const { index } = this.input;
        try {
          const x = await this.input.next();
          if (x === END) this.ended = true;
          this.push(index, x === END ? END : (this.apply?.(x, index) ?? x));
        } catch (error) {
          this.ended = true;
          this.push(index, Promise.reject(error));
        }
      }
    })().finally(() => {
      this.filling = null;
    });
  }

  private push(index: number, value: Maybe<Pulled<unknown>>): void {
    const promise = Promise.resolve(value);
    promise.catch(() => {}); // it is thrown when its turn comes
    this.queue.push({ index, value: promise });
  }
}
