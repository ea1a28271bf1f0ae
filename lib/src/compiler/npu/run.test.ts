/** Captured graphs on the model against the graph's own results. */
import { describe, expect, it } from "vitest";
import type { Tensor } from "../../core/tensor.js";
import { capture } from "../../graph/capture.js";
import { conv2d, maxPool2d, tensor } from "../../ops/index.js";
import * as random from "../../ops/random.js";
import { type NpuConfig, npuConfig } from "./config.js";
import { run } from "./run.js";

const small = (changes: Parameters<typeof npuConfig>[1] = {}): NpuConfig =>
  npuConfig("gemmini-16x16", changes);
const rows = { rows: 512 };
const fp32 = small({ type: "float32", memory: { input: rows, weight: rows, acc: rows } });
const int8 = small({ memory: { input: rows, weight: rows, acc: rows } });

/** Seeded numbers. */
function values(shape: number[], seed: number): Tensor {
  return random.normal(random.key(seed), shape);
}

function same(found: readonly Tensor[], wanted: Tensor): void {
  const [x, y] = [found[0].toArray(), wanted.toArray()].map((a) => [a].flat(9) as number[]);
  expect(found[0].dtype).toBe(wanted.dtype);
  expect(found[0].shape).toEqual(wanted.shape);
  x.forEach((v, i) => {
    expect(Math.abs(v - y[i])).toBeLessThanOrEqual(2e-5 * Math.max(1, Math.abs(y[i])));
  });
}

describe("graphs on the accelerator", () => {
  it("an MLP: products on the array with bias and ReLU on the way out, softmax on the vector unit", () => {
    const [x, w1, b1, w2, b2] = [
      values([20, 30], 1),
      values([30, 24], 2),
      values([24], 3),
      values([24, 10], 4),
      values([10], 5),
    ];
    const f = (x: Tensor, w1: Tensor, b1: Tensor, w2: Tensor, b2: Tensor): Tensor =>
      x.matmul(w1).add(b1).relu().matmul(w2).add(b2).softmax();
    const graph = capture(f, x, w1, b1, w2, b2);
    const { outputs, nodes, report } = run(fp32, graph, [x, w1, b1, w2, b2]);
    same(outputs, f(x, w1, b1, w2, b2));
    expect(nodes.map(({ ops, what }) => [ops.join(" "), what])).toEqual([
      ["matmul add relu", "product"],
      ["matmul add", "product"],
      ["softmax", "vector"],
    ]);
    expect(nodes.map((n) => n.macs)).toEqual([20 * 30 * 24, 20 * 24 * 10, 0]);
    expect(nodes.reduce((sum, n) => sum + n.macs, 0)).toBe(report.macs);
    expect(Math.max(...nodes.map((n) => n.end))).toBe(report.cycles);
    expect(nodes.reduce((sum, n) => sum + n.bytes, 0)).toBe(
      report.bytes.dram.read + report.bytes.dram.written,
    );
  });

  it("a small CNN: convolution, pooling through a view, a layer", () => {
    const [x, k, b, w] = [
      values([2, 3, 10, 10], 1),
      values([8, 3, 3, 3], 2),
      values([8, 1, 1], 3),
      values([200, 5], 4),
    ];
    const f = (x: Tensor, k: Tensor, b: Tensor, w: Tensor): Tensor =>
      maxPool2d(conv2d(x, k, { padding: 1 }).add(b).relu(), 2)
        .reshape([2, 200])
        .matmul(w);
    const { outputs, nodes } = run(fp32, capture(f, x, k, b, w), [x, k, b, w]);
    same(outputs, f(x, k, b, w));
    expect(nodes[0]).toMatchObject({ ops: ["conv2d"], what: "convolution", macs: 2 * 8 * 3 * 9 * 100 });
    expect(nodes.at(-1)).toMatchObject({ ops: ["matmul"], what: "product" });
  });

  it("an int8 layer: quantized on the vector unit, multiplied on the array, exactly", () => {
    const [x, w] = [values([9, 40], 1), values([40, 12], 2).mul(20).round().clip(-128, 127).cast("int8")];
    const f = (x: Tensor, w: Tensor): Tensor =>
      x
        .mul(30)
        .round()
        .clip(-128, 127)
        .cast("int8")
        .cast("int32")
        .matmul(w.cast("int32"))
        .cast("float32")
        .mul(0.002);
    const { outputs, nodes } = run(int8, capture(f, x, w), [x, w]);
    expect(outputs[0].toArray()).toEqual(f(x, w).toArray());
    const product = nodes.find((n) => n.what === "product");
    expect(product?.ops).toEqual(["matmul", "cast", "mul"]);
    expect(product?.macs).toBe(9 * 40 * 12);
  });

  it("views, reductions, comparisons, several results", () => {
    const [x, y] = [values([4, 6], 1), values([6], 2)];
    const f = (x: Tensor, y: Tensor): Tensor[] => [
      x.transpose().sum(0),
      x.max(1, true).sub(x.mean(1, true)),
      x.greater(y),
      x.slice([0, 1], [2, 6]).silu(),
      y,
    ];
    const { outputs } = run(fp32, capture(f, x, y), [x, y]);
    f(x, y).forEach((wanted, i) => {
      same([outputs[i]], wanted);
    });
  });

  it("refuses what has no path, by name", () => {
    const x = values([2, 3], 1);
    expect(() =>
      run(
        fp32,
        capture((x: Tensor) => x.erf(), x),
        [x],
      ),
    ).toThrow("no path for erf");
    const wide = x.cast("float64");
    expect(() =>
      run(
        fp32,
        capture((x: Tensor) => x.add(1), wide),
        [wide],
      ),
    ).toThrow("float64 values are beyond the accelerator");
    expect(() =>
      run(
        fp32,
        capture((x: Tensor) => x.add(1), x),
        [tensor([1])],
      ),
    ).toThrow("input 0 is float32(1), float32(2, 3) was expected");
    expect(() =>
      run(
        fp32,
        capture((x: Tensor, y: Tensor) => x.add(y), x, x),
        [x],
      ),
    ).toThrow("2 inputs expected, 1 given");
  });
});
