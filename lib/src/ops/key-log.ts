/** Keys that generators hand out, written down and handed out again: for functions that run twice and must draw the same numbers. */
import { ValueError } from "../core/errors.js";
import { enterSection, leaveSection, onInterrupted } from "../core/turn.js";

/** The words of a key. */
export type KeyWords = readonly [number, number];

/** What is written down; with `next`, what is handed out again. */
interface Log {
  readonly keys: KeyWords[];
  next: number | null;
}

let log: Log | null = null;
onInterrupted(() => {
  log = null;
});

function withLog<T>(next: Log, body: () => T): T {
  const before = log;
  enterSection();
  log = next;
  try {
    return body();
  } finally {
    log = before;
    leaveSection();
  }
}

/** Runs `body`, and writes down the keys that generators hand out meanwhile. */
export function rememberKeys<T>(body: () => T): { readonly value: T; readonly keys: readonly KeyWords[] } {
  const keys: KeyWords[] = [];
  return { value: withLog({ keys, next: null }, body), keys };
}

/**
 * Runs `body` with generators handing out the keys of an earlier run; they themselves stay where they are.
 * @throws ValueError if it draws more keys than the first time
 */
export function repeatKeys<T>(keys: readonly KeyWords[], body: () => T): T {
  return withLog({ keys: [...keys], next: 0 }, body);
}

/** The key that a generator hands out, where `fresh` would make the next. */
export function handOut(fresh: () => KeyWords): KeyWords {
  if (log === null) return fresh();
  if (log.next === null) {
    const key = fresh();
    log.keys.push(key);
    return key;
  }
  if (log.next === log.keys.length)
    throw new ValueError(
      `random: a function that runs again draws more than the ${log.keys.length} keys of its first run`,
    );
  return log.keys[log.next++];
}
