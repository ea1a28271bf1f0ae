/** One walk through a dataset, and where it is. */
import { ValueError } from "../../core/errors.js";
import { isPromise } from "./maybe.js";
import {
  type Cursor,
  END,
  type FailureCount,
  type Node,
  type Opening,
  openNode,
  type State,
  shapeOf,
} from "./node.js";
import { checkRanks } from "./range.js";

/** Where a walk is, as JSON: `dataset.resume(checkpoint)` goes on at the next element. */
export interface Checkpoint {
  readonly version: 1;
  /** The ops that it belongs to. */
  readonly pipeline: string;
  /** Walks before this one. */
  readonly epoch: number;
  readonly at: State;
}

/** @throws ValueError if it is no checkpoint, or one of other ops */
export function checkCheckpoint(checkpoint: Checkpoint, node: Node): void {
  if (typeof checkpoint !== "object" || checkpoint === null || checkpoint.version !== 1)
    throw new ValueError(`dataset: resume wants what state() gave, got ${JSON.stringify(checkpoint)}`);
  if (checkpoint.pipeline !== shapeOf(node))
    throw new ValueError(
      `dataset: the state is one of ${checkpoint.pipeline}; this dataset is ${shapeOf(node)}`,
    );
  checkRanks(node, checkpoint.at);
}

abstract class AnyWalk<T> {
  protected readonly cursor: Cursor<T>;
  protected over = false;
  private readonly opening: Opening;

  constructor(
    private readonly node: Node<T>,
    opening: Omit<Opening, "failures">,
    state: State | undefined,
  ) {
    this.opening = { ...opening, failures: new Map() };
    this.cursor = openNode(node, this.opening, state);
  }

  /** Where this walk is, behind the last element that it gave. */
  state(): Checkpoint {
    return {
      version: 1,
      pipeline: shapeOf(this.node),
      epoch: this.opening.epoch,
      at: this.cursor.state(),
    };
  }

  /** What policies left out or tried again, by op. */
  get failures(): Readonly<Record<string, Readonly<FailureCount>>> {
    return Object.fromEntries(this.opening.failures);
  }
}

/** Of `for … of`. */
export class Walk<T> extends AnyWalk<T> implements IterableIterator<T, undefined> {
  next(): IteratorResult<T, undefined> {
    if (this.over) return { done: true, value: undefined };
    try {
      const pulled = this.cursor.next();
      if (isPromise(pulled)) {
        (pulled as Promise<unknown>).catch(() => {});
        throw new ValueError(
          "dataset: an op of this dataset is asynchronous: walk it with `for await (… of dataset)`",
        );
      }
      if (pulled !== END) return { done: false, value: pulled as T };
    } catch (error) {
      this.close();
      throw error;
    }
    return this.return();
  }

  return(): IteratorResult<T, undefined> {
    this.close();
    return { done: true, value: undefined };
  }

  [Symbol.iterator](): this {
    return this;
  }

  private close(): void {
    if (this.over) return;
    this.over = true;
    const closing = this.cursor.close();
    if (isPromise(closing)) closing.catch(() => {});
  }
}

/** Of `for await … of`. Calls of `next` may come before earlier ones are answered: they wait for one another. */
export class AsyncWalk<T> extends AnyWalk<T> implements AsyncIterableIterator<T, undefined> {
  private last: Promise<unknown> = Promise.resolve();

  next(): Promise<IteratorResult<T, undefined>> {
    return this.inTurn(async () => {
      if (this.over) return { done: true, value: undefined };
      try {
        const pulled = await this.cursor.next();
        if (pulled !== END) return { done: false, value: pulled };
      } catch (error) {
        await this.close().catch(() => {}); // the error that ended the walk is the one to tell
        throw error;
      }
      await this.close();
      return { done: true, value: undefined };
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    return this.inTurn(async () => {
      await this.close();
      return { done: true, value: undefined } as const;
    });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  private inTurn<R>(body: () => Promise<R>): Promise<R> {
    const result = this.last.then(body);
    this.last = result.catch(() => {});
    return result;
  }

  private async close(): Promise<void> {
    if (this.over) return;
    this.over = true;
    await this.cursor.close();
  }
}

/** The walks of one dataset: each has the number of those before it; the first may begin in the midst. */
export class Walks<T> {
  private state: State | undefined;

  /** @param begin what `resume` was given */
  constructor(
    readonly node: Node<T>,
    readonly begin?: Checkpoint,
    private epoch = begin?.epoch ?? 0,
    state = begin?.at,
  ) {
    this.state = state;
  }

  sync(): Walk<T> {
    const state = this.take();
    return new Walk(this.node, { epoch: this.epoch++, asynchronous: false }, state);
  }

  async(instead?: Opening["instead"]): AsyncWalk<T> {
    const state = this.take();
    return new AsyncWalk(
      this.node,
      { epoch: this.epoch++, asynchronous: true, ...(instead && { instead }) },
      state,
    );
  }

  private take(): State | undefined {
    const { state } = this;
    this.state = undefined;
    return state;
  }
}

export function wholeNumber(where: string, value: number, least: number): number {
  if (!Number.isInteger(value) || value < least)
    throw new ValueError(`dataset: ${where} wants a whole number from ${least}, got ${value}`);
  return value;
}

export function wholeSeed(seed: number): number {
  if (!Number.isSafeInteger(seed)) throw new ValueError(`dataset: a seed is a whole number, got ${seed}`);
  return seed;
}
