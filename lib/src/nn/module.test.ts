import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Generator, grad, nn, optim, type Tensor, tensor, toStatic, Variable, vmap } from "../index.js";

class Mixed extends nn.Module {
  readonly blocks: Record<string, nn.Module> = { a: new nn.Dropout(0.5), b: new nn.Dense(2, 2) };
  readonly nested = [[new nn.Dropout(0.1)], new Map([["k", new nn.Dense(2, 1, { bias: false })]])];
  readonly note = "not a parameter";
  scale = new Variable(2, { name: "scale" });
  readonly frozen = new Variable(3, { requiresGrad: false });
  readonly twin = this.blocks.b;

  override forward(x: Tensor): Tensor {
    return (this.blocks.b as nn.Dense).forward(x).mul(this.scale);
  }
}

describe("modules", () => {
  it("find what they are made of, wherever it is kept", () => {
    const m = new Mixed();
    expect(m.namedModules().map(([path, x]) => `${path}:${x.constructor.name}`)).toEqual([
      ":Mixed",
      "blocks.a:Dropout",
      "blocks.b:Dense",
      "nested.0.0:Dropout",
      "nested.1.k:Dense",
    ]);
    expect(m.namedVariables().map(([path]) => path)).toEqual([
      "blocks.b.weight",
      "blocks.b.bias",
      "nested.1.k.weight",
      "scale",
      "frozen",
    ]);
    expect(m.namedParameters().map(([path]) => path)).not.toContain("frozen");
    m.eval();
    expect(m.namedModules().every(([, x]) => !x.training)).toBe(true);
    expect(
      m
        .train()
        .namedModules()
        .every(([, x]) => x.training),
    ).toBe(true);
    expect(m.summary()).toMatch(/blocks\.b +Dense +weight \(2, 2\), bias \(2,\) +6\n/);
    expect(m.summary()).toMatch(/\n9 trainable parameters$/);
  });

  it("are trees: gradients have their form", () => {
    const m = new Mixed();
    const g = grad((model: Mixed) => model.forward(tensor([[1, 2]])).sum())(m);
    expect((g.blocks.b as nn.Dense).bias?.toArray()).toEqual([2, 2]);
    expect(g.frozen.toArray()).toBe(0);
    expect(g).toBeInstanceOf(Mixed);
  });

  it("take states: snapshots that later steps leave alone", () => {
    const m = new nn.Dense(2, 1);
    const before = m.stateDict();
    const values = m.weight.toArray();
    const sgd = new optim.SGD(m, { lr: 1 });
    sgd.step(grad((x: nn.Dense) => x.forward(tensor([[1, 2]])).sum())(m));
    m.weight.mutate((data) => data.fill(7));
    expect(m.weight.toArray()).toEqual([[7], [7]]);
    expect(before.get("weight")?.toArray()).toEqual(values);
    m.loadStateDict(before);
    expect(m.weight.toArray()).toEqual(values);
    m.weight.mutate((data) => data.fill(8));
    expect(before.get("weight")?.toArray()).toEqual(values);
  });

  it("name everything that a state lacks, and then assign nothing", () => {
    const m = new nn.Dense(2, 1);
    const values = m.bias?.toArray();
    const state = new Map<string, Tensor>([
      ["bias", tensor([5])],
      ["weight", tensor([[1, 2]])],
      ["extra", tensor(1)],
    ]);
    expect(() => m.loadStateDict(state)).toThrow(
      "loadStateDict: weight has shape (1, 2), the model's is (2, 1); extra is not in the model",
    );
    expect(() => m.loadStateDict(new Map())).toThrow("loadStateDict: weight is missing; bias is missing");
    expect(m.bias?.toArray()).toEqual(values);
    const many = new Map(Array.from({ length: 50 }, (_, i) => [`x${i}`, tensor(1)]));
    expect(() => m.loadStateDict(many)).toThrow(/x5 is not in the model; and 44 more$/);
  });
});

