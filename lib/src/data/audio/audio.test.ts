import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expectedFile } from "../../../test/support/expected.js";
import { data } from "../../index.js";

const { complexNorm, lowpassBiquad, timeMasking } = data;
const floats = (shape: number[], values: readonly number[]) => ({
  dtype: "float32" as const,
  shape,
  data: Float32Array.from(values),
});

describe("operations on sound", () => {
  it("filter as SciPy's lfilter with the same coefficients, row by row", () => {
    const { wave, lowpass } = expectedFile<{
      wave: number[][];
      lowpass: { rate: number; cutoff: number; q: number; result: number[][] }[];
    }>("formats/audio.json");
    for (const { rate, cutoff, q, result } of lowpass) {
      const found = lowpassBiquad(floats([2, 60], wave.flat()), rate, cutoff, q);
      expect(found.shape).toEqual([2, 60]);
      for (const [i, value] of result.flat().entries())
        expect(Math.abs(found.data[i] - value)).toBeLessThan(1e-6);
    }
    const loud = floats([50], new Array<number>(50).fill(1));
    expect(Math.max(...lowpassBiquad(loud, 8000, 1000, 5).data)).toBe(1); // it would ring above
  });

  it("measure complex numbers", () => {
    expect(Array.from(complexNorm(floats([2, 2], [3, 4, -5, 12])).data)).toEqual([5, 13]);
    expect(Array.from(complexNorm(floats([1, 2, 2], [3, 4, -5, 12]), 2).data)).toEqual([25, 169]);
    expect(complexNorm(floats([1, 2, 2], [3, 4, -5, 12])).shape).toEqual([1, 2]);
  });

  it("blank one stretch of time, shorter than asked, the same for all rows, by the key alone", () => {
    let longest = 0;
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(),
        (time, rows, seed) => {
          const most = Math.ceil(time / 2);
          const ones = floats([rows, time], new Array<number>(rows * time).fill(1));
          const found = timeMasking(ones, most, [seed, 0], { value: 7 });
          expect(timeMasking(ones, most, [seed, 0], { value: 7 })).toEqual(found);
          expect(ones.data.every((x) => x === 1)).toBe(true);
          const row = Array.from(found.data.subarray(0, time));
          for (let r = 1; r < rows; r++)
            expect(Array.from(found.data.subarray(r * time, (r + 1) * time))).toEqual(row);
          const text = row.map((x) => (x === 7 ? "#" : ".")).join("");
          expect(text).toMatch(/^\.*#*\.*$/);
          const blank = text.replaceAll(".", "").length;
          expect(blank).toBeLessThan(most === 0 ? 1 : most + 1);
          longest = Math.max(longest, blank);
        },
      ),
    );
    expect(longest).toBeGreaterThan(3);
  });

  it("refuse what doesn't fit", () => {
    expect(() => lowpassBiquad(floats([1], [0]), 8000, 4000)).toThrow(/between 0 and 4000 Hz, got 4000/);
    expect(() => lowpassBiquad(floats([1], [0]), 8000, 400, 0)).toThrow(/Q is above 0, got 0/);
    expect(() => complexNorm(floats([3], [1, 2, 3]))).toThrow(/real and imaginary part, got \(3\)/);
    expect(() => timeMasking(floats([3], [1, 2, 3]), 4, [0, 0])).toThrow(/0 to 3 steps, got 4/);
  });
});
