import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arange, capture, compiler, graph as graphs, ones, type Tensor } from "../../index.js";
import { runPasses } from "../../ir/index.js";
import type { ImageLayout, KernelInfo } from "./index.js";

const { imageOffset, toImageLayout, selectKernels, conversionCost } = compiler;
const LAYOUTS: readonly ImageLayout[] = ["NCHW", "NHWC", "nChw8c", "nChw16c", "5HD"];

describe("layouts of images", () => {
  it("follow the book's formulas: N = 2, C = 16, 5 × 4; eight RGB images of 32 × 32", () => {
    const [N, C, H, W] = [2, 16, 5, 4];
    for (const [n, c, h, w] of [
      [0, 0, 0, 0],
      [0, 1, 0, 0],
      [1, 15, 4, 3],
      [1, 9, 2, 1],
    ] as const) {
      expect(imageOffset("NCHW", [N, C, H, W], [n, c, h, w])).toBe(n * C * H * W + c * H * W + h * W + w);
      expect(imageOffset("NHWC", [N, C, H, W], [n, c, h, w])).toBe(n * H * W * C + h * W * C + w * C + c);
    }
    expect(imageOffset("nChw8c", [N, C, H, W], [0, 9, 0, 0])).toBe(8 * 20 + 1);
    expect(imageOffset("NCHW", [8, 3, 32, 32], [1, 0, 0, 0])).toBe(3 * 1024);
    expect(imageOffset("NHWC", [8, 3, 32, 32], [0, 1, 0, 0])).toBe(1);
  });

  it("are where conversions put the elements, and conversions come back", () => {
    for (const C of [3, 8, 16, 19]) {
      const shape = [2, C, 3, 2] as const;
      const x = arange(2 * C * 6)
        .reshape([...shape])
        .add(1);
      for (const from of LAYOUTS)
        for (const to of LAYOUTS) {
          const there = toImageLayout(toImageLayout(x, "NCHW", from), from, to, C);
          const flat = there.toTypedArray();
          for (const at of [
            [0, 0, 0, 0],
            [1, C - 1, 2, 1],
            [0, C - 1, 1, 0],
          ] as const)
            expect(flat[imageOffset(to, shape, at)]).toBe(x.toTypedArray()[imageOffset("NCHW", shape, at)]);
          expect(toImageLayout(there, to, "NCHW", C).toArray()).toEqual(x.toArray());
        }
    }
    expect(() => toImageLayout(ones([2, 3, 4, 4]), "5HD", "NCHW")).toThrow(
      /5HD has 5 axes, the tensor is \(2, 3, 4, 4\)/,
    );
    expect(() => imageOffset("CHWN" as ImageLayout, [1, 1, 1, 1], [0, 0, 0, 0])).toThrow(
      /unknown layout "CHWN"/,
    );
  });

  it("a change of layout and the one back cancel: nothing but the op between is left", () => {
    const f = (x: Tensor): Tensor =>
      toImageLayout(toImageLayout(x.exp(), "NCHW", "NHWC"), "NHWC", "NCHW").tanh();
    const graph = runPasses(capture(f, ones([1, 3, 2, 2])), ["simplify", "layout", "dce"]);
    expect(graph.nodes.map(({ op }) => op.name)).toEqual(["exp", "tanh"]);
    // the book's Conv 5HD → TransData → NCHW → TransData → 5HD → Conv
    const blocked = (x: Tensor): Tensor =>
      toImageLayout(toImageLayout(x.exp(), "5HD", "NCHW"), "NCHW", "5HD").tanh();
    const back = runPasses(capture(blocked, ones([1, 2, 3, 3, 16])), [
      "simplify",
      "layout",
      "simplify",
      "layout",
      "dce",
    ]);
    expect(back.nodes.map(({ op }) => op.name)).toEqual(["exp", "tanh"]);
  });
});

const kernel = (op: string, device: string, dtype: string, layout: string, cost: number): KernelInfo => ({
  op,
  device,
  dtype,
  layout,
  cost,
});

