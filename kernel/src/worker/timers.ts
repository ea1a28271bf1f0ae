/**
 * Timers whose callbacks can be interrupted. `Runtime.terminateExecution` in a raw timer callback aborts Node
 * ("async hook stack has become corrupted"); called through an evaluation of its own, the callback is
 * stopped at that evaluation's edge and the process lives on. The wrapper also carries the cell along.
 */

import type { Session } from "node:inspector";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { RUNTIME } from "../compile/scope.js";
import { isDebugged } from "./inspection.js";
import { entered, landed, readersCode } from "./interrupts.js";
import { currentRun, isAbandoned, withRun } from "./runs.js";

type Callback = (...args: unknown[]) => unknown;

/** A stack: what a guarded callback does may guard another one. */
const pending: (() => void)[] = [];

/** Named like a file of the kernel's, so that stack traces and the debugger leave it out. */
const TICK = `${RUNTIME}.tick()\n//# sourceURL=${new URL("tick", import.meta.url)}`;

/** Called by name from the evaluation that guards a callback. */
export function tick(): void {
  pending.pop()?.();
}

/**
 * Runs a callback of the reader's so that an interrupt stops it without harm.
 * @returns whether it ran to its end (`false`: it was interrupted).
 */
export function guarded(session: Session, body: () => void): boolean {
  return readersCode(() =>
    held(session, () => {
      entered();
      body();
      landed();
    }),
  );
}

/** Runs `body` so that a termination that strikes it goes no further. @returns whether it ran to its end. */
export function held(session: Session, body: () => void): boolean {
  let failure: { error: unknown } | undefined;
  let finished = false;
  pending.push(() => {
    try {
      body();
    } catch (error) {
      failure = { error };
    }
    finished = true;
  });
  session.post("Runtime.evaluate", { expression: TICK, silent: !isDebugged() });
  if (failure) throw failure.error;
  return finished;
}

/** Replaces the timers of `globalThis`, `node:timers` and `node:timers/promises`. */
export function installTimers(session: Session): void {
  const require = createRequire(import.meta.url);
  const timers = require("node:timers") as Record<string, unknown>;
  const promises = require("node:timers/promises") as Record<string, unknown>;
  for (const name of ["setTimeout", "setInterval", "setImmediate"] as const) {
    const original = timers[name] as Callback;
    const patched = (callback: unknown, ...rest: unknown[]) => {
      if (typeof callback !== "function") return original(callback, ...rest);
      const run = currentRun();
      // Node passes the arguments after the delay on to the callback, so the wrapper sees them.
      return original(
        (...args: unknown[]) =>
          isAbandoned(run) || guarded(session, () => withRun(run, () => (callback as Callback)(...args))),
        ...rest,
      );
    };
    Object.defineProperty(patched, "name", { value: name });
    const custom = Symbol.for("nodejs.util.promisify.custom");
    const promised = name === "setInterval" ? undefined : promiseTimer(patched, name === "setTimeout");
    if (promised) {
      Object.defineProperty(patched, custom, { value: promised });
      promises[name] = promised;
    }
    timers[name] = patched;
    Object.defineProperty(globalThis, name, {
      value: patched,
      writable: true,
      configurable: true,
      enumerable: true,
    });
  }
  syncBuiltinESMExports();
}

interface TimerOptions {
  signal?: AbortSignal;
  ref?: boolean;
}

function promiseTimer(start: Callback, delayed: boolean): Callback {
  return (...args: unknown[]) => {
    const [delay, value, options] = delayed ? args : [undefined, ...args];
    const { signal, ref } = (options ?? {}) as TimerOptions;
    return new Promise((resolve, reject) => {
      const abort = () => {
        if (delayed) clearTimeout(timer as NodeJS.Timeout);
        else clearImmediate(timer as NodeJS.Immediate);
        const error = new DOMException("The operation was aborted", "AbortError");
        reject(Object.assign(error, { cause: signal?.reason }));
      };
      const fire = () => {
        signal?.removeEventListener("abort", abort);
        resolve(value);
      };
      const timer = delayed ? start(fire, delay) : start(fire);
      if (ref === false) (timer as NodeJS.Timeout).unref();
      if (signal?.aborted) abort();
      else signal?.addEventListener("abort", abort, { once: true });
    });
  };
}
