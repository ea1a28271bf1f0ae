import { describe, expect, it } from "vitest";
import { arange, avgPool2d, capture, grad, maxPool2d, type Tensor } from "../index.js";

const images = (h: number, w: number): Tensor =>
  arange(h * w)
    .cast("float32")
    .reshape([1, 1, h, w]);

describe("gradients of pooling", () => {
  it("go back to the places of windows that do not overlap, by moves alone; what no window covers gets 0", () => {
    const slope = grad((x: Tensor) => maxPool2d(x, 2).mul(2).sum());
    expect(slope(images(4, 5)).toArray()).toEqual([
      [
        [
          [0, 0, 0, 0, 0],
          [0, 2, 0, 2, 0],
          [0, 0, 0, 0, 0],
          [0, 2, 0, 2, 0],
        ],
      ],
    ]);
    expect(grad((x: Tensor) => avgPool2d(x, [1, 2]).sum())(images(2, 5)).toArray()).toEqual([
      [
        [
          [0.5, 0.5, 0.5, 0.5, 0],
          [0.5, 0.5, 0.5, 0.5, 0],
        ],
      ],
    ]);
    const ops = capture(slope, images(4, 4)).nodes.map(({ op }) => op.name);
    expect(ops).not.toContain("foldWindows2d");
  });

  it("add up where windows overlap", () => {
    const slope = grad((x: Tensor) => avgPool2d(x, 2, { stride: 1 }).sum())(images(2, 3));
    expect(slope.toArray()).toEqual([
      [
        [
          [0.25, 0.5, 0.25],
          [0.25, 0.5, 0.25],
        ],
      ],
    ]);
  });
});
