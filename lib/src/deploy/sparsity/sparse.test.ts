/** Sparse products and layers against the dense ones. */
import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";
import { expectClose } from "../../../test/support/close.js";
import {
  capture,
  deploy,
  devices,
  Generator,
  getDevice,
  getNumThreads,
  grad,
  nn,
  ones,
  setDevice,
  setNumThreads,
  type Tensor,
  tensor,
} from "../../index.js";
import { SlidingMatrix } from "./sparse-matrix.js";

const { prune } = deploy;
const draw = new Generator(17);
const home = getDevice();
const threads = getNumThreads();
afterAll(() => {
  setDevice(home);
  setNumThreads(threads);
});

/** Random, with this share of zeros. */
const sparse = (shape: readonly number[], zeros: number): Tensor =>
  draw.normal(shape).mul(draw.uniform(shape).greaterEqual(zeros));

const hosts = ["wasm", "native", "cpu"].filter((name) =>
  devices().some((d) => d.name === name && d.available),
);

describe.each(hosts)("on %s", (device) => {
  const size = (max: number) => fc.integer({ min: 1, max });
  const sizes = fc.tuple(
    size(70),
    size(90),
    size(150),
    fc.constantFrom(0, 0.5, 0.9, 1),
    fc.constantFrom(1, 2),
  );

  it("a CSR matrix times a dense one, several too", async () => {
    setDevice(device);
    await prune.sparseKernelsReady(device);
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 3 }), ([rows, columns, p, zeros, count], batch) => {
        setNumThreads(count);
        const a = sparse([rows, columns], zeros);
        const csr = new prune.CsrMatrix(a);
        expect(csr.stored).toBe(a.notEqual(0).sum().item());
        const b = draw.normal([p, columns]).transpose([1, 0]); // not as it lies
        expectClose([csr.matmul(b)], [a.matmul(b)], 1e-4);
        const many = draw.normal([batch, columns, p]);
        expectClose([csr.matmul(many)], [a.matmul(many)], 1e-4);
      }),
      { numRuns: 40 },
    );
  });

  it("a dense matrix times blocks", async () => {
    setDevice(device);
    await prune.sparseKernelsReady(device);
    fc.assert(
      fc.property(sizes, ([n, inputs, outputs, zeros, count]) => {
        setNumThreads(count);
        const w = sparse([inputs, Math.ceil(outputs / 16)], zeros)
          .expandDims(2)
          .mul(draw.normal([1, 1, 16]))
          .reshape([inputs, -1])
          .slice([null, null], [0, outputs]);
        const blocks = new prune.BlockMatrix(w);
        const x = draw.normal([n, inputs]);
        expectClose([blocks.rmatmul(x)], [x.matmul(w)], 1e-4);
        expect(blocks.stored).toBeLessThanOrEqual(inputs * 16 * Math.ceil(outputs / 16));
      }),
      { numRuns: 40 },
    );
  });
});

