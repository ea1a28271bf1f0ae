/** The batcher with a clock of the test's own: what leaves, when, and with whom. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Batcher, type BatcherOptions, type Queued } from "./batcher.js";
import { ServeError } from "./errors.js";

interface Item extends Queued {
  readonly id: number;
}

/** A batcher, its clock, and the batches that left it. */
function bench(options: Partial<BatcherOptions> = {}) {
  let time = 0;
  let timers: { at: number; f: () => void }[] = [];
  let count = 0;
  const left: { at: number; ids: number[]; rows: number; key: string | null }[] = [];
  const batcher = new Batcher<Item>(
    {
      maxBatch: 8,
      maxDelayMs: 0,
      preferred: [],
      maxQueue: 100,
      now: () => time,
      later: (f, ms) => {
        const timer = { at: time + ms, f };
        timers.push(timer);
        return () => {
          timers = timers.filter((other) => other !== timer);
        };
      },
      ...options,
    },
    (batch) => {
      const rows = batch.reduce((sum, item) => sum + item.rows, 0);
      left.push({ at: time, ids: batch.map(({ id }) => id), rows, key: batch[0].key });
    },
  );
  return {
    batcher,
    left,
    ids: () => left.map(({ ids }) => ids),
    add: (rows = 1, { key = "a" as string | null, deadline = Number.POSITIVE_INFINITY } = {}): Item => {
      const item = { id: count++, rows, key, since: time, deadline };
      batcher.add(item, () => 7);
      return item;
    },
    /** Lets time go by, timers firing when theirs comes. */
    pass: (ms: number): void => {
      const end = time + ms;
      for (;;) {
        timers.sort((a, b) => a.at - b.at);
        const [next] = timers;
        if (!next || next.at > end) break;
        timers.shift();
        time = next.at;
        next.f();
      }
      time = end;
    },
  };
}

