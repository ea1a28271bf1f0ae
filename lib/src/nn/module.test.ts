import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  eye,
  Generator,
  grad,
  nn,
  ones,
  optim,
  type Tensor,
  tensor,
  toStatic,
  Variable,
  vmap,
} from "../index.js";

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
    expect(m.summary()).toMatch(/\n9 trainable parameters, 1 more that are not trained$/);
  });

  it("show what comes out of each part, if they are given an input", () => {
    const m = new nn.Sequential(
      new nn.Conv2d(1, 4, 3),
      new nn.BatchNorm(4),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Dense(36, 2),
    );
    const before = m.at(1) as nn.BatchNorm;
    const text = m.summary(ones([2, 1, 5, 5]));
    expect(text.split("\n").map((line) => line.replaceAll(/ +/g, " "))).toEqual([
      "module type output parameters count",
      expect.stringMatching(/^-+$/),
      "(model) Sequential (2, 2)",
      "layers.0 Conv2d (2, 4, 3, 3) weight (4, 1, 3, 3), bias (4, 1, 1) 40",
      "layers.1 BatchNorm (2, 4, 3, 3) weight (4,), bias (4,), runningMean (4,), runningVariance (4,) 16",
      "layers.2 ReLU (2, 4, 3, 3)",
      "layers.3 Flatten (2, 36)",
      "layers.4 Dense (2, 2) weight (36, 2), bias (2,) 74",
      "122 trainable parameters, 8 more that are not trained",
    ]);
    expect(before.runningMean.toArray()).toEqual([0, 0, 0, 0]); // it ran in evaluation mode
    expect(m.namedModules().every(([, part]) => part.training)).toBe(true);
    expect(Object.hasOwn(m, "forward")).toBe(false);
    expect(() => m.summary(ones([2, 3]))).toThrow(/conv2d/);
    expect(Object.hasOwn(m, "forward")).toBe(false);
  });

  it("leave what is frozen alone, for the tape, for optimizers and for grad", () => {
    const m = new nn.Sequential(new nn.Dense(2, 2), new nn.Dense(2, 1));
    m.at(0).freeze();
    expect(m.namedParameters().map(([path]) => path)).toEqual(["layers.1.weight", "layers.1.bias"]);
    const before = (m.at(0) as nn.Dense).weight.toArray();
    const sgd = new optim.SGD(m, { lr: 1 });
    m.forward(tensor([[1, 2]]))
      .sum()
      .backward();
    sgd.step();
    expect((m.at(0) as nn.Dense).weight.toArray()).toEqual(before);
    expect(m.at(0).freeze(false).parameters()).toHaveLength(2);
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

describe("hooks", () => {
  const make = () => {
    const m = new nn.Dense(1, 1, { bias: false });
    m.weight.assign([[3]]);
    return m;
  };

  it("see and change what goes in and comes out, in their order, until they are taken off", () => {
    const m = make();
    const seen: string[] = [];
    const off = [
      m.registerForwardPreHook((module, [x]) => {
        seen.push(`before ${module === m} ${(x as Tensor).item()}`);
        return [(x as Tensor).mul(10)];
      }),
      m.registerForwardHook((_module, [x], y) => {
        seen.push(`after ${(x as Tensor).item()} ${(y as Tensor).item()}`);
      }),
      m.registerForwardHook((_module, _inputs, y) => (y as Tensor).add(1)),
    ];
    expect(m.forward(tensor([[2]])).item()).toBe(61);
    expect(new nn.Sequential(m, new nn.ReLU()).forward(tensor([[2]])).item()).toBe(61);
    expect(seen).toEqual(["before true 2", "after 20 60", "before true 2", "after 20 60"]);
    off[0]();
    off[0](); // twice is once
    expect(m.forward(tensor([[2]])).item()).toBe(7);
    off[1]();
    off[2]();
    expect(Object.hasOwn(m, "forward")).toBe(false);
    expect(m.forward(tensor([[2]])).item()).toBe(6);
  });

  it("see gradients on the tape, under grad and in captured steps, and can change them", () => {
    const m = make();
    const seen: number[] = [];
    const off = m.registerBackwardHook((_module, g) => {
      if (g.trace === null) seen.push(g.item());
      return g.mul(2);
    });
    const loss = (module: nn.Dense, x: Tensor) => module.forward(x).mul(5).sum();
    const x = new Variable([[7]]);
    loss(m, x).backward();
    expect([seen, m.weight.grad?.item(), x.grad?.item()]).toEqual([[5], 70, 30]);
    expect(grad(loss)(m, tensor([[7]])).weight.item()).toBe(70);
    const captured = toStatic((y: Tensor) => grad(loss)(m, y).weight.mul(1));
    expect([captured(tensor([[7]])).item(), captured(tensor([[8]])).item()]).toEqual([70, 80]);
    off();
    expect(grad(loss)(m, tensor([[7]])).weight.item()).toBe(35);
  });

  it("go with the copies that transformations make", () => {
    const m = make();
    let calls = 0;
    m.registerForwardHook(() => {
      calls++;
    });
    grad((module: nn.Dense) => module.forward(tensor([[1]])).sum())(m);
    expect(calls).toBe(1);
  });

  it("run behind the others, and where forward throws, if they are to be always called", () => {
    const m = make();
    const seen: unknown[] = [];
    m.registerForwardHook(
      (_module, _inputs, y) => {
        seen.push(y === undefined ? "threw" : (y as Tensor).item());
        return (y as Tensor | undefined)?.add(1);
      },
      { alwaysCall: true },
    );
    const off = m.registerForwardHook(() => {
      throw new Error("no");
    });
    expect(() => m.forward(tensor([[1]]))).toThrow("no");
    off();
    const y = m.forward(tensor([[1]]));
    expect(seen[1]).toBe(y.item() - 1);
    expect(() => m.forward(tensor([[1, 2]]))).toThrow();
    expect(seen).toEqual([expect.anything(), y.item() - 1, "threw"]);
  });
});

describe("Sequential", () => {
  it("is put together, taken apart and walked through", () => {
    const [a, b, c] = [new nn.Dense(2, 3), new nn.ReLU(), new nn.Dense(3, 1)];
    const m = new nn.Sequential(a).append(c).insert(1, b);
    expect([...m]).toEqual([a, b, c]);
    expect([m.length, m.at(-1), m.at(0)]).toEqual([3, c, a]);
    expect(m.namedParameters().map(([path]) => path)).toEqual([
      "layers.0.weight",
      "layers.0.bias",
      "layers.2.weight",
      "layers.2.bias",
    ]);
    expect(m.remove(-2)).toBe(b);
    expect(m.forward(ones([4, 2])).shape).toEqual([4, 1]);
    expect(() => m.at(2)).toThrow(/no place 2 among 2 layers/);
    expect(() => m.insert(3, b)).toThrow(/no place 3/);
    expect(() => m.remove(0.5)).toThrow(/no place 0.5/);
  });

  it("goes around a residual connection", () => {
    const inner = new nn.Dense(2, 2);
    const x = ones([1, 2]);
    expect(new nn.Residual(inner).forward(x).toArray()).toEqual(x.add(inner.forward(x)).toArray());
    expect(new nn.Identity().forward(x)).toBe(x);
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
    expect(() => nn.orthogonal([3])).toThrow(/orthogonal: a matrix or filters wanted/);
    expect(() => nn.truncatedNormal([3], -1)).toThrow(/deviation is at least 0, got -1/);
    expect(() => new nn.GroupNorm(4, 6)).toThrow(/GroupNorm: 6 channels cannot be divided into 4 groups/);
    expect(() => new nn.InstanceNorm(2).forward(ones([1, 3, 2]))).toThrow(
      /InstanceNorm: \(n, 2, …\) wanted, got \(1, 3, 2\)/,
    );
    expect(() => new nn.RMSNorm(2).forward(ones([1, 3]))).toThrow(/RMSNorm: the last axes must be \(2,\)/);
    expect(() => new nn.PReLU(2).forward(ones([1, 3]))).toThrow(/PReLU: \(n, 2, …\)/);
    expect(() => new nn.Bilinear(2, 3, 1).forward(ones([4, 2]), ones([5, 3]))).toThrow(/the same …/);
    expect(() => new nn.Embedding(4, 2, { paddingIndex: 4 })).toThrow(/one of 0 … 3, got 4/);
    expect(() => new nn.Embedding(4, 2).forward(ones([1]))).toThrow(
      /indices are integers, got float32\(1,\)/,
    );
    expect(() => new nn.Embedding(4, 2).forward(tensor([4], { dtype: "int32" }))).toThrow(/4.*out of range/);
    expect(() => new nn.Conv1d(3, 4, 2, { groups: 2 })).toThrow(/Conv1d: 3 inputs and 4 outputs/);
    expect(() => new nn.ConvTranspose1d(2, 4, 0)).toThrow(/ConvTranspose1d: kernel/);
    expect(() => new nn.SpatialDropout(0.5).forward(ones([2, 3]))).toThrow(/maps \(N, C, …\) wanted/);
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

describe("SpatialDropout", () => {
  it("drops whole maps", () => {
    const y = new nn.SpatialDropout(0.4, new Generator(3)).forward(ones([50, 20, 3, 2]));
    const maps = y.reshape([1000, 6]).toArray() as number[][];
    expect(maps.every((map) => map.every((v) => v === map[0]))).toBe(true);
    const dropped = maps.filter(([v]) => v === 0).length;
    expect(Math.abs(dropped - 400)).toBeLessThan(70); // over four standard deviations
  });
});

describe("Embedding", () => {
  it("keeps the vector of the padding at 0, and away from gradients", () => {
    const layer = new nn.Embedding(4, 2, { paddingIndex: 1, generator: new Generator(1) });
    expect(layer.weight.at(1).toArray()).toEqual([0, 0]);
    layer
      .forward(tensor([0, 1, 1, 3, 3], { dtype: "int32" }))
      .sum()
      .backward();
    expect(layer.weight.grad?.toArray()).toEqual([
      [1, 1],
      [0, 0],
      [0, 0],
      [2, 2],
    ]);
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
    lecunUniform: (i: number) => ({ variance: 1 / i, most: Math.sqrt(3 / i) }),
    lecunNormal: (i: number) => ({ variance: 1 / i, most: Number.POSITIVE_INFINITY }),
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

  it("truncatedNormal is a normal distribution, cut off at two deviations", () => {
    const values = nn.truncatedNormal([40_000], 0.5, { generator: new Generator(6) }).toTypedArray();
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(1);
    // SciPy: truncnorm(-2, 2).var() = 0.7737413, and half of it lies within ±0.6391 deviations
    const variance = values.reduce((sum, v) => sum + v * v, 0) / values.length;
    expect(Math.abs(variance / 0.25 - 0.7737413)).toBeLessThan(0.02);
    const inner = values.filter((v) => Math.abs(v) < 0.5 * 0.6391).length / values.length;
    expect(Math.abs(inner - 0.5)).toBeLessThan(0.012);
  });

  it.each([[[5, 3]], [[3, 5]], [[4, 4]], [[6, 2, 3]]])("orthogonal %j keeps lengths", (shape) => {
    const w = nn.orthogonal(shape, { generator: new Generator(2), dtype: "float64", gain: 2 });
    const rows = w.reshape([shape[0], -1]);
    const [few, many] = rows.shape[0] < rows.shape[1] ? [rows, rows.transpose()] : [rows.transpose(), rows];
    const product = few
      .matmul(many)
      .div(4)
      .sub(eye(few.shape[0], few.shape[0], { dtype: "float64" }));
    expect(product.abs().max().item()).toBeLessThan(1e-14);
    expect([w.shape, w.dtype]).toEqual([shape, "float64"]);
  });
});
