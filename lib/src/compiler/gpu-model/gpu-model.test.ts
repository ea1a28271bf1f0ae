/** The model against what is known in closed form, and against published figures. */
import { describe, expect, it } from "vitest";
import { gemm, matmul } from "../loop/definitions.js";
import { parseKernel } from "../loop/parse.js";
import { Schedule } from "../schedule/schedule.js";
import { GPUS, occupancyOf, simulate, totalsOf } from "./index.js";
import { sectorsOf, turnsOf } from "./memory-access.js";

const lanes = (at: (lane: number) => number): number[] => Array.from({ length: 32 }, (_, i) => at(i));

describe("counts of a GPU", () => {
  it("are those of the GV100 die and the V100 (book, 6.2)", () => {
    expect(totalsOf(GPUS.V100, true)).toMatchObject({
      processors: 84,
      fp32: 5376,
      int32: 5376,
      fp64: 2688,
      tensor: 672,
      texture: 336,
    });
    expect(totalsOf(GPUS.V100).processors).toBe(80);
    expect(totalsOf(GPUS.V100).tensorGflops / 1000).toBeCloseTo(125, 0);
    expect(totalsOf(GPUS.V100).tensorGflops / totalsOf(GPUS.V100).gflops).toBe(8);
  });

  it("give the RTX 3080's peak of the book, 29,767.68 GFLOPS", () => {
    expect(totalsOf(GPUS["RTX 3080"]).gflops).toBeCloseTo(29767.68, 6);
  });
});

describe("occupancy", () => {
  it.each([
    [256, 32, 0, 8, 1, "threads"],
    [256, 128, 0, 2, 0.25, "registers"],
    [256, 64, 33 * 1024, 2, 0.25, "shared memory"],
    [32, 16, 0, 32, 0.5, "blocks"],
    [1024, 64, 0, 1, 0.5, "registers"],
  ] as const)(
    "of %i threads, %i registers, %i bytes on a V100: %i blocks, %f",
    (threads, registersPerThread, sharedBytes, blocks, share, limitedBy) => {
      const found = occupancyOf(GPUS.V100, { threads, registersPerThread, sharedBytes });
      expect(found).toMatchObject({ blocks, share, limitedBy });
    },
  );

  it("refuses what does not fit", () => {
    expect(() => occupancyOf(GPUS.V100, { threads: 2048, registersPerThread: 16, sharedBytes: 0 })).toThrow(
      /1 to 1024 threads, not 2048/,
    );
    expect(() => occupancyOf(GPUS.V100, { threads: 1024, registersPerThread: 128, sharedBytes: 0 })).toThrow(
      /does not fit: too much registers/,
    );
  });
});

describe("accesses of a warp", () => {
  it.each([
    ["neighbours", (i: number) => 4 * i, 4, 4],
    ["the same", () => 64, 4, 1],
    ["every other one", (i: number) => 8 * i, 4, 8],
    ["a column of a wide matrix", (i: number) => 4096 * i, 4, 32],
    ["neighbours from the middle of a sector", (i: number) => 16 + 4 * i, 4, 5],
    ["vectors of four", (i: number) => 16 * i, 16, 16],
  ])("to global memory: %s", (_, at, bytes, sectors) => {
    expect(sectorsOf(lanes(at), bytes)).toHaveLength(sectors);
  });

  it.each([
    ["neighbours", (i: number) => 4 * i, 4, 1, 1],
    ["the same", () => 8, 4, 1, 1],
    ["every other one", (i: number) => 8 * i, 4, 2, 1],
    ["a column of 32", (i: number) => 128 * i, 4, 32, 1],
    ["a column of 33", (i: number) => 132 * i, 4, 1, 1],
    ["vectors of four, side by side", (i: number) => 16 * i, 16, 4, 4],
    ["vectors of four in a column of 32", (i: number) => 128 * i, 16, 32, 4],
  ])("to shared memory: %s", (_, at, bytes, turns, ideal) => {
    expect(turnsOf(lanes(at), bytes)).toEqual({ turns, ideal });
  });
});

/** One element a thread. */
function naive(m: number, n: number, k: number, order: readonly [string, string]): Schedule {
  const s = new Schedule(gemm(m, n, k));
  s.split("i", 16, ["bi", "ti"]);
  s.split("j", 16, ["bj", "tj"]);
  s.reorder("bi", "bj", ...order).computeAt("AB", order[1], "register");
  return s.bind("block", "bi", "bj").bind("thread", ...order);
}

