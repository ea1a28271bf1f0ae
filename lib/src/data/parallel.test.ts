/** Threads load the built library: these tests run on `dist`. */
import type { Worker } from "node:worker_threads";
import { afterEach, describe, expect, it } from "vitest";

type Data = typeof import("./index.js");
const { parallelMap } = (await import(new URL("../../dist/data/index.js", import.meta.url).href)) as Data;

const module = new URL("../../test/support/parallel-work.mjs", import.meta.url);
const work = (name: string) => ({ module, name });
const range = (n: number) => Array.from({ length: n }, (_, i) => i);

async function collect<T>(results: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = [];
  for await (const result of results) out.push(result);
  return out;
}

/** Every thread that was started. One that has ended has the id −1. */
const started: Worker[] = [];
process.on("worker", (worker) => started.push(worker));
afterEach(() => {
  expect(started.map(({ threadId }) => threadId)).toEqual(started.map(() => -1));
  started.length = 0;
});

describe("parallelMap", () => {
  it("gives results in the order of the tasks", async () => {
    expect(await collect(parallelMap(range(20), work("square"), { workers: 3 }))).toEqual(
      range(20).map((x) => x * x),
    );
    const tasks = range(8).map((at) => ({ at, of: 8 }));
    const found = await collect(
      parallelMap<(typeof tasks)[0], { at: number; thread: number }>(tasks, work("reversed"), {
        workers: 4,
        prefetch: 8,
      }),
    );
    expect(found.map(({ at }) => at)).toEqual(range(8));
    expect(new Set(found.map(({ thread }) => thread)).size).toBe(4);
    expect(await collect(parallelMap([], work("square")))).toEqual([]);
  });

  it("begins no more tasks than it may be ahead", async () => {
    let begun = 0;
    function* tasks() {
      for (const i of range(20)) {
        begun++;
        yield i;
      }
    }
    let done = 0;
    for await (const _ of parallelMap(tasks(), work("square"), { workers: 2, prefetch: 3 })) {
      done++;
      expect(begun).toBeLessThanOrEqual(done + 3);
    }
    expect([begun, done]).toEqual([20, 20]);
  });

  it("stops its threads and its source when the loop is left", async () => {
    let closed = false;
    function* tasks() {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        closed = true;
      }
    }
    for await (const x of parallelMap<number, number>(tasks(), work("square"))) if (x === 9) break;
    expect(closed).toBe(true);
    expect(started).toHaveLength(2);
  });

  it("throws a task's error when its turn comes, after the results before it", async () => {
    const seen: unknown[] = [];
    const tasks = range(10).map((at) => ({ at, bad: 4 }));
    const running = (async () => {
      for await (const at of parallelMap(tasks, work("failsAt"), { workers: 3, prefetch: 9 })) seen.push(at);
    })();
    await expect(running).rejects.toThrow("parallelMap: failsAt failed at task 4: no 4");
    expect(seen).toEqual([0, 1, 2, 3]);
  });

  it.each<[string, RegExp]>([
    ["throwsText", /throwsText failed at task 0: just text/],
    ["uncloneable", /uncloneable failed at task 0: .*could not be cloned/],
    ["notAFunction", /exports no function named notAFunction/],
    ["missing", /exports no function named missing/],
  ])("%s is an error that says so", async (name, message) => {
    await expect(collect(parallelMap([1, 2, 3], work(name)))).rejects.toThrow(message);
  });

  it("does not wait for a thread that is gone", async () => {
    const tasks = range(6).map((at) => ({ at, bad: 2 }));
    await expect(collect(parallelMap(tasks, work("exitsAt"), { workers: 2 }))).rejects.toThrow(
      /worker 0 ended with exit code 7; elements from [0-2] on were on their way through exitsAt/, // the answer of task 0 may die with it,
    );
    await expect(collect(parallelMap(tasks, work("throwsLater"), { workers: 2 }))).rejects.toThrow(
      /worker 0 died: out of the blue; elements from [0-2] on/,
    );
    await expect(
      collect(parallelMap([1], { module: "file:///nowhere/at-all.mjs", name: "f" })),
    ).rejects.toThrow(/f failed at task 0: .*nowhere/);
  });

  it("says which task cannot be sent", async () => {
    await expect(collect(parallelMap([1, () => 2], work("square")))).rejects.toThrow(
      /an element of from, from number 1 on, can't be sent to a thread: .*could not be cloned/,
    );
    await expect(collect(parallelMap([1], work("square"), { workers: 0 }))).rejects.toThrow(
      /at least one worker and one task ahead are needed, got 0 and 0/,
    );
  });

  it("brings typed arrays, also shared and circular ones", async () => {
    interface Result {
      whole: Float32Array;
      same: Float32Array;
      part: Uint8Array;
      map: Map<string, Int32Array>;
      self: Result;
    }
    const [first] = await collect(parallelMap<number, Result>([3], work("arrays")));
    expect([[...first.whole], [...first.part], [...(first.map.get("k") ?? [])]]).toEqual([
      [0, 1, 2],
      [9, 9, 9],
      [3],
    ]);
    expect(first.same).toBe(first.whole);
    expect(first.self).toBe(first);
  });

  it("tells what each worker did, and when", async () => {
    const spans: { lane: string; name: string; start: number; end: number }[] = [];
    const names = ["a", "b", "c"];
    const start = performance.timeOrigin + performance.now();
    await collect(parallelMap(names, work("stages"), { workers: 2, onSpan: (span) => spans.push(span) }));
    const end = performance.timeOrigin + performance.now();
    expect(spans.map(({ name }) => name).sort()).toEqual(
      names.flatMap((n) => [`${n}.first`, `${n}.second`, `${n}.third`]),
    );
    for (const span of spans) {
      expect(span.lane).toBe(span.name.startsWith("b") ? "worker 1" : "worker 0");
      expect(span.start).toBeGreaterThan(start - 5); // clocks of threads differ by a little
      expect(span.end).toBeLessThan(end + 5);
    }
  });
});
