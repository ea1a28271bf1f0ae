/** What is measured, and what follows from it. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { collect, Dataset, data, noThreads } from "../../../test/support/built-library.js";

const { Tuner } = (await import(
  new URL("../../../dist/data/engine/tuner.js", import.meta.url).href
)) as typeof import("./tuner.js");

afterEach(noThreads);

describe("the autotuner", () => {
  const stage = (parallel: number | "auto") =>
    ({ kind: "call", ops: [{ parallel }] }) as unknown as import("./rewrites.js").CallStep;
  const after = (
    tuner: InstanceType<typeof Tuner>,
    costs: readonly number[],
    consumer: number,
    chunks = 24,
  ) => {
    for (let i = 0; i < chunks; i++) {
      for (const [k, ms] of costs.entries()) tuner.worked(k, 1, ms, 1000);
      tuner.consumed(1, consumer, consumer < Math.max(...costs));
      tuner.takeWidths();
    }
    return tuner;
  };

  it("gives threads to the stages that need them, and no more than the pace needs", () => {
    const slow = after(new Tuner([stage("auto")], 8, false, undefined), [10], 2.5);
    expect(slow.widths).toEqual([5]); // 10 ms of work for each 2.5 ms of the consumer's, and a fifth more
    const patient = after(new Tuner([stage("auto")], 8, false, undefined), [1], 20);
    expect(patient.widths).toEqual([1]);
    const hungry = after(
      new Tuner([stage("auto"), stage(2), stage("auto")], 6, false, undefined),
      [1, 9, 5],
      0.01,
    );
    expect(hungry.widths).toEqual([1, 2, 5]);
    const fixed = after(new Tuner([stage("auto")], 3, true, undefined), [1], 20);
    expect(fixed.widths).toEqual([3]);
  });

  it("makes messages as large as some milliseconds' work, and no larger than a mebibyte", () => {
    expect(after(new Tuner([stage("auto")], 1, true, undefined), [0.01], 0.001, 60).chunk).toBe(256);
    expect(after(new Tuner([stage("auto")], 1, true, undefined), [30], 0.001).chunk).toBe(1);
    const heavy = new Tuner([stage("auto")], 1, true, undefined);
    for (let i = 0; i < 40; i++) {
      heavy.worked(0, heavy.chunk, 0.01 * heavy.chunk, 2 ** 18 * heavy.chunk);
      heavy.consumed(heavy.chunk, 0.001, false);
    }
    expect(heavy.chunk).toBe(4);
  });

  it("lets more wait where the threads are fast enough and the consumer still finds nothing", () => {
    const tuner = new Tuner([stage("auto")], 2, true, undefined);
    const before = tuner.window;
    for (let i = 0; i < 24; i++) {
      tuner.worked(0, 1, 1, 10);
      tuner.consumed(1, 2, i % 2 === 0);
    }
    expect(tuner.window).toBeGreaterThan(before);
    expect(tuner.changes.some(({ what }) => what === "window")).toBe(true);
  });

  it("changes widths while elements flow, and none is lost or late", async () => {
    const wanted = vi.spyOn(Tuner.prototype as unknown as { wantedWidths(): number[] }, "wantedWidths");
    const plans = [
      [2, 1],
      [1, 3],
      [3, 2],
      [1, 1],
    ];
    let changes = 0;
    wanted.mockImplementation(() => plans[changes++ % plans.length]);
    try {
      const set = Dataset.range(3000)
        .filter((x) => x % 3 !== 0)
        .map((x, i) => x + i) // a new segment: the index behind a filter
        .flatMap((x) => (x % 2 === 0 ? [x, x + 1] : []));
      const two = Dataset.range(2000)
        .map((x) => x + 1)
        .flatMap((x) => [x, -x]);
      const walk = two.pipeline({ workers: 2, buffer: 5 })[Symbol.asyncIterator]();
      expect(await collect(walk)).toEqual([...two]);
      expect(await collect(set.pipeline({ workers: 2 }))).toEqual([...set]);
      expect(changes).toBeGreaterThan(3);
    } finally {
      wanted.mockRestore();
    }
  });
});

describe("profiles", () => {
  it("say who did what, and count it", async () => {
    const set = Dataset.range(60)
      .map((x) => Math.sqrt(x), { name: "root" })
      .filter((x) => x > 1, { name: "keep" });
    const walk = set.pipeline({ workers: 1, profile: true })[Symbol.asyncIterator]();
    for await (const _ of walk);
    const report = walk.profile();
    expect(report.ops.map(({ op, elements, threads }) => [op, elements, threads])).toEqual([
      ["map(root)", 60, 1],
      ["filter(keep)", 60, 1],
    ]);
    for (const { ms } of report.ops) expect(ms).toBeGreaterThan(0);
    for (const rate of [report.F, report.P, report.G]) expect(rate).toBeGreaterThan(0);
    const lanes = new Set(report.spans.map(({ lane, name }) => `${lane}: ${name}`));
    for (const lane of ["main: range", "main: consumer", "worker 0: map(root)", "worker 0: filter(keep)"])
      expect(lanes).toContain(lane);
    expect(report.gantt().data.length).toBe(4);
    expect(Object.keys(report.utilization()).sort()).toEqual(["main", "worker 0"]);
  });

  it("find the bottleneck: no stall iff G < min(F, P)", () => {
    const ops = [{ op: "map(decode)", elements: 10, ms: 20, threads: 3 }];
    const of = (F: number, P: number, G: number) =>
      new data.PipelineProfile(
        [],
        ops,
        F,
        P,
        G,
        30,
        70,
        [{ unit: 9, what: "chunk", from: "1", to: "4" }],
        "map(decode)",
      );
    expect([
      of(9, 8, 7).bottleneck,
      of(7, 8, 9).bottleneck,
      of(9, 7, 8).bottleneck,
      of(9, 8, 8).bottleneck,
    ]).toEqual(["consumer", "reading", "preprocessing", "preprocessing"]);
    expect(String(of(900, 80.5, 100))).toBe(`F (read) 900/s, P (preprocess) 80.5/s, G (consume) 100/s
G ≥ min(F, P): the consumer stalls; it waited 30 % of the time
preprocessing sets the pace (CPU-bound) in map(decode): more threads, or a faster op
  map(decode): 10 elements, 2000.0 µs each, 3 threads
  tuned at 9: chunk 1 → 4`);
    expect(String(of(900, 800, 100))).toMatch(/G < min\(F, P\): no stall/);
    expect(String(of(90, 800, 100))).toMatch(/reading sets the pace \(I\/O-bound\)/);
  });
});