describe("the batcher", () => {
  it("lets a request go at once while an instance is free", () => {
    const { batcher, add, ids } = bench();
    batcher.release();
    add();
    expect(ids()).toEqual([[0]]);
  });

  it("makes batches of what came while all were busy, in order and no larger than allowed", () => {
    const { batcher, add, ids } = bench({ maxBatch: 4 });
    for (const rows of [1, 2, 1, 3, 2]) add(rows);
    batcher.release();
    batcher.release();
    batcher.release();
    expect(ids()).toEqual([[0, 1, 2], [3], [4]]);
  });

  it("lets nobody overtake a request of its key that did not fit", () => {
    const { batcher, add, ids } = bench({ maxBatch: 4 });
    add(3);
    add(3);
    add(1);
    batcher.release();
    batcher.release();
    expect(ids()).toEqual([[0], [1, 2]]);
  });

  it("keeps requests of other shapes apart, and those that run alone", () => {
    const { batcher, add, ids } = bench();
    add(1);
    add(1, { key: "b" });
    add(1);
    add(1, { key: null });
    add(1, { key: null });
    for (let i = 0; i < 4; i++) batcher.release();
    expect(ids()).toEqual([[0, 2], [1], [3], [4]]);
  });

  it("waits for others as long as it may, counted from the oldest", () => {
    const { batcher, add, left, pass } = bench({ maxDelayMs: 10 });
    batcher.release();
    add();
    pass(6);
    add();
    expect(left).toEqual([]);
    pass(4);
    expect(left).toEqual([{ at: 10, ids: [0, 1], rows: 2, key: "a" }]);
  });

  it("waits no longer when the batch is full, or of a preferred size", () => {
    const full = bench({ maxDelayMs: 10, maxBatch: 3 });
    full.batcher.release();
    full.add(2);
    full.add(1);
    expect(full.left).toMatchObject([{ at: 0, rows: 3 }]);
    const preferred = bench({ maxDelayMs: 10, preferred: [2, 4] });
    preferred.batcher.release();
    preferred.add();
    preferred.pass(1);
    preferred.add();
    expect(preferred.left).toMatchObject([{ at: 1, rows: 2 }]);
  });

  it("cuts to the largest preferred size when more has come", () => {
    const { batcher, add, ids } = bench({ maxDelayMs: 10, preferred: [2, 4] });
    for (let i = 0; i < 5; i++) add();
    batcher.release();
    expect(ids()).toEqual([[0, 1, 2, 3]]);
  });

  it("does not let a request wait into its deadline", () => {
    const { batcher, add, left } = bench({ maxDelayMs: 10 });
    batcher.release();
    add(1, { deadline: 9 });
    expect(left).toMatchObject([{ at: 0, ids: [0] }]);
  });

  it("lets others go while the oldest waits", () => {
    const { batcher, add, left, pass } = bench({ maxDelayMs: 10, maxBatch: 2 });
    batcher.release();
    batcher.release();
    add(1);
    add(2, { key: "b" });
    expect(left).toMatchObject([{ at: 0, ids: [1] }]);
    pass(10);
    expect(left).toMatchObject([{ ids: [1] }, { at: 10, ids: [0] }]);
  });

  it("refuses what is beyond its bound, and says when to come back", () => {
    const { batcher, add } = bench({ maxQueue: 2 });
    add();
    add();
    expect(() => add()).toThrowError(/queue is full: 2 request\(s\) wait, at most 2 may/);
    try {
      add();
    } catch (error) {
      expect(error).toBeInstanceOf(ServeError);
      expect(error).toMatchObject({ code: "RESOURCE_EXHAUSTED", status: 429, retryAfter: 7 });
    }
    batcher.release();
    expect(batcher.length).toBe(0);
    add();
  });

  it("lets a request through an empty queue of no places while an instance is free", () => {
    const { batcher, add, ids } = bench({ maxQueue: 0 });
    expect(() => add()).toThrowError(/at most 0 may/);
    batcher.release();
    add();
    expect(ids()).toEqual([[1]]);
    expect(() => add()).toThrowError(/at most 0 may/);
  });

  it("forgets a request that nobody waits for", () => {
    const { batcher, add, ids } = bench();
    const first = add();
    add();
    expect(batcher.remove(first)).toBe(true);
    expect(batcher.remove(first)).toBe(false);
    batcher.release();
    expect(ids()).toEqual([[1]]);
  });

  it("loses nothing, doubles nothing, keeps the order of each key, whatever comes", () => {
    const event = fc.oneof(
      fc.record({
        kind: fc.constant("add" as const),
        rows: fc.integer({ min: 1, max: 4 }),
        key: fc.constantFrom("a", "b", null),
      }),
      fc.record({ kind: fc.constant("release" as const) }),
      fc.record({ kind: fc.constant("remove" as const), at: fc.nat() }),
      fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 15 }) }),
    );
    const settings = fc.record({
      maxBatch: fc.integer({ min: 4, max: 8 }),
      maxDelayMs: fc.constantFrom(0, 5, 20),
      preferred: fc.constantFrom([], [2], [2, 4]),
    });
    fc.assert(
      fc.property(settings, fc.array(event, { maxLength: 60 }), (options, events) => {
        const { batcher, add, left, pass } = bench(options);
        const added: Item[] = [];
        const removed = new Set<number>();
        let places = 0;
        for (const e of events) {
          if (e.kind === "add") added.push(add(e.rows, { key: e.key }));
          else if (e.kind === "pass") pass(e.ms);
          else if (e.kind === "release") {
            batcher.release();
            places++;
          } else if (added.length > 0) {
            const item = added[e.at % added.length];
            if (batcher.remove(item)) removed.add(item.id);
          }
          expect(left.length).toBeLessThanOrEqual(places);
        }
        for (let i = 0; i < added.length; i++) batcher.release();
        pass(100);
        const gone = left.flatMap(({ ids }) => ids);
        expect([...gone].sort((a, b) => a - b)).toEqual(
          added.map(({ id }) => id).filter((id) => !removed.has(id)),
        );
        for (const key of ["a", "b"]) {
          const order = gone.filter((id) => added[id].key === key);
          expect(order).toEqual([...order].sort((a, b) => a - b));
        }
        for (const batch of left) {
          expect(batch.rows).toBeLessThanOrEqual(options.maxBatch);
          expect(new Set(batch.ids.map((id) => added[id].key)).size).toBe(1);
          if (batch.key === null) expect(batch.ids).toHaveLength(1);
        }
      }),
    );
  });
});
