import { describe, expect, it } from "vitest";
import { capture, compile, cond, dag } from "../graph/index.js";
import { conv2d, ones, type Tensor, tensor, variable } from "../index.js";
import { displaySymbol } from "./bundle.js";
import { drawGraph, drawTape } from "./graph.js";

/** Texts of an SVG, in order. */
const texts = (svg: string): string[] =>
  [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map((found) => found[1]);

describe("drawings of graphs", () => {
  it("show ops, parameters, attributes and results", async () => {
    const graph = capture(
      (x: Tensor, w: Tensor) => x.matmul(w).relu().sum(1),
      tensor([[1, 2]]),
      tensor([[1], [2]]),
    );
    const bundle = await graph[displaySymbol]();
    const svg = String(bundle["image/svg+xml"]);
    expect(svg).toMatch(/^<svg/);
    expect(texts(svg)).toEqual(
      expect.arrayContaining(["x", "float32(1, 2)", "matmul", "relu", "sum", "result"]),
    );
    expect(String(bundle["text/plain"])).toBe(graph.toString());
  });

  it("put many attributes on several lines, so that a box stays narrow", async () => {
    const graph = capture(
      (x: Tensor) => conv2d(x, ones([1, 1, 3, 3]), { padding: 1, stride: 2 }),
      ones([1, 1, 8, 8]),
    );
    const lines = texts(await drawGraph(graph).svg());
    expect(lines).toEqual(
      expect.arrayContaining(["stride: [2,2]", "padding: [[1,1],[1,1]]", "dilation: [1,1], groups: 1"]),
    );
  });

  it("show what was fused, and the branches of control flow", async () => {
    const f = (x: Tensor) =>
      cond(
        x.sum().greater(0),
        (a: Tensor) => a.exp(),
        (a: Tensor) => a.neg(),
        x.add(1).relu().mul(2),
      );
    const fused = compile(capture(f, tensor([1, -2]))).graph;
    const found = texts(await drawGraph(fused).svg());
    expect(found).toEqual(
      expect.arrayContaining(["fused", "add · relu · mul", "cond", "onTrue", "exp", "onFalse", "neg"]),
    );
    expect(texts(await drawGraph(fused, { regions: false }).svg())).not.toContain("exp");
  });

  it("draw graphs of names, highlighted, with any characters", async () => {
    const drawing = drawGraph(dag('a"<b>->c&d, c&d->e\\n, z'), {
      direction: "right",
      highlight: { z: "#d55e00" },
    });
    const svg = await drawing.svg();
    expect(texts(svg)).toEqual(expect.arrayContaining(["a&quot;&lt;b&gt;", "c&amp;d", "z"]));
    expect(svg).toContain("#d55e00");
    expect(drawing.toString()).toBe('a"<b> -> c&d, c&d -> e\\n, z');
  });

  it("draw the tape of a value with what it saves", async () => {
    const w = variable([[1], [2]], { name: "w" });
    const found = texts(
      await drawTape(
        tensor([[3, 4]])
          .matmul(w)
          .exp()
          .sum(),
      ).svg(),
    );
    expect(found).toEqual(expect.arrayContaining(["w", "matmul", "exp", "saves 4 B", "sum"]));
  });
});
