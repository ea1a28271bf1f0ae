import { describe, expect, it } from "vitest";
import { call, capture, compile } from "../../graph/index.js";
import {
  attention,
  compiler,
  grad,
  heapStats,
  nn,
  ones,
  random,
  resetPeak,
  setNumThreads,
  type Tensor,
  tril,
  vmap,
} from "../../index.js";
import { type Graph, parseGraph, printGraph, runPasses } from "../index.js";

const PASSES = ["cse", "dce", "attention", "fuse"];
const names = (graph: Graph): string[] => graph.nodes.map(({ op }) => op.name);
const draw = (seed: number, shape: readonly number[], dtype: "float32" | "float64" = "float32"): Tensor =>
  random.normal(random.key(seed), [...shape]).cast(dtype);

function worst(found: Tensor, wanted: Tensor): number {
  expect(found.type).toBe(wanted.type);
  const [a, b] = [found.toTypedArray(), wanted.toTypedArray()];
  let error = 0;
  for (let i = 0; i < a.length; i++) {
    const e = Math.abs(Number(a[i]) - Number(b[i])) / Math.max(1, Math.abs(Number(b[i])));
    if (!(e <= error)) error = e;
  }
  return error;
}

describe("attention as one kernel", () => {
  it.each([
    ["a single query", [1], 1, 5, 3, 2],
    ["less than a vector", [2], 3, 3, 1, 1],
    ["several blocks of queries and keys", [2, 2], 150, 530, 16, 24],
    ["whole blocks", [1], 128, 512, 64, 64],
    ["no batch", [], 70, 300, 8, 5],
  ] as const)("gives what the single ops give: %s", (_, batch, tq, tk, d, dv) => {
    for (const dtype of ["float32", "float64"] as const)
      for (const causal of [false, true]) {
        const args = [
          draw(1, [...batch, tq, d], dtype).mul(3),
          draw(2, [...batch, tk, d], dtype).mul(3),
          draw(3, [...batch, tk, dv], dtype),
        ] as [Tensor, Tensor, Tensor];
        const f = (q: Tensor, k: Tensor, v: Tensor): Tensor => attention(q, k, v, { causal });
        const graph = runPasses(capture(f, ...args), PASSES);
        expect(names(graph)).toEqual(["fusedAttention"]);
        for (const threads of [1, 2]) {
          setNumThreads(threads);
          const [found] = compile(graph, { passes: [] }).run(args);
          expect(worst(found, f(...args))).toBeLessThan(dtype === "float32" ? 1e-5 : 1e-12);
        }
        setNumThreads(2);
      }
  });

  it("takes heads that lie between each other, as multi-head layers leave them", () => {
    const [b, t, heads, d] = [2, 90, 3, 8];
    const split = (x: Tensor): Tensor => x.reshape([b, t, heads, d]).transpose([0, 2, 1, 3]);
    const f = (q: Tensor, k: Tensor, v: Tensor): Tensor =>
      attention(split(q), split(k), split(v), { causal: true });
    const args = [1, 2, 3].map((seed) => draw(seed, [b, t, heads * d])) as [Tensor, Tensor, Tensor];
    const graph = runPasses(capture(f, ...args), PASSES);
    expect(names(graph)).toContain("fusedAttention");
    expect(worst(compile(graph, { passes: [] }).run(args)[0], f(...args))).toBeLessThan(1e-5);
  });

  it("does not write the scores: memory grows with the length, not with its square", () => {
    const args = [1, 2, 3].map((seed) => draw(seed, [4, 512, 16])) as [Tensor, Tensor, Tensor];
    const graph = capture((q: Tensor, k: Tensor, v: Tensor) => attention(q, k, v).mul(1), ...args);
    const peak = (level: "O2" | "O3"): number => {
      const executable = compile(graph, { level });
      executable.run(args)[0].dispose();
      resetPeak();
      const before = heapStats().liveBytes;
      executable.run(args)[0].dispose();
      return heapStats().peakBytes - before;
    };
    const scores = 4 * 512 * 512 * 4;
    expect(peak("O2")).toBeGreaterThan(scores);
    expect(peak("O3")).toBeLessThan(scores / 10);
    const traffic = (g: Graph): number =>
      [...compiler.costsOf(g).values()].reduce((sum, { bytes }) => sum + bytes, 0);
    expect(traffic(graph) - traffic(runPasses(graph, PASSES))).toBeGreaterThan(4 * scores);
  });

  it("keeps large scores finite", () => {
    const args = [draw(1, [6, 4]).mul(100), draw(2, [300, 4]).mul(100), draw(3, [300, 2])] as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const graph = runPasses(
      capture((q: Tensor, k: Tensor, v: Tensor) => attention(q, k, v), ...args),
      PASSES,
    );
    const [found] = compile(graph, { passes: [] }).run(args);
    expect(worst(found, attention(...args))).toBeLessThan(1e-4);
  });

  it("leaves alone what is something else", () => {
    const [q, k, v] = [draw(1, [5, 4]), draw(2, [5, 4]), draw(3, [5, 4])];
    const left = (f: (q: Tensor, k: Tensor, v: Tensor) => unknown): void =>
      expect(names(runPasses(capture(f, q, k, v), PASSES))).not.toContain("fusedAttention");
    left((q, k, v) => {
      const weights = q.matmul(k.transpose()).softmax(-1);
      return [weights.matmul(v), weights]; // the weights are wanted too
    });
    left((q, k, v) => q.matmul(k.transpose()).softmax(0).matmul(v));
    left((q) => {
      const turned = q.matmul(q.transpose()).transpose();
      return turned.matmul(turned).softmax(-1).matmul(q); // the turned one is wanted as it is, too
    });
    left((q, k) => {
      const weights = q.matmul(k.transpose()).softmax(-1);
      return weights.matmul(weights);
    });
    left((q, k, v) => q.transpose().matmul(k).softmax(-1).matmul(v.transpose()));
    left((q, k, v) =>
      attention(q, k, v, {
        mask: tril(ones([5, 5]))
          .transpose()
          .cast("bool"),
      }),
    );
  });

  it("one in front of another: a product that ends the first and begins the second is the first's", () => {
    const args = [draw(1, [5, 4]), draw(2, [5, 4]), draw(3, [6, 5]), draw(4, [6, 3])] as const;
    const f = (q: Tensor, k: Tensor, v: Tensor, z: Tensor): Tensor =>
      q.matmul(k.transpose()).softmax(-1).matmul(v.transpose()).softmax(-1).matmul(z);
    const graph = runPasses(capture(f, ...args), PASSES);
    expect(names(graph)).toEqual(["transpose", "fusedAttention", "softmax", "matmul"]);
    expect(worst(compile(graph, { passes: [] }).run(args)[0], f(...args))).toBeLessThan(1e-5);
  });

  it("is found in a transformer, which still computes the same; can be printed, differentiated and mapped", () => {
    const layer = new nn.MultiHeadAttention(16, 4);
    const x = draw(1, [2, 12, 16]);
    const f = (x: Tensor): Tensor => layer.forward(x, x, x);
    const graph = runPasses(capture(f, x), PASSES);
    expect(names(graph)).toContain("fusedAttention");
    const args = [x, ...(graph.origin.captured ?? [])] as Tensor[];
    expect(worst(compile(graph, { passes: [] }).run(args)[0], f(x))).toBeLessThan(1e-5);
    expect(printGraph(parseGraph(printGraph(graph)))).toBe(printGraph(graph));
    const plain = (q: Tensor): Tensor => attention(q, q, q, { causal: true });
    const q = draw(4, [6, 4]);
    const fused = runPasses(capture(plain, q), PASSES);
    const slope = (g: (q: Tensor) => Tensor): Tensor => grad((q: Tensor) => g(q).square().sum())(q);
    expect(
      worst(
        slope((q) => call(fused, [q])[0]),
        slope(plain),
      ),
    ).toBeLessThan(1e-5);
    const many = draw(5, [3, 6, 4]);
    expect(worst(vmap((q: Tensor) => call(fused, [q])[0])(many), vmap(plain)(many))).toBeLessThan(1e-5);
  });
});
