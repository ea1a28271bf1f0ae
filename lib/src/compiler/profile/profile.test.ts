import { describe, expect, it } from "vitest";
import {
  capture,
  compiler,
  nn,
  ones,
  optim,
  profile,
  type Tensor,
  tensor,
  toStatic,
  valueAndGrad,
  viz,
  whileLoop,
} from "../../index.js";
import type { Graph } from "../../ir/index.js";

const { costsOf, profileWith, machinePeaks } = compiler;

/** What PyTorch counts: products and convolutions only. */
const ofProducts = (graph: Graph): number =>
  [...costsOf(graph)].reduce(
    (sum, [{ op }, { flops }]) => (/^matmul|^conv2d/.test(op.name) ? sum + (flops ?? 0) : sum),
    0,
  );

const network = () => {
  const model = new nn.Sequential(
    new nn.Conv2d(3, 8, 3, { padding: 1, stride: 2 }),
    new nn.ReLU(),
    new nn.Flatten(),
    new nn.Dense(8 * 8 * 8, 10),
  );
  return { model, x: ones([4, 3, 16, 16]), y: tensor([0, 1, 2, 3], { dtype: "int32" }) };
};

describe("costs", () => {
  // Numbers of torch.utils.flop_counter.FlopCounterMode (PyTorch 2.13) for the same network.
  it("count the operations of products and convolutions as PyTorch does", () => {
    const { model, x, y } = network();
    const forward = toStatic((x: Tensor) => model.forward(x));
    expect(ofProducts(forward.graphFor(x))).toBe(151_552);
    const step = toStatic((x: Tensor, y: Tensor) =>
      valueAndGrad((m: typeof model) => nn.crossEntropy(m.forward(x), y))(model),
    );
    expect(ofProducts(step.graphFor(x, y))).toBe(344_064);
    const batch = capture((a: Tensor, b: Tensor) => a.matmul(b), ones([5, 7, 11]), ones([5, 11, 3]));
    expect(ofProducts(batch)).toBe(2310);
  });

  it("count elementwise ops, fused or not, bytes once per operand, and views as nothing", () => {
    const f = (x: Tensor) => x.mul(x).add(1).transpose().exp();
    const graph = capture(f, ones([4, 8]));
    const found = graph.nodes.map((node) => costsOf(graph).get(node));
    expect(found).toEqual([
      { flops: 32, bytes: 2 * 128 }, // x is read once though it stands twice
      { flops: 32, bytes: 2 * 128 + 4 },
      { flops: 0, bytes: 0 },
      { flops: 32, bytes: 2 * 128 },
    ]);
    const { kernels } = profileWith({ runs: 1 }, f, ones([4, 8]));
    expect(kernels.map(({ ops }) => ops)).toEqual([["mul", "add"], []]);
    expect(kernels[0]).toMatchObject({ flops: 64, bytes: 256 });
  });
});

describe("profile", () => {
  it("finds each kernel of a training step, and leaves the variables as they are", () => {
    const { model, x, y } = network();
    const optimizer = new optim.Adam(model, { lr: 0.1 });
    const step = (x: Tensor, y: Tensor): Tensor => {
      const [loss, gradients] = valueAndGrad((m: typeof model) => nn.crossEntropy(m.forward(x), y))(model);
      optimizer.step(gradients);
      return loss;
    };
    const before = model.parameters().map((p) => p.value.toArray());
    const found = profileWith({ runs: 3 }, step, x, y);
    expect(model.parameters().map((p) => p.value.toArray())).toEqual(before);
    const names = found.kernels.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(["conv2d1", "conv2dWeightGrad1", "matmul1", "fusedMany1"]));
    expect(found.kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
    for (const { milliseconds, gbytes, gflops, flops } of found.kernels) {
      expect(milliseconds).toBeGreaterThanOrEqual(0);
      expect(gbytes).toBeGreaterThan(0);
      expect(gflops === null).toBe(!flops);
    }
    const [first, second] = found.slowest(2);
    expect(first.milliseconds).toBeGreaterThanOrEqual(second.milliseconds);
    expect(String(found)).toMatch(/kernel +µs +share/);
    expect(String(found)).toContain("conv2dWeightGrad1");
  });

  it("writes what Chrome's tracing reads: spans in microseconds, none before the start, in order per stream", () => {
    const found = profileWith(
      { runs: 2, streams: 2 },
      (x: Tensor) => x.matmul(x).add(x.transpose().matmul(x)),
      ones([64, 64]),
    );
    const { traceEvents, displayTimeUnit } = JSON.parse(JSON.stringify(found.chromeTrace()));
    expect(displayTimeUnit).toBe("ms");
    const spans = traceEvents.filter(({ ph }: { ph: string }) => ph === "X");
    expect(spans.map(({ name }: { name: string }) => name).sort()).toEqual(["add1", "matmul1", "matmul2"]);
    const ends = new Map<number, number>();
    for (const { ts, dur, tid, args } of [...spans].sort((a, b) => a.ts - b.ts)) {
      expect(ts).toBeGreaterThanOrEqual(0);
      expect(ts).toBeGreaterThanOrEqual((ends.get(tid) ?? 0) - 0.5);
      ends.set(tid, ts + dur);
      expect(args.bytes).toBeGreaterThan(0);
    }
    const lanes = traceEvents.filter(({ name }: { name: string }) => name === "thread_name");
    expect(new Set(lanes.map(({ tid }: { tid: number }) => tid))).toEqual(new Set(ends.keys()));
  });

  it("knows no number of operations for loops, and still measures them", () => {
    const f = (x: Tensor): Tensor =>
      whileLoop(
        (y: Tensor) => y.sum().less(50),
        (y: Tensor): [Tensor] => [y.mul(2)],
        [x] as [Tensor],
      )[0];
    const { kernels } = profileWith({ runs: 1 }, f, ones([4]));
    expect(kernels[0]).toMatchObject({
      op: "while",
      flops: null,
      gflops: null,
      bound: null,
      efficiency: null,
    });
  });

  it("refuses a number of runs that is none", () => {
    expect(() => profileWith({ runs: 0 }, (x: Tensor) => x.sin(), ones([2]))).toThrow(
      /profile: 0 is no number of runs/,
    );
  });

  it("is shown as a table, and under the roofs that the machine has", () => {
    const found = profile((x: Tensor) => x.matmul(x).relu().sum(), ones([32, 32]));
    const bundle = (found as unknown as Record<symbol, () => Record<string, string>>)[
      Symbol.for("Jupyter.display")
    ]();
    expect(bundle["text/html"].match(/<tr>/g)).toHaveLength(1 + found.kernels.length);
    const { gflops, gbytes } = machinePeaks();
    const [roof, kernels] = viz.roofline(found).data as { x: number[]; y: number[] }[];
    expect(roof.x[1]).toBeCloseTo(gflops / gbytes, 6);
    expect(roof.y[2]).toBe(gflops);
    expect(roof.y[0]).toBeCloseTo(roof.x[0] * gbytes, 6);
    expect(kernels.x).toHaveLength(found.kernels.length);
  });
});
