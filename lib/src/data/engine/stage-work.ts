/** What a stage does with a chunk: its ops on each unit, one unit after the other (promises: all units together). */
import { attempt, type NoteFailure, SKIPPED, textOf } from "../dataset/failure.js";
import { after, isPromise, type Maybe } from "../dataset/maybe.js";
import type { Call, FailureCount } from "../dataset/node.js";

/** An op in a stage. */
export interface StageOp extends Pick<Call, "f" | "name" | "seed" | "onError"> {
  readonly kind: "map" | "filter" | "flatMap";
  /** The op works on the elements of the lists that units are: it stood before a batch. */
  readonly inLists: boolean;
}

/** How far one op came in a chunk. */
export interface OpTally extends FailureCount {
  /** Elements that it was given. */
  taken: number;
  /** Milliseconds in its function. */
  busy: number;
}

export interface ChunkError {
  /** Number of the op in the stage. */
  readonly op: number;
  /** Which of the elements that the op was given in this chunk. */
  readonly element: number;
  readonly message: string;
  readonly stack: string | undefined;
}

export interface ChunkResult {
  readonly outputs: unknown[];
  readonly tallies: OpTally[];
  readonly error: ChunkError | null;
}

interface UnitResult {
  readonly outputs: unknown[];
  readonly tallies: OpTally[];
  error: ChunkError | null;
}

const noTally = (): OpTally => ({ taken: 0, busy: 0, skipped: 0, retried: 0 });

/** One unit through all ops. */
class UnitWork {
  readonly result: UnitResult;

  constructor(
    private readonly ops: readonly StageOp[],
    /** Index, for each op, of the first element that it is given. */
    private readonly first: readonly number[],
    private readonly epoch: number,
    private readonly timed: boolean,
  ) {
    this.result = { outputs: [], tallies: ops.map(noTally), error: null };
  }

  run(unit: unknown): Maybe<UnitResult> {
    return after(this.from(unit, 0), () => this.result);
  }

  /** The unit through op `k` and those behind it. */
  private from(x: unknown, k: number): Maybe<void> {
    const op = this.ops[k];
    if (!op) {
      this.result.outputs.push(x);
      return;
    }
    if (!op.inLists) return after(this.call(k, x), (y) => this.passOn(op, k, x, y));
    const list: unknown[] = [];
    const items = x as readonly unknown[];
    const item = (i: number): Maybe<void> => {
      for (; i < items.length; i++) {
        const y = this.call(k, items[i]);
        if (isPromise(y))
          return y.then((value) => {
            if (this.result.error) return;
            list.push(value);
            return item(i + 1);
          });
        if (this.result.error) return;
        list.push(y);
      }
      return this.from(list, k + 1);
    };
    return item(0);
  }

  private passOn(op: StageOp, k: number, x: unknown, y: unknown): Maybe<void> {
    if (this.result.error || y === SKIPPED) return;
    if (op.kind === "map") return this.from(y, k + 1);
    if (op.kind === "filter") return y ? this.from(x, k + 1) : undefined;
    return this.each(k, y as Iterable<unknown> | AsyncIterable<unknown>);
  }

  private each(k: number, list: Iterable<unknown> | AsyncIterable<unknown>): Maybe<void> {
    if (Symbol.iterator in list) {
      const iterator = list[Symbol.iterator]();
      const step = (): Maybe<void> => {
        for (;;) {
          const { done, value } = iterator.next();
          if (done || this.result.error) return;
          const going = this.from(value, k + 1);
          if (isPromise(going)) return going.then(step);
        }
      };
      try {
        return step();
      } catch (error) {
        this.fail(k, error); // the generator that op k gave
        return;
      }
    }
    return (async () => {
      try {
        for await (const value of list) {
          await this.from(value, k + 1);
          if (this.result.error) return;
        }
      } catch (error) {
        this.fail(k, error);
      }
    })();
  }

  private call(k: number, x: unknown): Maybe<unknown> {
    const op = this.ops[k];
    const tally = this.result.tallies[k];
    const index = this.first[k] + tally.taken++;
    if (op.onError === "fail" && !this.timed && op.f.length < 3) {
      try {
        const y = op.f(x, index);
        return isPromise(y) ? y.then(undefined, (error) => this.fail(k, error)) : y;
      } catch (error) {
        return this.fail(k, error);
      }
    }
    const note: NoteFailure = (what) => {
      tally[what]++;
    };
    const start = this.timed ? performance.now() : 0;
    const stop = (): void => {
      if (this.timed) tally.busy += performance.now() - start;
    };
    try {
      const y = attempt(op, x, index, this.epoch, note);
      if (!isPromise(y)) {
        stop();
        return y;
      }
      return y.then(
        (value) => {
          stop();
          return value;
        },
        (error) => this.fail(k, error),
      );
    } catch (error) {
      return this.fail(k, error);
    }
  }

  private fail(k: number, error: unknown): typeof SKIPPED {
    const element = this.result.tallies[k].taken - 1;
    const stack = error instanceof Error ? error.stack : undefined;
    this.result.error ??= { op: k, element, message: textOf(error), stack };
    return SKIPPED;
  }
}

/**
 * A chunk through all ops; it stops at the first error, with what comes before it.
 * @param first for each op, the index of the first element that it is given in this chunk
 */
export function workOn(
  units: readonly unknown[],
  ops: readonly StageOp[],
  first: readonly number[],
  epoch: number,
  timed: boolean,
): Maybe<ChunkResult> {
  const total: ChunkResult & { error: ChunkError | null } = {
    outputs: [],
    tallies: ops.map(noTally),
    error: null,
  };
  const starts = [...first];
  const add = ({ outputs, tallies, error }: UnitResult): void => {
    if (total.error) return;
    if (error) total.error = { ...error, element: error.element + total.tallies[error.op].taken };
    for (const x of outputs) total.outputs.push(x);
    for (const [k, tally] of tallies.entries()) {
      const sum = total.tallies[k];
      sum.taken += tally.taken;
      sum.busy += tally.busy;
      sum.skipped += tally.skipped;
      sum.retried += tally.retried;
      starts[k] += tally.taken;
    }
  };
  for (const [i, unit] of units.entries()) {
    const result = new UnitWork(ops, starts, epoch, timed).run(unit);
    if (isPromise(result)) return together(result, units.slice(i + 1));
    add(result as UnitResult);
    if (total.error) return total;
  }
  return total;

  /** Those that wait, wait together. Their indices are known: ops that need them come before any that loses elements. */
  async function together(begun: Promise<UnitResult>, rest: readonly unknown[]): Promise<ChunkResult> {
    const perUnit = (unit: unknown, k: number): number =>
      ops[k].inLists ? (unit as readonly unknown[]).length : 1;
    const next = [...starts];
    const pending: Maybe<UnitResult>[] = [begun];
    const ahead = (unit: unknown): void => {
      for (const k of next.keys()) next[k] += perUnit(unit, k);
    };
    ahead(units[units.length - rest.length - 1]);
    for (const unit of rest) {
      pending.push(new UnitWork(ops, [...next], epoch, timed).run(unit));
      ahead(unit);
    }
    for (const result of pending) add(await result);
    return total;
  }
}