describe("kernel selection", () => {
  const node = (op: string, bytes = 4e5) => ({ op, dtype: "float32", bytes });

  it("casts where a device computes in float16 only, as Ascend's Conv2D does", () => {
    const table = [
      kernel("input", "npu", "float32", "5HD", 0),
      kernel("conv2d", "npu", "float16", "5HD", 1),
      kernel("exp", "npu", "float32", "5HD", 0.1),
    ];
    const found = selectKernels(
      graphs.dag("x->conv->exp"),
      { x: node("input"), conv: node("conv2d"), exp: node("exp") },
      table,
    );
    expect(found.conversions.map(({ from, to, steps }) => [from, to, steps])).toEqual([
      ["x", "conv", ["cast"]],
      ["conv", "exp", ["cast"]],
    ]);
  });

  it("stays in a layout that is a little slower when changing there and back costs more", () => {
    const table = ["conv2d", "relu"].flatMap((op) => [
      kernel(op, "cpu", "float32", "NCHW", op === "relu" ? 0.1 : 1),
      kernel(op, "cpu", "float32", "nChw8c", op === "relu" ? 0.12 : 0.5),
    ]);
    const run = (bytes: number) =>
      selectKernels(
        graphs.dag("a->b->c"),
        { a: node("conv2d", bytes), b: node("relu", bytes), c: node("conv2d", bytes) },
        table,
      );
    const { conversions, kernels } = run(4e5);
    expect(conversions).toEqual([]);
    expect([...kernels.values()].map(({ layout }) => layout)).toEqual(["nChw8c", "nChw8c", "nChw8c"]);
    expect(run(0).kernels.get("b")?.layout).toBe("NCHW"); // conversions for nothing: each its fastest
  });

  it("prefers the program's precision, unless the other is worth it", () => {
    const table = [kernel("mul", "cpu", "float32", "any", 1), kernel("mul", "cpu", "float16", "any", 0.995)];
    expect(selectKernels(graphs.dag("m"), { m: node("mul") }, table).kernels.get("m")?.dtype).toBe("float32");
    const fast = [table[0], { ...table[1], cost: 0.5 }];
    expect(selectKernels(graphs.dag("m"), { m: node("mul") }, fast).kernels.get("m")?.dtype).toBe("float16");
    expect(() => selectKernels(graphs.dag("m"), { m: node("fft") }, table)).toThrow(
      /no kernel does fft \(m\); there are kernels for mul/,
    );
  });

  it("is the best of all choices, on random graphs", () => {
    const random = fc.record({
      edges: fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 9 }),
      costs: fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 18, maxLength: 18 }),
      bytes: fc.array(fc.integer({ min: 0, max: 40 }), { minLength: 6, maxLength: 6 }),
    });
    const formats = [
      ["cpu", "float32", "NCHW"],
      ["cpu", "float16", "NHWC"],
      ["gpu", "float16", "NCHW"],
    ] as const;
    fc.assert(
      fc.property(random, ({ edges, costs, bytes }) => {
        const names = [0, 1, 2, 3, 4, 5].map((i) => `n${i}`);
        const kept = edges.filter(([i, j]) => i < j);
        const unique = [...new Map(kept.map((edge) => [edge.join(), edge])).values()];
        const dag = { nodes: names, edges: unique.map(([i, j]) => [names[i], names[j]] as const) };
        const table = names.flatMap((name, i) =>
          formats.map(([device, dtype, layout], k) =>
            kernel(name, device, dtype, layout, costs[i * 3 + k] / 100),
          ),
        );
        const nodes = Object.fromEntries(names.map((name, i) => [name, node(name, bytes[i] * 1e4)]));
        const found = selectKernels(dag, nodes, table, { precision: () => 0 });
        let best = Number.POSITIVE_INFINITY;
        for (let code = 0; code < 3 ** 6; code++) {
          const choice = names.map((_, i) => table[i * 3 + (Math.floor(code / 3 ** i) % 3)]);
          const cost =
            choice.reduce((sum, k) => sum + k.cost, 0) +
            unique.reduce((sum, [i, j]) => sum + conversionCost(choice[i], choice[j], bytes[i] * 1e4), 0);
          best = Math.min(best, cost);
        }
        expect(found.cost).toBeCloseTo(best, 9);
      }),
      { numRuns: 40 },
    );
  });
});
