/** Where a stage of a pipeline notes when it worked; on a common clock, so that threads can be shown together. */
import { AsyncLocalStorage } from "node:async_hooks";
import { clock } from "../core/clock.js";

export interface StageSpan {
  readonly name: string;
  /** Milliseconds of `clock()`. */
  readonly start: number;
  readonly end: number;
}

/** Who collects: found also behind an `await`, when other work has run in between. */
const collector = new AsyncLocalStorage<StageSpan[]>();

/**
 * Runs a stage; whoever collects spans gets its start and end, also if it fails. Of a promise: until it settles.
 * @example data.stage("double", () => 2 * 21) // 42
 */
export function stage<T>(name: string, body: () => T): T {
  const spans = collector.getStore();
  if (!spans) return body();
  const start = clock();
  const note = (): void => {
    spans.push({ name, start, end: clock() });
  };
  let waits = false;
  try {
    const result = body();
    if (result instanceof Promise) {
      waits = true;
      return result.finally(note) as T;
    }
    return result;
  } finally {
    if (!waits) note();
  }
}

/**
 * Collects the spans of the stages that run inside of `collect(body)`.
 * @example const { spans, collect } = data.collectSpans(); await collect(() => data.stage("load", () => 1)); spans[0].name // "load"
 */
export function collectSpans(): {
  spans: StageSpan[];
  collect: <T>(body: () => T | Promise<T>) => Promise<T>;
} {
  const { spans, collect } = spanCollector();
  return { spans, collect: async (body) => collect(body) };
}

/** The same, with results at once where they are there at once. */
export function spanCollector(): { spans: StageSpan[]; collect: <T>(body: () => T) => T } {
  const spans: StageSpan[] = [];
  return { spans, collect: (body) => collector.run(spans, body) };
}
