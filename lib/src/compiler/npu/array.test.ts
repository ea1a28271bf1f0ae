/** The array by registers against plain products, and the fast form against the registers. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Dice } from "../dice.js";
import { type ArrayShape, type Fold, foldByRegisters, foldFast } from "./array.js";
import type { ArrayType, Dataflow } from "./config.js";

function randomFold(dice: Dice): { shape: ArrayShape; fold: Fold } {
  const dataflow = dice.pick<Dataflow>(["weight", "input", "output"]);
  const type = dice.pick<ArrayType>(["int8", "float32", "bfloat16"]);
  const [rows, columns] = [1 + dice.below(6), 1 + dice.below(6)];
  const [down, across, moving] = [1 + dice.below(rows), 1 + dice.below(columns), 1 + dice.below(12)];
  const [m, n, k] =
    dataflow === "weight"
      ? [moving, across, down]
      : dataflow === "input"
        ? [across, moving, down]
        : [down, across, moving];
  const value = (): number => (type === "int8" ? dice.below(256) - 128 : Math.fround(dice.real() * 2 - 1));
  const a = Float64Array.from({ length: m * k }, value);
  const b = Float64Array.from({ length: k * n }, value);
  return { shape: { rows, columns, dataflow, type }, fold: { a, b, m, n, k } };
}

describe("one pass through the array", () => {
  it("is the product, exactly for integers", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { shape, fold } = randomFold(new Dice(seed));
        const { a, b, m, n, k } = fold;
        const { c } = foldByRegisters(shape, fold);
        for (let i = 0; i < m; i++)
          for (let j = 0; j < n; j++) {
            let sum = 0;
            for (let l = 0; l < k; l++) sum += (a[i * k + l] as number) * (b[l * n + j] as number);
            if (shape.type === "int8") expect(c[i * n + j]).toBe(sum);
            else expect(Math.abs(c[i * n + j] - sum)).toBeLessThan(1e-5);
          }
      }),
      { numRuns: 200 },
    );
  });

  it("fast and by registers: the same bits, cycles, and units at work in each cycle", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { shape, fold } = randomFold(new Dice(seed));
        expect(foldFast(shape, fold)).toEqual(foldByRegisters(shape, fold));
      }),
      { numRuns: 300 },
    );
  });

  it("takes 2R + C + T − 2 cycles, whatever stays", () => {
    const sizes = { weight: [7, 3, 4], input: [3, 7, 4], output: [4, 3, 7] } as const;
    for (const dataflow of ["weight", "input", "output"] as const) {
      const [m, n, k] = sizes[dataflow];
      const fold = { a: new Float64Array(m * k), b: new Float64Array(k * n), m, n, k };
      const { fixed, moving } = foldByRegisters({ rows: 5, columns: 3, dataflow, type: "int8" }, fold);
      expect(fixed + moving).toBe(2 * 5 + 3 + 7 - 2);
    }
  });

  it("shows a diagonal wave front", () => {
    const fold = { a: [1, 2, 3, 4], b: [1, 0, 0, 1], m: 2, n: 2, k: 2 };
    const seen: string[] = [];
    foldByRegisters({ rows: 2, columns: 2, dataflow: "weight", type: "int8" }, fold, (t, { a }) => {
      seen.push(`${t}: ${[...a].map((x) => (Number.isNaN(x) ? "." : x)).join(" ")}`);
    });
    // Row 1 gets k = 1 a cycle later; column 1 sees what column 0 saw.
    expect(seen).toEqual(["0: 1 . . .", "1: 3 1 2 .", "2: . 3 4 2", "3: . . . 4"]);
  });

  it("counts products: the units at work add up to m · n · k", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const { shape, fold } = randomFold(new Dice(seed));
        const { active } = foldFast(shape, fold);
        expect(active.reduce((sum, x) => sum + x, 0)).toBe(fold.m * fold.n * fold.k);
      }),
      { numRuns: 100 },
    );
  });

  it("refuses what does not fit, by name", () => {
    const shape = { rows: 2, columns: 2, dataflow: "weight", type: "int8" } as const;
    expect(() => foldFast(shape, { a: [1, 1, 1], b: [1, 1, 1], m: 1, n: 1, k: 3 })).toThrow(
      "k = 3 does not fit an array of 2 × 2 with stationary weights: at most 2",
    );
    expect(() =>
      foldByRegisters({ ...shape, dataflow: "cube" }, { a: [1], b: [1], m: 1, n: 1, k: 1 }),
    ).toThrow("a cube has no registers");
  });
});
