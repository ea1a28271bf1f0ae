import { describe, expect, it } from "vitest";
import { curveSvg } from "./curve.js";

const pointsOf = (svg: string): number[][] =>
  (/points="([^"]*)"/.exec(svg)?.[1] ?? "")
    .split(" ")
    .filter(Boolean)
    .map((p) => p.split(",").map(Number));

describe("curveSvg", () => {
  it("puts larger values higher and further right, inside of the picture", () => {
    const points = pointsOf(curveSvg([0, 10, 20], [3, 1, 2], "step", "loss"));
    expect(points.map(([x]) => x)).toEqual([...points.map(([x]) => x)].sort((a, b) => a - b));
    expect(points[0][1]).toBeLessThan(points[2][1]);
    expect(points[2][1]).toBeLessThan(points[1][1]);
    for (const [x, y] of points) expect(x >= 0 && x <= 640 && y >= 0 && y <= 240).toBe(true);
  });

  it("names the ends of the axes, and escapes its labels", () => {
    const svg = curveSvg([0, 100], [0.5, 2.25], "a<b", "loss");
    for (const text of [">0<", ">100<", ">0.5<", ">2.25<", "a&#60;b"]) expect(svg).toContain(text);
  });

  it("draws nothing, one point, equal values, and leaves out what is not finite", () => {
    expect(pointsOf(curveSvg([], [], "", ""))).toEqual([]);
    expect(
      pointsOf(curveSvg([1], [2], "", ""))
        .flat()
        .every(Number.isFinite),
    ).toBe(true);
    expect(pointsOf(curveSvg([1, 2, 3], [5, Number.NaN, 5], "", ""))).toHaveLength(2);
  });
});
