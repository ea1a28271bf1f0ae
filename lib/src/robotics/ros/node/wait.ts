/** Waiting for a condition that events may bring about, with timeout and signal. */
import { nanoseconds } from "./time.js";
import type { TimeBase } from "./time-base.js";

export interface WaitOptions {
  /** Seconds; `Infinity` for ever. */
  readonly timeout?: number;
  /** Rejects the wait with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** Seconds between looks, in case the middleware told of a change before it could be seen. */
const LOOK = 0.1;

/** What a wait needs of its node. */
export interface WaitContext {
  readonly time: TimeBase;
  /** Calls after changes of the ROS graph; returns what ends that. */
  onGraphChange(listener: () => void): () => void;
  /** Calls when the node is destroyed. */
  onDestroy(listener: (error: Error) => void): () => void;
}

/**
 * True as soon as `condition` holds, false on timeout.
 * @throws NodeDestroyedError, or the signal's reason
 */
export function waitUntil(
  context: WaitContext,
  condition: () => boolean,
  { timeout = Infinity, signal }: WaitOptions = {},
): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const ends: (() => void)[] = [];
    let settled = false;
    const settle = (how: () => void) => {
      settled = true;
      for (const end of ends.splice(0)) end();
      how();
    };
    const look = () => {
      try {
        if (!settled && condition()) settle(() => resolve(true));
      } catch (error) {
        settle(() => reject(error));
      }
    };
    ends.push(context.onDestroy((error) => settle(() => reject(error))));
    if (!settled) look();
    if (settled) return;
    if (timeout <= 0) return settle(() => resolve(false));
    const aborted = () => settle(() => reject(signal!.reason));
    signal?.addEventListener("abort", aborted);
    const poll = setInterval(look, LOOK * 1000);
    ends.push(
      () => signal?.removeEventListener("abort", aborted),
      () => clearInterval(poll),
      context.onGraphChange(look),
    );
    if (timeout !== Infinity)
      ends.push(context.time.schedule(nanoseconds(timeout), () => settle(() => resolve(false))));
  });
}

/**
 * `start`'s promise, or the rejection that comes first: `onTimeout`'s error after `timeout` seconds, the signal's
 * reason, the node's end. `start` is given a signal that is aborted then.
 */
export function limited<T>(
  context: WaitContext,
  start: (signal: AbortSignal) => Promise<T>,
  { timeout = Infinity, signal }: WaitOptions,
  onTimeout: () => Error,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const controller = new AbortController();
    const ends: (() => void)[] = [];
    const finish = () => {
      for (const end of ends.splice(0)) end();
    };
    const give = (error: unknown) => {
      finish();
      // before the abort, whose rejection of the promise below must come too late
      reject(error);
      controller.abort(error);
    };
    const aborted = () => give(signal!.reason);
    signal?.addEventListener("abort", aborted);
    ends.push(() => signal?.removeEventListener("abort", aborted));
    ends.push(context.onDestroy(give));
    if (timeout !== Infinity) ends.push(context.time.schedule(nanoseconds(timeout), () => give(onTimeout())));
    start(controller.signal).then(
      (value) => {
        finish();
        resolve(value);
      },
      (error) => {
        finish();
        reject(error);
      },
    );
  });
}
