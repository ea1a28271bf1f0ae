/** Where a stage of a pipeline notes when it worked; on a common clock, so that threads can be shown together. */
import { clock } from "../core/clock.js";

export interface StageSpan {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

let current: StageSpan[] | null = null;

/** Runs a stage; whoever collects spans gets its start and end. */
export function stage<T>(name: string, body: () => T): T {
  const start = clock();
  const result = body();
  current?.push({ name, start, end: clock() });
  return result;
}

/** Collects the spans of the stages that run inside. */
export function collectSpans(): {
  spans: StageSpan[];
  collect: <T>(body: () => T | Promise<T>) => Promise<T>;
} {
  const spans: StageSpan[] = [];
  return {
    spans,
    async collect(body) {
      const before = current;
      current = spans;
      try {
        return await body();
      } finally {
        current = before;
      }
    },
  };
}
