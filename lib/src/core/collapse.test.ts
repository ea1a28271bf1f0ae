import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { broadcastLayout, collapse, contiguousLayout, type Layout, permuteLayout } from "./layout.js";

/** Positions of the elements in the order of the loops. */
function positions(sizes: readonly number[], strides: readonly number[]): number[] {
  return sizes.reduce<number[]>(
    (found, size, d) => found.flatMap((at) => Array.from({ length: size }, (_, i) => at + i * strides[d])),
    [0],
  );
}

/** A shape, and layouts that broadcast to it: permuted, with leading axes left out, or repeated along some. */
const walks = fc
  .record({
    shape: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }),
    draws: fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 }),
  })
  .map(({ shape, draws }) => ({
    shape,
    operands: draws.map(([drop, ones, turn]): Layout => {
      const own = shape.slice(drop % (shape.length + 1)).map((size, d) => ((ones >> d) & 1 ? 1 : size));
      const axes = own.map((_, d) => d);
      if (turn % 2 === 1) axes.reverse();
      return permuteLayout(
        contiguousLayout(axes.map((a) => own[a])),
        axes.map((_, d) => axes.indexOf(d)),
      );
    }),
  }));

describe("collapse", () => {
  it("walks over the same elements, in the same order", () => {
    fc.assert(
      fc.property(walks, ({ shape, operands }) => {
        const { sizes, strides } = collapse(shape, operands);
        expect(sizes.length).toBeGreaterThanOrEqual(1);
        for (const [o, operand] of operands.entries()) {
          const whole = broadcastLayout(operand, shape, "test");
          expect(positions(sizes, strides[o])).toEqual(positions(shape, whole.strides));
        }
      }),
    );
  });

  it("takes as few loops as the layouts allow", () => {
    const rows = contiguousLayout([2, 3, 4]);
    expect(collapse([2, 3, 4], [rows, rows])).toEqual({ sizes: [24], strides: [[1], [1]] });
    expect(collapse([2, 3, 4], [rows, contiguousLayout([4])])).toEqual({
      sizes: [6, 4],
      strides: [
        [4, 1],
        [0, 1],
      ],
    });
    const turned = permuteLayout(contiguousLayout([3, 2]), [1, 0]);
    expect(collapse([2, 3], [turned, contiguousLayout([])])).toEqual({
      sizes: [2, 3],
      strides: [
        [1, 2],
        [0, 0],
      ],
    });
    expect(collapse([], [contiguousLayout([])])).toEqual({ sizes: [1], strides: [[0]] });
    expect(collapse([1, 1], [contiguousLayout([1, 1])])).toEqual({ sizes: [1], strides: [[0]] });
  });
});
