/** Order, states, bounds: what walks with threads share with those without. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import {
  type Checkpoint,
  collect,
  Dataset,
  heapStats,
  library,
  noThreads,
  tensor,
} from "../../../test/support/built-library.js";
import { build as buildWith, n, type Program, programs } from "../../../test/support/random-pipelines.js";
import type { Batches } from "../../train/fit.js";

const build = (program: Program) => buildWith(program, Dataset);

afterEach(noThreads);

describe("pipelines", () => {
  it("give what walks without threads give, for any number of workers and any buffer", async () => {
    await fc.assert(
      fc.asyncProperty(programs, n(1, 3), n(1, 6), async (program, workers, buffer) => {
        const wanted = await collect(build(program).set);
        expect(await collect(build(program).set.pipeline({ workers, buffer }))).toEqual(wanted);
      }),
      { numRuns: 16 },
    );
  });

  it("go on from states of walks with and without threads, in walks with and without", async () => {
    await fc.assert(
      fc.asyncProperty(programs, n(0, 30), n(1, 2), async (program, first, workers) => {
        const wanted = await collect(build(program).set);
        const walk = build(program).set.pipeline({ workers })[Symbol.asyncIterator]();
        for (let i = 0; i < first; i++) await walk.next();
        const state = JSON.parse(JSON.stringify(walk.state())) as Checkpoint;
        await walk.return();
        expect(await collect(build(program).set.resume(state)), "with → without").toEqual(
          wanted.slice(first),
        );
        expect(await collect(build(program).set.pipeline({ workers }).resume(state)), "with → with").toEqual(
          wanted.slice(first),
        );
        const plain = build(program).set[Symbol.asyncIterator]();
        for (let i = 0; i < first; i++) await plain.next();
        const other = JSON.parse(JSON.stringify(plain.state())) as Checkpoint;
        await plain.return();
        expect(await collect(build(program).set.pipeline().resume(other)), "without → with").toEqual(
          wanted.slice(first),
        );
      }),
      { numRuns: 8 },
    );
  });

  it("walk epoch after epoch; random numbers are the elements' own", async () => {
    const make = () =>
      Dataset.range(40)
        .shuffle({ seed: 2 })
        .map((x, _, random) => x + random.uniform(), { seed: 5 })
        .batch(7);
    const plain = make();
    const epochs = [[...plain], [...plain]];
    const pipeline = make().pipeline({ workers: 2 });
    expect([await collect(pipeline), await collect(pipeline)]).toEqual(epochs);
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  it("give each op threads of its own, as the book's image pipeline has them: 3, 2, 4, 3, 1", async () => {
    const pass = (name: string, parallel: number) => [(x: number) => x + 1, { name, parallel }] as const;
    const set = Dataset.range(60)
      .map(...pass("decode", 3))
      .map(...pass("resize", 2))
      .map(...pass("rotate", 4))
      .map(...pass("normalize", 3))
      .map(...pass("hwc2chw", 1));
    const pipeline = set.pipeline({ profile: true });
    expect(pipeline.plan.after).toBe(
      "range → threads{ map(decode) ×3 → map(resize) ×2 → map(rotate) ×4 → map(normalize) ×3 → map(hwc2chw) ×1 }",
    );
    const walk = pipeline[Symbol.asyncIterator]();
    expect(await collect(walk)).toEqual(Array.from({ length: 60 }, (_, i) => i + 5));
    const lanes = new Set(walk.profile().spans.map(({ lane }) => lane));
    expect([...lanes].filter((lane) => lane.startsWith("worker")).length).toBeGreaterThanOrEqual(9);
    expect(walk.profile().ops.map(({ op, elements, threads }) => [op, elements, threads])).toEqual([
      ["map(decode)", 60, 3],
      ["map(resize)", 60, 2],
      ["map(rotate)", 60, 4],
      ["map(normalize)", 60, 3],
      ["map(hwc2chw)", 60, 1],
    ]);
  });

  it("give the batches of the book's data loader: rows of a 10 × 5 tensor, batches of 2, 3 workers", async () => {
    const table = tensor(
      Float32Array.from({ length: 50 }, (_, i) => i),
      { shape: [10, 5] },
    );
    const rows = { length: 10, at: (i: number) => table.at(i) };
    const batches: unknown[] = [];
    for await (const batch of Dataset.from(rows).batch(2).collate().pipeline({ workers: 3 }))
      batches.push(batch.toArray());
    const row = (i: number) => [0, 1, 2, 3, 4].map((k) => 5 * i + k);
    expect(batches).toEqual([0, 2, 4, 6, 8].map((i) => [row(i), row(i + 1)]));
  });

  it("show the rule of stalls while they run, and in their end", async () => {
    const shown: string[] = [];
    const set = Dataset.from(function* () {
      for (let i = 0; ; i++) yield i;
    }).map((x) => x);
    const walk = set
      .pipeline({ workers: 1, onProfile: (profile) => void shown.push(String(profile)) })
      [Symbol.asyncIterator]();
    while (shown.length < 2) await walk.next(); // as long as that takes
    await walk.return();
    await collect(
      Dataset.range(50)
        .map((x) => x)
        .pipeline({ workers: 1, onProfile: (p) => void shown.push(String(p)) }),
    );
    expect(shown.length).toBeGreaterThanOrEqual(3);
    for (const text of shown) expect(text).toMatch(/^F \(read\) .*\nG [<≥] min\(F, P\): /);
    expect(shown.at(-1)).toContain("map: 50 elements");
  });

  it("hold back when the consumer doesn't ask: no more is read than fits", async () => {
    let read = 0;
    const set = Dataset.from(function* () {
      for (;;) yield read++;
    }).map((x) => x * 2, { parallel: 2 });
    const walk = set.pipeline({ buffer: 3 })[Symbol.asyncIterator]();
    for (let i = 0; i < 40; i++) {
      expect((await walk.next()).value).toBe(2 * i);
      const ahead = read - i;
      expect(ahead).toBeLessThanOrEqual(4 * 1024);
    }
    await walk.return();
  });
});

describe("training on pipelines", () => {
  it("takes batches from threads, epoch after epoch, and gives them back", async () => {
    const { fit, nn, optim } = library;
    const set = Dataset.range(64)
      .shuffle({ seed: 1 })
      .map((i) => ({ x: [i / 64, 1], y: [(2 * i) / 64] }))
      .batch(8)
      .collate();
    const trained = async (epochs: number, batches: Batches) => {
      library.manualSeed(1);
      const model = new nn.Dense(2, 1);
      const optimizer = new optim.SGD(model, { lr: 0.1 });
      return await fit(model, batches, { loss: nn.mse, optimizer, epochs, progress: false });
    };
    await trained(1, set.pipeline({ workers: 2 }));
    const before = heapStats().liveStorages;
    const history = await trained(4, set.pipeline({ workers: 2 }));
    expect(heapStats().liveStorages - before).toBeLessThan(20); // of 64 in 32 batches
    expect(history.epochEnds).toEqual([8, 16, 24, 32]);
    expect(history.loss).toEqual((await trained(4, set)).loss);
    expect(history.epochLoss(3)).toBeLessThan(history.epochLoss(0));
    const model = new nn.Dense(2, 1);
    const options = { loss: nn.mse, optimizer: new optim.SGD(model, { lr: 0.1 }), progress: false };
    const stopped = await fit(model, set.pipeline({ workers: 2 }), {
      ...options,
      callbacks: [{ onStep: ({ step, stop }) => void (step === 3 && stop()) }],
    });
    expect(stopped.loss).toHaveLength(3);
  });
});
