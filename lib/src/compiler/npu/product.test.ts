/** Products and convolutions on the array: values, traffic, tilings, errors. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ElementArray, typescriptFunction } from "../codegen/typescript/source.js";
import { Dice } from "../dice.js";
import { cast, Definition, lit, op } from "../loop/compute.js";
import { conv2d, matmul, rowReduce, softmaxRows } from "../loop/definitions.js";
import type { LoopKernel, LoopType } from "../loop/ir.js";
import { randomBuffers } from "../random-schedule.js";
import { Schedule } from "../schedule/schedule.js";
import { compileKernel, type NpuProgram, runKernel } from "./compile.js";
import { type ArrayType, type Dataflow, type NpuConfig, npuConfig } from "./config.js";
import { boundOf, type ProductSize } from "./counts.js";
import { tileRows } from "./product.js";
import type { RunReport } from "./report.js";
import { ORDERS, predictTiling, searchTilings, type Tiling } from "./tiling.js";

/** Runs a program on random buffers and compares with the TypeScript target. */
function agree(program: NpuProgram, seed = 1): RunReport {
  const { kernel } = program;
  const buffers = randomBuffers(new Dice(seed), { kernel, sizes: {} });
  const wanted = Object.fromEntries(Object.entries(buffers).map(([name, x]) => [name, x.slice()]));
  const run = runKernel(program, buffers);
  typescriptFunction(kernel)(wanted);
  for (const b of kernel.params) {
    const [x, y]: ElementArray[] = [buffers[b.name], wanted[b.name]];
    if (b.dtype !== "float32") expect(x, b.name).toEqual(y);
    else
      for (let i = 0; i < y.length; i++)
        expect(Math.abs(x[i] - y[i])).toBeLessThanOrEqual(3e-5 * Math.max(1, Math.abs(y[i])));
  }
  return run;
}

function randomArray(dice: Dice, type: ArrayType): NpuConfig {
  const dataflow = dice.pick<Dataflow>(["weight", "input", "output", "cube"]);
  const rows = 2 + dice.below(4);
  const memory = { rows: 64 + 16 * dice.below(5) };
  return npuConfig("teaching-4x4", {
    dataflow,
    type,
    rows,
    columns: dataflow === "cube" ? rows : 2 + dice.below(4),
    buffers: dice.pick([1, 2]),
    memory: { input: memory, weight: memory, acc: memory },
  });
}