describe("layers", () => {
  const outputs = (a: nn.Module, b: nn.Module, x: Tensor): void => {
    const [found, wanted] = [a, b].map((m) => (m.forward as (x: Tensor) => Tensor).call(m, x));
    expectClose([found], [wanted], 1e-4);
  };

  it.each(["csr", "blocks"] as const)("Dense as %s, for inputs of any rank, traced and not", (format) => {
    const layer = new nn.Dense(20, 37);
    layer.bias?.assign(draw.normal([37]));
    prune.l1Unstructured(layer, "weight", 0.8);
    const small = new prune.SparseDense(layer, format);
    const products = [
      vi.spyOn(prune.CsrMatrix.prototype, "matmul"),
      vi.spyOn(prune.BlockMatrix.prototype, "rmatmul"),
    ];
    for (const shape of [[20], [1, 20], [5, 20], [2, 3, 20]]) outputs(small, layer, draw.normal(shape));
    expect(products.map((spy) => spy.mock.calls.length)).toEqual(format === "csr" ? [4, 0] : [0, 4]);
    vi.restoreAllMocks();
    const x = draw.normal([3, 20]);
    const g = (m: nn.Module) =>
      grad((v: Tensor) => ((m.forward as (x: Tensor) => Tensor).call(m, v) as Tensor).sum())(x);
    expectClose([g(small)], [g(layer)], 1e-4);
    expect(capture((v: Tensor) => small.forward(v), x).nodes.map((n) => n.op.name)).toEqual([
      "matmul",
      "add",
    ]);
    small.weight.assign(small.weight.value.mul(2)); // packed anew
    layer.weight.assign(layer.weight.value.mul(2));
    outputs(small, layer, x);
    expect(() => small.forward(ones([2, 7]))).toThrow(/times/);
    expect(small.parameters()).toEqual([]);
  });

  it("Conv2d by columns, in every geometry", () => {
    const options = fc.record({
      stride: fc.constantFrom(1, 2, [2, 1] as [number, number]),
      padding: fc.constantFrom(0, 1, [2, 1] as [number, number], "valid" as const),
      dilation: fc.constantFrom(1, 2),
      bias: fc.boolean(),
    });
    const products = [
      vi.spyOn(prune.CsrMatrix.prototype, "matmul"),
      vi.spyOn(SlidingMatrix.prototype, "slide"),
    ];
    fc.assert(
      fc.property(options, fc.constantFrom(1, 3, [2, 3] as [number, number]), (given, kernel) => {
        const layer = new nn.Conv2d(3, 5, kernel, given);
        prune.l1Unstructured(layer, "weight", 0.7);
        prune.remove(layer, "weight");
        outputs(new prune.SparseConv2d(layer), layer, draw.normal([2, 3, 9, 8]));
      }),
      { numRuns: 40 },
    );
    const calls = products.map((spy) => spy.mock.calls.length);
    expect(Math.min(...calls)).toBeGreaterThan(0);
    expect(calls[0] + calls[1]).toBeGreaterThanOrEqual(40);
    vi.restoreAllMocks();
    const same = new nn.Conv2d(2, 4, [3, 4], { padding: "same" });
    outputs(new prune.SparseConv2d(same), same, draw.normal([1, 2, 7, 7]));
    expect(() => new prune.SparseConv2d(new nn.Conv2d(4, 4, 3, { groups: 2 }))).toThrow(
      /groups are not supported/,
    );
  });
});

describe("sparsify", () => {
  class Net extends nn.Module {
    convs = [new nn.Conv2d(1, 6, 3), new nn.Conv2d(6, 6, 1)];
    heads = new Map([["a", new nn.Dense(6, 50)]]);
    unused = new nn.Dense(3, 3);
    override forward(x: Tensor): Tensor {
      const y = this.convs[1].forward(this.convs[0].forward(x).relu()).mean([2, 3]);
      return (this.heads.get("a") as nn.Dense).forward(y);
    }
  }

  it("measures each layer that is sparse enough, takes what is faster, and changes no result", async () => {
    const model = new Net();
    const x = draw.normal([2, 1, 12, 12]);
    prune.toSparsity(prune.weights(model), 0.9, "layer");
    const wanted = model.forward(x);
    const found = await prune.sparsify(model, [x], { runs: 3, gain: 1e-6 }); // anything counts as faster
    expect(found.layers.map((l) => l.path)).toEqual(["convs.0", "convs.1", "heads.a"]);
    for (const { dense, csr, blocks, chosen, path } of found.layers) {
      const times = { dense, csr, ...(blocks === null ? {} : { blocks }) };
      expect(times[chosen as "csr"], path).toBe(Math.min(...Object.values(times)));
    }
    const kinds = [...model.convs, model.heads.get("a")].map((m) => m?.constructor.name);
    found.layers.forEach(({ chosen }, i) => {
      expect(kinds[i].startsWith("Sparse")).toBe(chosen !== "dense");
    });
    expectClose([model.forward(x)], [wanted], 1e-4);
    expect(prune.isPruned(model)).toBe(false);
    expect(String(found)).toContain("blocks ms");
  });

  it("leaves alone what is dense, and what gains nothing", async () => {
    const model = new nn.Sequential(new nn.Dense(8, 8), new nn.Dense(8, 8));
    prune.l1Unstructured(model.layers[1], "weight", 0.9);
    const found = await prune.sparsify(model, [ones([1, 8])], { runs: 1, gain: 1e9 });
    expect(found.layers.map((l) => [l.path, l.chosen])).toEqual([["layers.1", "dense"]]);
    expect(model.layers.every((l) => l instanceof nn.Dense)).toBe(true);
    await expect(prune.sparsify(new nn.Dense(2, 2), [ones([1, 2])])).rejects.toThrow(/is a layer itself/);
    await expect(prune.sparsify(model, [ones([1, 8])], { runs: 0 })).rejects.toThrow(/runs 0/);
    expect(() => new prune.CsrMatrix(ones([2]))).toThrow(/a float32 matrix wanted/);
    expect(() => new prune.CsrMatrix(ones([2, 3])).matmul(tensor([[1, 2]]))).toThrow(
      /CsrMatrix: \(2, 3\) times float32\(1, 2\)/,
    );
  });
});
