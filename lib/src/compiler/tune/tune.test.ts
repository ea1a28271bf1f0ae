/** The search: what it finds is right and not slower than what it started from; model, cache, progress, interruption. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { typescriptFunction } from "../codegen/typescript/source.js";
import { Dice } from "../dice.js";
import { conv2d, elementwise, matmul, rowReduce, softmaxRows } from "../loop/definitions.js";
import { printKernel } from "../loop/print.js";
import { problemsOf } from "../loop/verify.js";
import { randomBuffers } from "../random-schedule.js";
import { scheduled } from "../schedule/schedule.js";
import { BoostedTrees } from "./boosting.js";
import { FEATURES, featuresOf } from "./features.js";
import { tunedProduct, tuneProduct } from "./products.js";
import { sketchesOf } from "./sketch.js";
import { type TuneProgress, tune } from "./tune.js";

const cache = mkdtempSync(join(tmpdir(), "mlsys-tuned-"));
process.env.MLSYS_CACHE = cache;
afterAll(() => rmSync(cache, { recursive: true }));

const QUICK = { repeats: 2, warmUp: 0 } as const;

describe("boosted trees", () => {
  it("learn a function with steps and interactions, and rank what they have not seen", () => {
    const dice = new Dice(1);
    const f = ([a, b, c]: readonly number[]): number => (a > 0.5 ? 2 * b : -b) + 0.3 * c;
    const draw = () =>
      Array.from({ length: 200 }, () => [dice.real(), dice.real(), dice.real(), dice.real()]);
    const [train, test] = [draw(), draw()];
    const model = new BoostedTrees().fit(train, train.map(f), { trees: 120 });
    const error = test.reduce((sum, row) => sum + (model.predict(row) - f(row)) ** 2, 0);
    const mean = test.reduce((sum, row) => sum + f(row), 0) / test.length;
    const spread = test.reduce((sum, row) => sum + (f(row) - mean) ** 2, 0);
    expect(error / spread).toBeLessThan(0.1);
  });

  it("say the mean where there is nothing to split", () => {
    expect(new BoostedTrees().fit([[1], [1]], [2, 4]).predict([1])).toBeCloseTo(3);
    expect(new BoostedTrees().fit([], []).predict([1])).toBe(0);
  });
});

describe("sketches", () => {
  const kernels = [
    matmul(24, 40, 32),
    matmul("M", 40, 32),
    conv2d({ n: 2, channels: 4, filters: 8, height: 10, width: 12, kernel: 3, padding: 1 }),
    rowReduce("sum", 16, 100, "add"),
    softmaxRows(8, 40),
    elementwise("copy", [8, 50], [[8, 50]], ([x]) => x),
  ];
  it.each(kernels.map((kernel): [string, typeof kernel] => [kernel.name, kernel]))(
    "of %s keep its meaning",
    (_, kernel) => {
      const dice = new Dice(3);
      const sizes = Object.fromEntries(kernel.sizes.map((name) => [name, 13]));
      const wanted = randomBuffers(new Dice(5), { kernel, sizes });
      typescriptFunction(kernel)(wanted, sizes);
      for (const sketch of sketchesOf(kernel)) {
        for (let i = 0; i < 4; i++) {
          const numbers = Object.fromEntries(
            Object.entries(sketch.choices).map(([name, list]) => [name, dice.pick(list)]),
          );
          const { kernel: made } = sketch.build(numbers);
          expect(problemsOf(made)).toEqual([]);
          expect(featuresOf(made)).toHaveLength(FEATURES.length);
          const found = randomBuffers(new Dice(5), { kernel, sizes });
          typescriptFunction(made)(found, sizes);
          for (const { name } of kernel.params)
            for (let k = 0; k < wanted[name].length; k++)
              expect(Math.abs(found[name][k] - wanted[name][k])).toBeLessThan(1e-4);
        }
      }
    },
  );
});

describe("tune", () => {
  const kernel = matmul(32, 32, 32);

  it("finds a schedule, tells how it goes, and keeps it on disk", async () => {
    const seen: TuneProgress[] = [];
    const found = await tune(kernel, { ...QUICK, trials: 20, onProgress: (p) => seen.push(p) });
    expect(seen).toEqual(found.history);
    expect(seen).toHaveLength(20);
    expect(
      seen.every(
        (p, i) => p.trial === i + 1 && p.best === Math.min(...seen.slice(0, i + 1).map((q) => q.seconds)),
      ),
    ).toBe(true);
    expect(
      seen.slice(0, 8).every((p) => p.predicted === null) && seen.slice(8).every((p) => p.predicted !== null),
    ).toBe(true);
    expect(new Set(seen.map((p) => p.sketch + JSON.stringify(p.numbers))).size).toBe(20); // none is measured twice
    expect(found.seconds).toBe(seen[19].best);
    expect(problemsOf(scheduled(kernel, found.steps))).toEqual([]);
    const again = await tune(kernel, { ...QUICK, trials: 20 });
    expect(again).toMatchObject({ steps: found.steps, seconds: found.seconds, fromCache: true, history: [] });
    // A damaged file is no obstacle.
    const folder = join(cache, "tuned");
    for (const name of readdirSync(folder)) writeFileSync(join(folder, name), "{");
    expect((await tune(kernel, { ...QUICK, trials: 2 })).fromCache).toBe(false);
  });

  it("keeps the tiles of products where the native device finds them", async () => {
    const layout = { transposeB: true };
    expect(tunedProduct(layout, "wasm")).toBeNull();
    const found = await tuneProduct(layout, { ...QUICK, target: "wasm", trials: 2 });
    const kept = tunedProduct(layout, "wasm");
    expect(kept && printKernel(kept)).toBe(printKernel(found.kernel));
    expect(tunedProduct({}, "wasm")).toBeNull();
  }, 300_000);

  it("ends when it is told to, with what it has", async () => {
    const stop = new AbortController();
    const found = await tune(kernel, {
      ...QUICK,
      trials: 50,
      cache: false,
      signal: stop.signal,
      onProgress: ({ trial }) => trial === 3 && stop.abort(),
    });
    expect(found.history).toHaveLength(3);
    stop.abort();
    await expect(tune(kernel, { cache: false, signal: stop.signal })).rejects.toThrow(
      'tune: no schedule of "matmul" was measured',
    );
  });
});