describe("the simulation", () => {
  it("counts what a naive product does", () => {
    const { counters, blocks, launch } = simulate(naive(256, 512, 128, ["ti", "tj"]).kernel, GPUS.V100);
    expect([blocks, launch.threads, launch.sharedBytes]).toEqual([16 * 32, 256, 0]);
    const elements = 256 * 512;
    expect(counters.flops).toBe(elements * (2 * 128 + 3)); // and α · AB + β · C
    // of A, B in each step, of α, β and C once
    expect(counters.globalLoads).toBe((elements / 32) * (2 * 128 + 3));
    expect(counters.globalStores).toBe(elements / 32);
    expect(counters.bankConflicts).toBe(0);
  });

  it("says that a warp along a column waits for the queue of global accesses, and is several times slower", () => {
    const [row, column] = (["ti", "tj"] as const).map((first) => {
      const order = (first === "ti" ? ["ti", "tj"] : ["tj", "ti"]) as [string, string];
      return simulate(naive(1024, 1024, 256, order).kernel, GPUS["RTX 3080"]);
    });
    expect(column.counters.globalLoads).toBe(row.counters.globalLoads);
    expect(column.counters.sectors).toBeGreaterThan(3 * row.counters.sectors);
    expect(column.milliseconds).toBeGreaterThan(3 * row.milliseconds);
    const worst = Object.entries(column.stallsPerIssue).sort((a, b) => b[1] - a[1])[0][0];
    expect(worst).toBe("LG throttle");
  });

  it("reaches memory's bandwidth with a copy of neighbours, and not with gaps", () => {
    const copy = (step: number): number => {
      const n = 1 << 20;
      const { dramBytes, milliseconds } = simulate(
        parseKernel(`kernel copy(X: float32[${n * step}], out Y: float32[${n}]) {
  block for b in 0..${n / 256} {
    thread for t in 0..256 {
      Y[256*b + t] = X[${256 * step}*b + ${step}*t]
    }
  }
}`),
        GPUS.V100,
      );
      expect(dramBytes).toBe(n * 4 + Math.min(n * 4 * step, n * 32));
      return dramBytes / milliseconds / 1e6; // 10⁹ bytes per second
    };
    expect(copy(1)).toBeGreaterThan(0.5 * GPUS.V100.dramGbytes);
    expect(copy(1)).toBeLessThanOrEqual(GPUS.V100.dramGbytes);
  });

  it("nears the peak of arithmetic where nothing else is done, never above", () => {
    const kernel = (blocks: number) =>
      parseKernel(`kernel work(X: float32[65536], out Y: float32[65536]) {
  block for b in 0..${blocks} {
    thread for t in 0..256 {
      register acc: float32[8]
      unrolled for z in 0..8 {
        acc[z] = 0f32
      }
      for k in 0..512 {
        unrolled for u in 0..8 {
          acc[u] += acc[u] * acc[u]
        }
      }
      Y[t] = acc[0]
    }
  }
}`);
    for (const gpu of Object.values(GPUS)) {
      const { shareOfPeak } = simulate(kernel(4 * gpu.processors), gpu);
      expect(shareOfPeak).toBeGreaterThan(0.8);
      expect(shareOfPeak).toBeLessThanOrEqual(1);
    }
  });

  it("continues long loops in a straight line", () => {
    const kernel = naive(256, 256, 512, ["ti", "tj"]).kernel;
    const [cut, whole] = [simulate(kernel, GPUS.V100), simulate(kernel, GPUS.V100, { rounds: 512 })];
    expect(cut.counters.flops).toBeCloseTo(whole.counters.flops, 0);
    expect(cut.counters.globalLoads).toBeCloseTo(whole.counters.globalLoads, 0);
    expect(Math.abs(cut.milliseconds / whole.milliseconds - 1)).toBeLessThan(0.1);
  });

  it("refuses kernels that are not for a GPU", () => {
    expect(() => simulate(matmul(64, 64, 64), GPUS.V100)).toThrow(/no block loop/);
    expect(() => simulate(matmul("M", 64, 64), GPUS.V100)).toThrow(/give numbers for its sizes \(M\)/);
  });
});
