import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { runCollective } from "../../collectives/registry.js";
import { simulatePrograms } from "../run/virtual-cluster.js";
import { fitLine } from "./calibration.js";
import { sharedMemory } from "./shared-memory.js";

describe("calibration", () => {
  it("finds the constants of exact samples, and stays near with noise", () => {
    fc.assert(
      fc.property(
        fc.double({ min: 1e-6, max: 1e-3, noNaN: true }),
        fc.double({ min: 1e-11, max: 1e-8, noNaN: true }),
        fc.double({ min: 0, max: 0.02, noNaN: true }),
        (alpha, beta, noise) => {
          const amounts = [1e2, 1e3, 1e4, 1e5, 1e6, 1e7];
          const at = (off: number) =>
            fitLine(
              amounts.map((amount, i) => ({
                amount,
                seconds: (alpha + beta * amount) * (1 + (i % 2 ? off : -off)),
              })),
            );
          const exact = at(0);
          expect(exact.fixed / alpha).toBeCloseTo(1, 6);
          expect(exact.perUnit / beta).toBeCloseTo(1, 4);
          expect(exact.worst).toBeLessThan(1e-6);
          // predictions in the range of the samples are off by no more than a few times the noise
          const { fixed, perUnit } = at(noise);
          for (const amount of [5e2, 5e5]) {
            const predicted = (fixed + perUnit * amount) / (alpha + beta * amount);
            expect(Math.abs(predicted - 1)).toBeLessThanOrEqual(3 * noise + 1e-6);
          }
        },
      ),
    );
  });

  it("never gives a constant below 0, and says what it can't use", () => {
    const steep = fitLine([
      { amount: 1, seconds: 1 },
      { amount: 2, seconds: 4 },
    ]);
    expect(steep.fixed).toBe(0);
    expect(steep.perUnit).toBeGreaterThan(0);
    const falling = fitLine([
      { amount: 1, seconds: 4 },
      { amount: 2, seconds: 1 },
    ]);
    expect(falling.perUnit).toBe(0);
    expect(() => fitLine([{ amount: 1, seconds: 1 }])).toThrow("at least two different amounts");
    expect(() =>
      fitLine([
        { amount: 1, seconds: 0 },
        { amount: 2, seconds: 1 },
      ]),
    ).toThrow("seconds above 0, got 1 and 0");
  });
});

describe("ranks as threads of one machine", () => {
  const machine = {
    cores: 2,
    copyRate: 4e9,
    memoryRate: 1e12,
    latency: 1e-5,
    combineSecondsPerByte: 1 / 4e9,
  };
  const ring = async (ranks: number): Promise<number> => {
    const { network, options } = sharedMemory({ ...machine, ranks });
    const data = new Uint8Array(4e6);
    const run = await simulatePrograms(
      network,
      async ({ member }) =>
        runCollective("allReduce", member(0), { data, dtype: "float32", op: "sum" }, "ring"),
      { ...options, payload: "phantom" },
    );
    return run.seconds;
  };

  it("as many as cores work side by side, twice as many at half speed", async () => {
    // two: half of the data combined (copy and sum), half copied, each on a core of its own
    expect(await ring(2)).toBeCloseTo(2 * 1e-5 + (2e6 * 2) / 4e9 + 2e6 / 4e9, 9);
    // four: six steps of a quarter, at half speed
    expect(await ring(4)).toBeCloseTo(6 * 1e-5 + 2 * ((3 * 1e6 * 2) / 4e9 + (3 * 1e6) / 4e9), 9);
  });

  it("refuses machines that are none", () => {
    expect(() => sharedMemory({ ...machine, ranks: 2, cores: 0 })).toThrow(
      "the number of cores is a whole number from 1",
    );
    expect(() => sharedMemory({ ...machine, ranks: 2, copyRate: 0 })).toThrow("rates are above 0, got 0");
  });
});