describe("products on the array", () => {
  it("of every tiling and order: integers exactly, traffic as predicted", () => {
    let ran = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const dice = new Dice(seed);
        const type = dice.pick<ArrayType>(["int8", "int8", "float32", "bfloat16"]);
        const config = randomArray(dice, type);
        const size = { m: 1 + dice.below(20), n: 1 + dice.below(20), k: 1 + dice.below(20) };
        const tiling: Tiling = {
          m: 1 + dice.below(size.m),
          n: 1 + dice.below(size.n),
          k: 1 + dice.below(size.k),
          order: dice.pick(ORDERS),
        };
        const kernel = matmul(size.m, size.n, size.k, {
          dtype: type as LoopType,
          transposeA: dice.below(2) === 0,
          transposeB: dice.below(2) === 0,
        });
        if (
          Object.entries(tileRows(config, tiling)).some(([m, rows]) => rows > config.memory[m as "acc"].rows)
        )
          return;
        ran++;
        const program = compileKernel(config, kernel, { tiling });
        expect(program.statements.map(({ what }) => what)).toEqual(["product"]);
        const run = agree(program, seed);
        expect(run.macs).toBe(size.m * size.n * size.k);
        const { bytes } = predictTiling(config, size, tiling);
        const moved = run.bytes.dram.read + run.bytes.dram.written;
        expect(moved).toBe(bytes.total);
      }),
      { numRuns: process.env.MLSYS_TEST_ALL === "1" ? 600 : 80 },
    );
    expect(ran).toBeGreaterThan(40);
  }, 120_000);

  it("in batches, onto what is there, and as a schedule cuts them", () => {
    const config = npuConfig("teaching-4x4");
    expect(agree(compileKernel(config, matmul(5, 6, 7, { dtype: "int8", batch: 3 }))).macs).toBe(
      3 * 5 * 6 * 7,
    );
    const plain = matmul(9, 10, 11, { dtype: "int8" });
    const onto: LoopKernel = { ...plain, body: plain.body.slice(1) };
    agree(compileKernel(config, onto));
    const s = new Schedule(matmul(12, 10, 9, { dtype: "int8" }));
    const [io, , ii] = s.tile("i", "j", [4, 4]);
    const [ko, ki] = s.split("k", 8);
    s.reorder(io, ko, "j_o", ii, "j_i", ki);
    const program = compileKernel(config, s.kernel, { bind: ii });
    expect(program.statements[0].what).toBe("product");
    const run = agree(program);
    // The same tiles in the same order, by sizes: i, then k, then j.
    const same = compileKernel(config, matmul(12, 10, 9, { dtype: "int8" }), {
      tiling: { m: 4, n: 4, k: 8, order: "mkn" },
    });
    expect(agree(same).cycles).toBe(run.cycles);
    expect(() => compileKernel(config, s.kernel, { bind: io })).toThrow(
      `matmul: from "i_o" on, loops go over m, k, n, m, n, k; a tile has one loop for each of m, n and k at the most`,
    );
    expect(() => compileKernel(config, softmaxRows(4, 4), { bind: "i" })).toThrow(
      'no product has a loop "i" to bind',
    );
  });

  it("with copies into the on-chip memories, as cacheRead says", () => {
    const config = npuConfig("teaching-4x4");
    const s = new Schedule(matmul(12, 10, 9, { dtype: "int8" }));
    const [io, jo, ii, ji] = s.tile("i", "j", [4, 4]);
    s.reorder(io, jo, ii, ji, "k");
    const plain = agree(compileKernel(config, s.kernel, { bind: ii }));
    s.cacheRead("A", io, { name: "Ac", as: "int32" }).cacheRead("B", jo, { name: "Bc" });
    expect(String(s)).toContain("local Ac");
    const program = compileKernel(config, s.kernel, { bind: ii });
    expect(program.statements.map(({ what }) => what)).toEqual(["product"]);
    // A tile of A stays while j goes on, copied or not: the order of the loops says when it is needed.
    const run = agree(program);
    expect([run.cycles, run.bytes.dram.read]).toEqual([plain.cycles, plain.bytes.dram.read]);
    const large = new Schedule(matmul(64, 64, 64, { dtype: "int8" }));
    large.cacheRead("A", "i", { name: "whole" }).cacheRead("B", "i", { name: "Ball" });
    expect(() => compileKernel(config, large.kernel)).toThrow(
      'the copy "Ball" of "B" has 4096 elements; a memory of teaching-4x4 holds 256',
    );
  });

  it("with what follows done on the way out", () => {
    const d = new Definition("layer");
    const a = d.input("A", "int8", [20, 12]);
    const b = d.input("B", "int8", [12, 10]);
    const bias = d.input("Bias", "int32", [10]);
    const c = d.temp("C", "int32", [20, 10]);
    const h = d.temp("H", "float32", [20, 10]);
    const y = d.output("Y", "float32", [20, 10]);
    d.reduce(c, { i: 20, j: 10 }, { k: 12 }, "add", lit(0, "int32"), ({ i, j, k }) => [
      [i, j],
      op("mul", cast("int32", a.at(i, k)), cast("int32", b.at(k, j))),
    ]);
    d.compute(h, { p: 20, q: 10 }, ({ p, q }) => [
      [p, q],
      op("mul", cast("float32", op("add", c.at(p, q), bias.at(q))), lit(0.01)),
    ]);
    d.compute(y, { r: 20, s: 10 }, ({ r, s }) => [[r, s], op("relu", h.at(r, s))]);
    for (const dataflow of ["weight", "input", "output", "cube"] as const) {
      const config = npuConfig("teaching-4x4", { dataflow });
      const program = compileKernel(config, d.kernel());
      expect(program.statements).toMatchObject([{ what: "product", fused: 2 }]);
      const run = agree(program);
      // C and H never leave the chip.
      expect(run.bytes.dram.written).toBe(20 * 10 * 4);
    }
  });

  it("refuse tiles that don't fit, and say by how much", () => {
    const config = npuConfig("teaching-4x4");
    const kernel = matmul(64, 64, 64, { dtype: "int8" });
    expect(() => compileKernel(config, kernel, { tiling: { m: 64, n: 4, k: 8, order: "mnk" } })).toThrow(
      "a tile of m × n × k = 64 × 4 × 8 needs 128 rows of input; teaching-4x4 has 64",
    );
    expect(() => predictTiling(config, { m: 4, n: 4, k: 4 }, { m: 0, n: 4, k: 4, order: "mnk" })).toThrow(
      "a tile's m is a whole number from 1, got 0",
    );
    expect(() =>
      predictTiling(config, { m: 4, n: 4, k: 4 }, { m: 4, n: 4, k: 4, order: "nm" as "mnk" }),
    ).toThrow("an order of tiles is one of");
  });

  it("leave to the vector unit what the array can't take, and say why", () => {
    const config = npuConfig("teaching-4x4");
    const program = compileKernel(config, matmul(3, 4, 5));
    expect(program.statements.at(-1)).toMatchObject({
      what: "vector",
      why: "its factors are float32 and float32; the array of teaching-4x4 takes int8",
    });
    expect(agree(program).macs).toBe(0);
    const sum = compileKernel(config, rowReduce("sum", 5, 9, "add"));
    expect(sum.statements.at(-1)?.why).toBe("it adds up no products");
    agree(sum);
    const asked = compileKernel(config, matmul(3, 4, 5, { dtype: "int8" }), { array: false });
    expect(agree(asked).macs).toBe(0);
  });
});

