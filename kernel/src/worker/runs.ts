/**
 * Which cell the code that runs right now belongs to: output that comes after a cell has ended still goes to
 * the cell that started it. Promises carry their cell through V8's promise hooks, timers through `timers.ts`.
 * Everything else that Node calls back (files, sockets, processes, ticks) is known by its async id: ids are given
 * out in order, so the cell that was current when an id was given out is the one that started the work.
 *
 * Not AsyncLocalStorage: on Node 20 it turns on async hooks, whose stack cannot survive an interrupted
 * microtask (measured: Node aborts).
 */
import { AsyncResource, executionAsyncId } from "node:async_hooks";
import { EventEmitter } from "node:events";
import { promiseHooks } from "node:v8";
import { jobBegins, jobEnds } from "./interrupts.js";

/** A run outside of any cell. */
export const NO_RUN = 0;

let current = NO_RUN;
/** The callback in which `current` was set: in another one it says nothing. */
let setIn = -1;

/** From which async id on which run was current, in order. */
const since: { id: number; run: number }[] = [];
const MAX_KNOWN = 8_192;

export function currentRun(): number {
  const id = executionAsyncId();
  if (id !== setIn) enterRun(startedBy(id));
  return current;
}

export function enterRun(run: number): void {
  setIn = executionAsyncId();
  if (run !== current || since.length === 0) note(run);
  current = run;
}

function note(run: number): void {
  since.push({ id: new AsyncResource("cell", { requireManualDestroy: true }).asyncId(), run });
  if (since.length > MAX_KNOWN) since.splice(0, MAX_KNOWN / 2);
}

/** The run that was current when the id was given out. */
function startedBy(id: number): number {
  let [low, high] = [0, since.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (since[middle]!.id <= id) low = middle + 1;
    else high = middle;
  }
  return since[low - 1]?.run ?? NO_RUN;
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
  const before = currentRun();
  enterRun(run);
  try {
    return body();
  } finally {
    enterRun(before);
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
  // A name that the debugger can tell from the reader's private fields.
  #mlsysRun = currentRun();
  static of(target: object): number {
    return #mlsysRun in target ? (target as Stamp).#mlsysRun : currentRun();
  }
}

/** The run that made a promise. */
export function runOf(promise: object): number {
  return Stamp.of(promise);
}

/**
 * What an event's listeners start belongs to the cell of the event's source. Node makes such objects (the parser of a
 * connection to a server) before anything asks for the cell.
 */
export function followEvents(): void {
  const { emit } = EventEmitter.prototype;
  EventEmitter.prototype.emit = function (...given) {
    currentRun();
    return emit.apply(this, given);
  };
}

export function followPromises(): void {
  promiseHooks.createHook({
    init: (promise) => void new Stamp(promise),
    before: (promise) => {
      enterRun(Stamp.of(promise));
      jobBegins();
    },
    after: jobEnds,
  });
}
