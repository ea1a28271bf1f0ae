import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MeshLayout } from "./layout.js";

const grids = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 })
  .map((shape) => Object.fromEntries(shape.map((size, i) => [`axis${i}`, size])));
const count = (sizes: Record<string, number>): number => Object.values(sizes).reduce((a, b) => a * b, 1);

describe("mesh layout", () => {
  it("is row-major: the last axis is the fastest", () => {
    const grid = new MeshLayout({ data: 2, pipeline: 2, tensor: 2 }, 8);
    expect(grid.coordinatesOf(5)).toEqual({ data: 1, pipeline: 0, tensor: 1 });
    expect(grid.rankAt({ data: 1, pipeline: 0, tensor: 1 })).toBe(5);
    expect(grid.lines(["tensor"])).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
      [6, 7],
    ]);
    expect(grid.lines(["pipeline"])).toEqual([
      [0, 2],
      [1, 3],
      [4, 6],
      [5, 7],
    ]);
    expect(grid.lines(["data"])).toEqual([
      [0, 4],
      [1, 5],
      [2, 6],
      [3, 7],
    ]);
    expect(grid.lines(["tensor", "data"])).toEqual([
      [0, 1, 4, 5],
      [2, 3, 6, 7],
    ]);
  });

  it("ranks and coordinates are each other's inverse; lines cover every member once", () => {
    fc.assert(
      fc.property(grids, (sizes) => {
        const grid = new MeshLayout(sizes, count(sizes));
        for (let rank = 0; rank < grid.size; rank++) expect(grid.rankAt(grid.coordinatesOf(rank))).toBe(rank);
        for (const axis of grid.axes) {
          const lines = grid.lines([axis]);
          expect(lines.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: grid.size }, (_, i) => i));
          for (const line of lines)
            expect(line.map((rank) => grid.coordinatesOf(rank)[axis])).toEqual(
              Array.from({ length: grid.sizeOf(axis) }, (_, i) => i),
            );
        }
      }),
    );
  });

  it("one size may be left open", () => {
    expect(new MeshLayout({ data: -1, tensor: 4 }, 12).shape).toEqual([3, 4]);
  });

  it("refuses grids that don't fit, with what was given", () => {
    expect(() => new MeshLayout({ data: 2, tensor: 3 }, 8)).toThrow(
      "mesh: { data: 2, tensor: 3 } has 6 members, the group 8",
    );
    expect(() => new MeshLayout({ data: -1, tensor: 3 }, 8)).toThrow(
      "has a multiple of 3 members, the group 8",
    );
    expect(() => new MeshLayout({ data: -1, tensor: -1 }, 8)).toThrow("one of them may be -1");
    expect(() => new MeshLayout({ data: 0 }, 8)).toThrow("whole numbers from 1");
    expect(() => new MeshLayout({ 0: 8 }, 8)).toThrow("names of axes are words");
    const grid = new MeshLayout({ data: 2, tensor: 4 }, 8);
    expect(() => grid.sizeOf("model" as never)).toThrow('no axis "model"; there are data, tensor');
    expect(() => grid.rankAt({ data: 2, tensor: 0 })).toThrow("data is 0 … 1, got 2");
    expect(() => grid.coordinatesOf(8)).toThrow("members 0 … 7, not 8");
  });
});