describe("the search for tilings", () => {
  const gemmini = npuConfig("gemmini-16x16");
  const sizes: ProductSize[] = [
    { m: 64, n: 64, k: 64 },
    { m: 200, n: 48, k: 100 },
    { m: 16, n: 256, k: 64 },
  ];

  it.each(sizes)(
    "finds one for $m × $n × $k that is about as good as small tiles or better, near its prediction",
    (size) => {
      const [best] = searchTilings(gemmini, size);
      const kernel = matmul(size.m, size.n, size.k, { dtype: "int8" });
      const program = compileKernel(gemmini, kernel);
      expect(program.statements[0].tiling).toEqual(best.tiling);
      const run = agree(program);
      const small = agree(compileKernel(gemmini, kernel, { tiling: { m: 16, n: 16, k: 16, order: "mnk" } }));
      expect(run.cycles).toBeLessThan(1.05 * small.cycles);
      expect(Math.abs(best.cycles - run.cycles) / run.cycles).toBeLessThan(0.35);
      // No tiling beats what the operands' own way and the array's own work take.
      const bound = boundOf(gemmini, size);
      expect(run.cycles).toBeGreaterThanOrEqual(Math.max(bound.compute, bound.dma));
    },
  );

  it("is bounded by memories: more of them, less traffic", () => {
    const size = { m: 256, n: 256, k: 256 };
    const bytes = [128, 512, 2048].map(
      (rows) =>
        searchTilings(
          npuConfig("gemmini-16x16", { memory: { input: { rows }, weight: { rows }, acc: { rows } } }),
          size,
          { tries: 0 },
        )[0].bytes.total,
    );
    expect(bytes[0]).toBeGreaterThan(bytes[1]);
    expect(bytes[1]).toBeGreaterThanOrEqual(bytes[2]);
    expect(bytes[2]).toBeGreaterThanOrEqual(256 * 256 * (1 + 1 + 4));
  });
});

describe("convolutions on the array", () => {
  it("of random shapes, strides and borders", () => {
    let onArray = 0;
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const dice = new Dice(seed);
        const kernel = 1 + dice.below(3);
        const shape = {
          n: 1 + dice.below(2),
          channels: 1 + dice.below(7),
          filters: 1 + dice.below(9),
          height: kernel + dice.below(7),
          width: kernel + dice.below(9),
          kernel,
          stride: 1 + dice.below(2),
          padding: dice.below(3),
        };
        const config = npuConfig("teaching-4x4", {
          type: "float32",
          dataflow: dice.pick(["weight", "cube"] as const),
          buffers: dice.pick([1, 2] as const),
          memory: { input: { rows: 256 }, weight: { rows: 128 }, acc: { rows: 128 } },
        });
        const program = compileKernel(config, conv2d(shape));
        if (program.statements.at(-1)?.what === "convolution") onArray++;
        agree(program, seed);
      }),
      { numRuns: process.env.MLSYS_TEST_ALL === "1" ? 300 : 40 },
    );
    expect(onArray).toBeGreaterThan(20);
  }, 60_000);

  it("read each pixel once per block of filters, not once per tap", () => {
    const config = npuConfig("gemmini-16x16", { type: "float32" });
    const program = compileKernel(
      config,
      conv2d({ n: 1, channels: 16, filters: 16, height: 8, width: 8, kernel: 3, padding: 1 }),
    );
    const run = agree(program);
    expect(run.macs).toBe(16 * 16 * 9 * 64);
    expect(run.bytes.dram.read).toBe((16 * 64 + 16 * 16 * 9) * 4);
  });
});
