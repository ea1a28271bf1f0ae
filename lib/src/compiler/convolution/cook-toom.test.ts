/** F(m, r) for any sizes and points: exact, so that it is an identity and not a tolerance that is tested. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ValueError } from "../../core/errors.js";
import { cookToom, filterBy, type Matrix } from "./cook-toom.js";
import { Rational } from "./rational.js";

const text = (matrix: Matrix): string[] => matrix.map((row) => row.join(" "));
const whole = (values: readonly (readonly number[])[]): Matrix =>
  values.map((row) => row.map((x) => Rational.of(x)));

/** Σ d[i + k] · g[k]: the definition. */
const filtered = (d: readonly number[], g: readonly number[]): string[] =>
  Array.from(
    { length: d.length - g.length + 1 },
    (_, i) => `${g.reduce((sum, x, k) => sum + x * d[i + k], 0)}`,
  );

describe("F(2, 3)", () => {
  const f = cookToom(2, 3);

  it("is the literature's", () => {
    expect(text(f.at)).toEqual(["1 1 1 0", "0 1 -1 -1"]);
    expect(text(f.g)).toEqual(["1 0 0", "1/2 1/2 1/2", "1/2 -1/2 1/2", "0 0 1"]);
    expect(text(f.bt)).toEqual(["1 0 -1 0", "0 1 1 0", "0 -1 1 0", "0 1 0 -1"]);
  });

  it("with Aᵀ as the book prints it, is no filter", () => {
    const [d, g] = [
      [1, 2, 3, 4],
      [5, 6, 7],
    ];
    expect(filterBy(f, d, g).map(String)).toEqual(filtered(d, g));
    const printed = { ...f, at: whole([[1, 1, -1, 0], [0, 1, -1, -1]]) }; // biome-ignore format: a matrix
    const [first, second] = filterBy(printed, d, g).map(String);
    expect(first).not.toBe(filtered(d, g)[0]);
    expect(second).toBe(filtered(d, g)[1]);
  });
});

it("F(4, 3) is Lavin and Gray's", () => {
  const { at, g, bt } = cookToom(4, 3);
  expect(text(at)).toEqual(["1 1 1 1 1 0", "0 1 -1 2 -2 0", "0 1 1 4 4 0", "0 1 -1 8 -8 1"]);
  expect(text(g).slice(0, 4)).toEqual(["1/4 0 0", "-1/6 -1/6 -1/6", "-1/6 1/6 -1/6", "1/24 1/12 1/6"]);
  expect(text(bt)).toEqual([
    ...["4 0 -5 0 1 0", "0 -4 -4 1 1 0", "0 4 -4 -1 1 0", "0 -2 -1 2 1 0", "0 2 -1 -2 1 0", "0 4 0 -5 0 1"],
  ]);
});

it("filters exactly, for any sizes and points", () => {
  const point = fc.tuple(fc.integer({ min: -9, max: 9 }), fc.integer({ min: 1, max: 5 }));
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 1, max: 6 }),
      fc.uniqueArray(point, { minLength: 11, maxLength: 11, selector: ([a, b]) => a / b }),
      fc.array(fc.integer({ min: -1000, max: 1000 }), { minLength: 17, maxLength: 17 }),
      fc.boolean(),
      (m, r, points, values, own) => {
        const d = values.slice(0, m + r - 1);
        const g = values.slice(11, 11 + r);
        const chosen = points.slice(0, m + r - 2).map(([a, b]) => `${a}/${b}`);
        const f = own ? cookToom(m, r, chosen) : cookToom(m, r);
        expect(filterBy(f, d, g).map(String)).toEqual(filtered(d, g));
        expect(f.inputs).toBe(m + r - 1);
      },
    ),
    { numRuns: 200 },
  );
});

it("refuses what is no filter", () => {
  expect(() => cookToom(0, 3)).toThrow(
    new ValueError("cookToom: F(0, 3) wants two whole numbers, at least 1"),
  );
  expect(() => cookToom(2, 3, [0, 1])).toThrow("wants 3 points, got 2");
  expect(() => cookToom(2, 3, [0, 1, "2/2"])).toThrow("the point 1 comes twice");
  expect(() => cookToom(2, 3, [0, 1, 0.5])).toThrow('"0.5" is no fraction');
  expect(() => cookToom(9, 9)).toThrow("name some");
  expect(() => Rational.of(1, 0)).toThrow("1/0");
});
