/**
 * Which cell the code that runs right now belongs to: output that comes after a cell has ended still goes to
 * the cell that started it. Promises carry their cell through V8's promise hooks, timers through `timers.ts`.
 *
 * Not AsyncLocalStorage: on Node 20 it turns on async hooks, whose stack cannot survive an interrupted
 * microtask (measured: Node aborts).
 */
import { promiseHooks } from "node:v8";

/** A run outside of any cell. */
export const NO_RUN = 0;

let current = NO_RUN;

export function currentRun(): number {
  return current;
}

export function enterRun(run: number): void {
  current = run;
}

const abandoned = new Set<number>();

/** An interrupted cell's timers do not fire any more. What it awaits elsewhere may still come and resume it. */
export function abandonRun(run: number): void {
  abandoned.add(run);
  for (const listener of listeners.get(run) ?? []) listener();
  listeners.delete(run);
}

const listeners = new Map<number, Set<() => void>>();

/** Calls `listener` when the run is interrupted. @returns what takes it back. */
export function whenAbandoned(run: number, listener: () => void): () => void {
  const all = listeners.get(run) ?? new Set();
  listeners.set(run, all.add(listener));
  return () => {
    all.delete(listener);
    if (all.size === 0) listeners.delete(run);
  };
}

export function isAbandoned(run: number): boolean {
  return abandoned.has(run);
}

/** Calls `body` as part of `run`. */
export function withRun<T>(run: number, body: () => T): T {
  const before = current;
  current = run;
  try {
    return body();
  } finally {
    current = before;
  }
}

/** A private field on a foreign object: invisible to the reader's code, and no lookup table to keep. */
class Foreign {
  constructor(target: object) {
    // biome-ignore lint/correctness/noConstructorReturn: returning the target is what puts the field on it
    return target;
  }
}

class Stamp extends Foreign {
  #run = current;
  static of(target: object): number {
    return #run in target ? (target as Stamp).#run : current;
  }
}

export function followPromises(): void {
  promiseHooks.createHook({
    init: (promise) => void new Stamp(promise),
    before: (promise) => {
      current = Stamp.of(promise);
    },
  });
}