describe("layers", () => {
  it("check what they are given", () => {
    expect(() => new nn.Dense(0, 2)).toThrow(/Dense: inputs is a whole number from 1, got 0/);
    expect(() => new nn.Conv2d(3, 4, 3, { groups: 2 })).toThrow(/3 inputs and 4 outputs .* 2 groups/);
    expect(() => new nn.Conv2d(2, 4, 0)).toThrow(/Conv2d: kernel/);
    expect(() => new nn.Dropout(1)).toThrow(/Dropout: the rate is at least 0 and below 1, got 1/);
    expect(() => new nn.LayerNorm([2, 3]).forward(tensor([[1, 2, 3]]))).toThrow(
      /LayerNorm: the last axes must be \(2, 3\), got \(1, 3\)/,
    );
    expect(() => new nn.BatchNorm(2).forward(tensor([[1, 2, 3]]))).toThrow(
      /\(n, 2, …\) wanted, got \(1, 3\)/,
    );
    expect(() => new nn.BatchNorm(3).forward(tensor([[1, 2, 3]]))).toThrow(/larger batches/);
    expect(() => new nn.BatchNorm(3, { momentum: 2 })).toThrow(/momentum/);
    expect(() => new nn.Dense(2, 1).forward(tensor([[1, 2, 3]]))).toThrow(/matmul.*\(1, 3\).*\(2, 1\)/);
    expect(() => nn.heNormal([3])).toThrow(/\(3,\) has not/);
  });

  it("BatchNorm under vmap says that its statistics do not exist yet", () => {
    const layer = new nn.BatchNorm(2);
    const x = tensor([1, 2, 3, 4, 5, 6, 7, 8]).reshape([2, 2, 2]);
    expect(() => vmap((one: Tensor) => layer.forward(one))(x)).toThrow(/does not exist yet/);
    expect(vmap((one: Tensor) => layer.eval().forward(one))(x).shape).toEqual([2, 2, 2]);
  });

  it("are named when a loss gets the wrong shapes", () => {
    const logits = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(() => nn.mse(logits, [1, 2])).toThrow(/mse: predictions \(2, 2\) and targets \(2,\) differ/);
    expect(() => nn.mae(logits, 1)).toThrow(/mae/);
    expect(() => nn.binaryCrossEntropy(logits, [1])).toThrow(/binaryCrossEntropy/);
    expect(() => nn.crossEntropy(logits, tensor([0, 1, 0], { dtype: "int32" }))).toThrow(
      /want labels \(2,\), got \(3,\)/,
    );
    expect(() => nn.crossEntropy(logits, tensor([0, 2], { dtype: "int32" })).item()).toThrow(
      /2.*out of range/,
    );
  });
});

describe("Dropout", () => {
  it("keeps the mean, zeros the given part, and repeats with its seed", () => {
    const x = new Variable(tensor(new Float32Array(20_000).fill(3)));
    const layer = new nn.Dropout(0.3, new Generator(5));
    const y = layer.forward(x);
    const values = y.toTypedArray();
    const zeros = values.filter((v) => v === 0).length / values.length;
    expect(Math.abs(zeros - 0.3)).toBeLessThan(0.015); // over four standard deviations
    expect(new Set(values)).toEqual(new Set([0, Math.fround(3 * Math.fround(1 / 0.7))]));
    y.sum().backward();
    const slope = Math.fround(1 / 0.7);
    expect(x.grad?.toTypedArray().every((g, i) => g === (values[i] === 0 ? 0 : slope))).toBe(true);
    expect(new nn.Dropout(0.3, new Generator(5)).forward(x).toTypedArray()).toEqual(values);
    expect(layer.forward(x).toTypedArray()).not.toEqual(values);
    expect(layer.eval().forward(x)).toBe(x);
  });

  it("draws anew at each run of a captured function", () => {
    const [eager, captured] = [new nn.Dropout(0.5, new Generator(1)), new nn.Dropout(0.5, new Generator(1))];
    const f = toStatic((x: Tensor) => captured.forward(x));
    const x = tensor(new Float32Array(64).fill(1));
    const runs = [0, 1, 2].map(() => Array.from(f(x).toTypedArray()));
    expect(new Set(runs.map(String)).size).toBe(3);
    expect(runs[0].every((v) => v === 0 || v === 2)).toBe(true);
    expect(eager.forward(x).shape).toEqual([64]);
  });
});

describe("initial values", () => {
  const shapes = fc.oneof(
    fc.tuple(fc.integer({ min: 40, max: 90 }), fc.integer({ min: 40, max: 90 })),
    fc.tuple(
      fc.integer({ min: 8, max: 16 }),
      fc.integer({ min: 8, max: 16 }),
      fc.constant(3),
      fc.constant(3),
    ),
  );
  const fansOf = (shape: number[]) => {
    const window = shape.slice(2).reduce((a, b) => a * b, 1);
    return shape.length === 2 ? [shape[0], shape[1]] : [shape[1] * window, shape[0] * window];
  };
  /** Variances that keep those of signals (Glorot & Bengio 2010, eq. 12; He et al. 2015, eq. 10), and the largest value. */
  const KINDS = {
    xavierUniform: (i: number, o: number) => ({ variance: 2 / (i + o), most: Math.sqrt(6 / (i + o)) }),
    xavierNormal: (i: number, o: number) => ({ variance: 2 / (i + o), most: Number.POSITIVE_INFINITY }),
    heUniform: (i: number) => ({ variance: 2 / i, most: Math.sqrt(6 / i) }),
    heNormal: (i: number) => ({ variance: 2 / i, most: Number.POSITIVE_INFINITY }),
  };

  it.each(Object.keys(KINDS) as (keyof typeof KINDS)[])("%s", (kind) => {
    fc.assert(
      fc.property(shapes, fc.integer({ min: 0, max: 1000 }), (shape, seed) => {
        const [fanIn, fanOut] = fansOf(shape);
        const values = Array.from(nn[kind](shape, { generator: new Generator(seed) }).toTypedArray());
        const { variance, most } = KINDS[kind](fanIn, fanOut);
        const found = values.reduce((sum, v) => sum + v * v, 0) / values.length;
        expect(Math.abs(found / variance - 1)).toBeLessThan(0.3);
        expect(Math.abs(values.reduce((a, b) => a + b, 0) / values.length)).toBeLessThan(
          5 * Math.sqrt(variance / values.length),
        );
        expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(most * 1.000001);
      }),
      { numRuns: 20, seed: 4 },
    );
  });
});
