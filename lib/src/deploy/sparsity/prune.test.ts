/** Pruning, against torch.nn.utils.prune (test/expected/pruning.py) and by what must hold. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { regression } from "../../../test/deploy/training.js";
import { expectClose, expectedFile, read, type Values } from "../../../test/support/expected.js";
import {
  capture,
  data,
  deploy,
  fit,
  Generator,
  nn,
  ones,
  optim,
  type Tensor,
  tensor,
  Variable,
  valueAndGrad,
  where,
} from "../../index.js";
import { groupMask, leastOf } from "./select.js";

const { prune } = deploy;
const draw = new Generator(3);

interface File {
  readonly singles: readonly {
    readonly name: "l1Unstructured" | "lnStructured";
    readonly weight: Values;
    readonly options: { readonly amount: number; readonly n?: number | "inf"; readonly axis?: number };
    readonly masks: readonly Values[];
  }[];
  readonly global: readonly {
    readonly weights: readonly Values[];
    readonly amount: number;
    readonly rounds: readonly (readonly Values[])[];
  }[];
  readonly trained: {
    readonly weight: Values;
    readonly bias: Values;
    readonly x: Values;
    readonly y: Values;
    readonly losses: readonly number[];
    readonly after: { readonly weight: Values; readonly bias: Values };
  };
}
const expected = expectedFile<File>("pruning.json");
const amountOf = (amount: number): deploy.prune.Amount => (amount >= 1 ? { count: amount } : amount);

/** A module with a parameter of any shape. */
class Holder extends nn.Module {
  weight: Variable;
  constructor(value: Tensor) {
    super();
    this.weight = new Variable(value);
  }
  override forward(x: Tensor): Tensor {
    return x.mul(this.weight);
  }
}
const kept = (module: nn.Module): Values["values"] =>
  Array.from((prune.maskState(module).get("weight") as Tensor).toTypedArray());

describe("pruning as PyTorch does it", () => {
  it.each(expected.singles)("$name $options, three times", ({ name, weight, options, masks }) => {
    const held = new Holder(read(weight));
    for (const mask of masks) {
      if (name === "l1Unstructured") prune.l1Unstructured(held, "weight", amountOf(options.amount));
      else
        prune.lnStructured(held, "weight", amountOf(options.amount), {
          n: options.n === "inf" ? Number.POSITIVE_INFINITY : options.n,
          axis: options.axis,
        });
      expect(kept(held)).toEqual(mask.values);
      const now = Array.from(held.weight.toTypedArray());
      expect(now).toEqual(weight.values.map((w, i) => (mask.values[i] === 0 ? 0 : w)));
    }
  });

  it.each(expected.global)("of several parameters together: $amount", ({ weights, amount, rounds }) => {
    const held = weights.map((weight) => new Holder(read(weight)));
    for (const masks of rounds) {
      prune.globalUnstructured(
        held.map((h) => [h, "weight"] as const),
        amountOf(amount),
      );
      held.forEach((h, i) => {
        expect(kept(h)).toEqual(masks[i].values);
      });
    }
  });

  it.each([false, true])("trains on under momentum and weight decay (captured: %s)", async (captured) => {
    const { trained } = expected;
    const layer = new nn.Dense(6, 4, { dtype: "float64" });
    layer.weight.assign(read(trained.weight).transpose([1, 0]));
    layer.bias?.assign(read(trained.bias));
    prune.l1Unstructured(layer, "weight", 0.5);
    const optimizer = new optim.SGD(layer, { lr: 0.05, momentum: 0.9, weightDecay: 0.1 });
    const rows = [{ x: read(trained.x), y: read(trained.y) }];
    const options = { loss: nn.mse, optimizer, epochs: 5, progress: false, static: captured };
    const history = await fit(layer, rows, options);
    history.loss.forEach((loss, i) => {
      expect(loss).toBeCloseTo(trained.losses[i], 12);
    });
    prune.remove(layer, "weight");
    expectClose(layer.weight.transpose([1, 0]), trained.after.weight);
    expectClose(layer.bias, trained.after.bias);
  });
});

describe("masks", () => {
  it("hold where momentum would move what is pruned; no gradient reaches it", async () => {
    const { make, x, y } = regression();
    const model = make();
    const optimizer = new optim.Adam(model, { lr: 0.01 });
    const rows = data.batches({ x, y }, { size: 16 });
    const options = { loss: nn.mse, optimizer, epochs: 2, progress: false };
    await fit(model, rows, options); // moments are there before the mask is
    const parameters = prune.weights(model);
    prune.globalUnstructured(parameters, 0.5);
    await fit(model, rows, options);
    expect(prune.sparsityOf(parameters)).toBe(0.5);
    const seen = model.forward(x).toArray();
    const gradients = valueAndGrad((m: nn.Sequential) => m.forward(x).sum())(model)[1] as nn.Sequential;
    const [g, mask] = [(gradients.layers[0] as nn.Dense).weight, kept(model.layers[0])];
    g.toTypedArray().forEach((value, i) => {
      if (mask[i] === 0) expect(value).toBe(0);
    });
    prune.removeAll(model);
    expect(prune.isPruned(model)).toBe(false);
    expect(model.forward(x).toArray()).toEqual(seen);
    expect(prune.sparsityOf(parameters)).toBe(0.5);
  });

  it("are in what is captured and exported", () => {
    const layer = new nn.Dense(4, 4);
    const x = draw.normal([2, 4]);
    prune.l1Unstructured(layer, "weight", 0.5);
    layer.weight.assign(ones([4, 4])); // what is hidden counts as 0 whatever it holds
    const wanted = x.matmul(ones([4, 4]).mul(prune.maskState(layer).get("weight") as Tensor)).toArray();
    expect(layer.forward(x).toArray()).toEqual(wanted);
    expect(deploy.convert(layer, [x], { runs: 0 }).call(x)[0].toArray()).toEqual(wanted);
    expect(capture((v: Tensor) => layer.forward(v), x).params).toHaveLength(4); // x, weight, mask, bias
  });

  it("leave the layer whole where it throws, with other hooks too", () => {
    const layer = new nn.Dense(4, 4);
    const { weight } = layer;
    prune.l1Unstructured(layer, "weight", 0.5);
    const off = layer.registerForwardHook(() => {
      throw new Error("no");
    });
    expect(() => layer.forward(ones([1, 4]))).toThrow("no");
    expect(layer.weight).toBe(weight);
    off();
    expect(() => layer.forward(ones([1, 3]))).toThrow();
    expect(layer.weight).toBe(weight);
    prune.remove(layer, "weight");
    expect(Object.hasOwn(layer, "forward")).toBe(false);
  });

  it("hold together with fake quantization, whichever came first", () => {
    for (const order of [0, 1]) {
      const model = new nn.Sequential(new nn.Dense(6, 5));
      const [layer] = model.layers as [nn.Dense];
      const { weight } = layer;
      const steps = [() => prune.l1Unstructured(layer, "weight", 0.5), () => deploy.qat(model, { bits: 4 })];
      if (order === 1) steps.reverse();
      for (const step of steps) step();
      const eye = tensor([0, 1, 2, 3, 4, 5].map((i) => [0, 1, 2, 3, 4, 5].map((j) => Number(i === j))));
      const seen = model.forward(eye).sub(layer.bias as Tensor);
      expect(layer.weight).toBe(weight);
      const kept = prune.maskState(model).get("layers.0.weight") as Tensor;
      expect(where(kept, 0, seen).abs().max().item()).toBe(0);
      expect(new Set(seen.toTypedArray()).size).toBeGreaterThan(3);
    }
  });

  it("go to a checkpoint and come back", () => {
    const [a, b] = [0, 1].map(() => new nn.Sequential(new nn.Dense(6, 5), new nn.ReLU(), new nn.Dense(5, 2)));
    prune.globalUnstructured(prune.weights(a), 0.6);
    b.loadStateDict(a.stateDict());
    prune.loadMasks(b, prune.maskState(a));
    expect([...prune.maskState(b)].map(([path, mask]) => [path, mask.toArray()])).toEqual(
      [...prune.maskState(a)].map(([path, mask]) => [path, mask.toArray()]),
    );
    expect(() => prune.loadMasks(b, new Map([["layers.7.weight", ones([1])]]))).toThrow(
      /no module for layers.7/,
    );
  });

  it("say what does not fit", () => {
    const layer = new nn.Dense(4, 6);
    expect(() => prune.l1Unstructured(layer, "wieght", 0.5)).toThrow(
      /no floating-point parameter "wieght"; it has weight, bias/,
    );
    expect(() => prune.l1Unstructured(layer, "weight", 1.5)).toThrow(/a share is between 0 and 1, got 1.5/);
    expect(() => prune.l1Unstructured(layer, "weight", { count: 25 })).toThrow(/25 is no count among 24/);
    expect(() => prune.nOfM(layer, "weight", { keep: 2, of: 4, axis: 1 })).toThrow(
      /6 elements, which groups of 4 do not fill/,
    );
    expect(() => prune.nOfM(layer, "weight", { keep: 5, of: 4 })).toThrow(/5 of 4 is no pattern/);
    expect(() => prune.customFromMask(layer, "weight", ones([6, 4]))).toThrow(
      /the mask \(6, 4\) does not fit Dense.weight \(4, 6\)/,
    );
    expect(() => prune.remove(layer, "weight")).toThrow(/Dense.weight has no mask/);
    expect(() => prune.lnStructured(layer, "bias", 0.5)).toThrow(/slices need two/);
    layer.weight.assign(ones([4, 6]).mul(Number.NaN));
    expect(() => prune.l1Unstructured(layer, "weight", 0.5)).toThrow(/a score is NaN/);
  });
});

describe("what is chosen", () => {
  it("are the least, the first of equal ones", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 40 }),
        fc.nat(),
        (xs, n) => {
          const count = n % (xs.length + 1);
          const order = xs.map((_, i) => i).sort((a, b) => xs[a] - xs[b] || a - b);
          expect([...leastOf(xs, count)]).toEqual(order.slice(0, count).sort((a, b) => a - b));
        },
      ),
    );
  });

  it("in groups of M leaves the N greatest of each, along any axis", () => {
    const shape = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 3 }),
      fc.nat(4),
      fc.nat(2),
    );
    fc.assert(
      fc.property(shape, ([outer, groups, keep, axis]) => {
        const of = 4;
        const sizes = [outer, outer + 1, 2];
        sizes[axis] = groups * of;
        const x = draw.normal(sizes);
        const values = x.toTypedArray().map(Math.abs);
        const mask = groupMask(values, sizes, { keep, of, axis });
        const order = [0, 1, 2].filter((a) => a !== axis);
        const lines = (v: Tensor): number[][] =>
          v
            .transpose([...order, axis])
            .reshape([-1, of])
            .toArray() as number[][];
        const kept = lines(
          new Holder(x.mul(0).add(1)).weight.mul(read({ shape: sizes, values: [...mask] }, "float32")),
        );
        lines(x.abs()).forEach((line, i) => {
          const limit = [...line].sort((a, b) => b - a)[keep - 1] ?? Number.POSITIVE_INFINITY;
          expect(kept[i]).toEqual(line.map((v) => (v >= limit ? 1 : 0)));
        });
      }),
      { numRuns: 40 },
    );
  });

  it("2:4 of a convolution: a mask that a second pruning only tightens", () => {
    const layer = new nn.Conv2d(8, 4, 3);
    prune.nOfM(layer, "weight");
    expect(prune.sparsityOf([[layer, "weight"]])).toBe(0.5);
    prune.nOfM(layer, "weight", { keep: 1, of: 4 });
    expect(prune.sparsityOf([[layer, "weight"]])).toBe(0.75);
  });
});

describe("patterns for sparse kernels", () => {
  it("blocks go whole, the least of those that are left", () => {
    const layer = new nn.Dense(6, 40);
    const before = layer.weight.abs().toArray() as number[][];
    const mean = (i: number, b: number): number => {
      const part = before[i].slice(16 * b, 16 * b + 16);
      return part.reduce((x, y) => x + y, 0) / part.length;
    };
    const left = (): [number, number][] => {
      const now = layer.weight.toArray() as number[][];
      return now.flatMap((row, i) =>
        [0, 1, 2].flatMap((b) => {
          const zeros = row.slice(16 * b, 16 * b + 16).filter((v) => v === 0).length;
          expect([0, Math.min(16, 40 - 16 * b)]).toContain(zeros); // the last block is narrower
          return zeros === 0 ? [[i, b] as [number, number]] : [];
        }),
      );
    };
    const order = [0, 1, 2, 3, 4, 5]
      .flatMap((i) => [0, 1, 2].map((b) => [i, b] as [number, number]))
      .sort((x, y) => mean(...y) - mean(...x));
    for (const stay of [9, 4]) {
      prune.blocks(layer, "weight", 0.5); // of 9, half to even: 4 go, then one more
      if (stay === 4) prune.blocks(layer, "weight", { count: 1 });
      expect(left().map(String).sort()).toEqual(order.slice(0, stay).map(String).sort());
    }
    expect(() => prune.blocks(layer, "weight", 0.5, { shape: [0, 4] })).toThrow(/0 × 4 is no block/);
    expect(() => prune.blocks(layer, "bias", 0.5)).toThrow(/blocks need two/);
  });

  it("N:M of vectors: half of the inputs of each 16 outputs, in each group of four", () => {
    const layer = new nn.Dense(8, 32);
    prune.nOfMVectors(layer, "weight");
    const kept = layer.weight.notEqual(0).cast("int32").reshape([2, 4, 2, 16]);
    expect(new Set(kept.sum(1).toTypedArray())).toEqual(new Set([2]));
    expect(kept.min(3).equal(kept.max(3)).all().item()).toBe(1);
    expect(new prune.BlockMatrix(layer.weight).stored).toBe(128);
    expect(() => prune.nOfMVectors(new nn.Dense(6, 4), "weight")).toThrow(/groups of 4 do not fill/);
  });
});

describe("schedules", () => {
  it("are the polynomial of the paper", () => {
    const s = prune.polynomialSparsity({ initial: 0.1, final: 0.9, begin: 10, end: 110 });
    expect(s(9)).toBe(0);
    expect(s(10)).toBeCloseTo(0.1, 12);
    expect(s(60)).toBeCloseTo(0.9 - 0.8 / 8, 12);
    expect(s(110)).toBe(0.9);
    expect(s(999)).toBe(0.9);
    expect(() => prune.polynomialSparsity({ final: 0.9, begin: 5, end: 5 })).toThrow(
      /no schedule from step 5 to 5/,
    );
    expect(() => prune.polynomialSparsity({ final: 9, end: 5 })).toThrow(/got 9/);
  });

  it("prune while a model trains, more and more, and never give back", async () => {
    const { make, x, y } = regression();
    const model = make();
    const parameters = prune.weights(model);
    const seen: number[] = [];
    const schedule = prune.polynomialSparsity({ final: 0.7, end: 20 });
    const callbacks = [
      prune.gradually(parameters, { schedule, every: 5, scope: "layer" }),
      { onStep: () => void seen.push(prune.sparsityOf(parameters)) },
    ];
    const optimizer = new optim.Adam(model, { lr: 0.01 });
    const options = { loss: nn.mse, optimizer, epochs: 6, callbacks, progress: false, static: true };
    await fit(model, data.batches({ x, y }, { size: 16 }), options);
    expect(seen.every((s, i) => i === 0 || s >= seen[i - 1])).toBe(true);
    expect(new Set(seen.slice(0, 20)).size).toBe(5);
    const { rows } = prune.report(model);
    expect(rows.map((row) => row.zeros)).toEqual([Math.round(0.7 * 96), Math.round(0.7 * 24)]);
  });

  it.each([false, true])("hide from the next step on what they prune (captured: %s)", async (captured) => {
    const { make, x, y } = regression();
    const model = make();
    const parameters = prune.weights(model);
    const schedule = prune.polynomialSparsity({ final: 0.6, end: 8, power: 1 });
    const zeros = (): number =>
      model.layers.reduce(
        (sum, m) => (m instanceof nn.Dense ? sum + m.weight.equal(0).sum().item() : sum),
        0,
      );
    const seen: number[][] = [];
    const callbacks = [
      prune.gradually(parameters, { schedule, every: 4 }),
      { onStep: () => void seen.push([zeros(), prune.sparsityOf(parameters) * 120]) },
    ];
    const optimizer = new optim.SGD(model, { lr: 0.05 }); // without momentum, what gets no gradient stays
    const options = { loss: nn.mse, optimizer, epochs: 3, callbacks, progress: false, static: captured };
    await fit(model, data.batches({ x, y }, { size: 16 }), options);
    expect(seen.map(([found]) => found)).toEqual([0, 0, 0, 36, 36, 36, 36, 72, 72, 72, 72, 72]);
    for (const [found, hidden] of seen) expect(hidden).toBeCloseTo(found, 9);
  });

  it("in rounds from the first weights: a lottery ticket", async () => {
    const { make } = regression();
    const model = make();
    const state = model.stateDict();
    const parameters = prune.weights(model);
    const train = (): void => {
      for (const v of model.parameters()) v.assign(v.value.mul(3).add(0.01));
    };
    const found = await prune.iteratively(parameters, {
      rounds: 3,
      amount: 0.5,
      train,
      rewindTo: { model, state },
    });
    expect(found).toEqual([0.5, 0.75, 0.875]);
    prune.rewind(model, state);
    const [before, after] = [state.get("layers.0.weight") as Tensor, (model.layers[0] as nn.Dense).weight];
    expect(after.toArray()).toEqual(
      where(prune.maskState(model).get("layers.0.weight") as Tensor, before, 0).toArray(),
    );
  });
});

describe("tables", () => {
  it("count zeros, outputs that are empty, and what masks hide", () => {
    const model = new nn.Sequential(
      new nn.Conv2d(1, 4, 3),
      new nn.ReLU(),
      new nn.Flatten(),
      new nn.Dense(16, 2),
    );
    prune.lnStructured(model.layers[0], "weight", 0.5);
    const found = prune.report(model);
    expect(found.rows.map((row) => [row.path, row.zeros, row.emptyOutputs, row.outputs, row.masked])).toEqual(
      [
        ["layers.0.weight", 18, 2, 4, true],
        ["layers.3.weight", 0, 0, 2, false],
      ],
    );
    expect(String(found)).toContain(
      "layers.0.weight  (4, 1, 3, 3)        36     18    50.0 %            2/4",
    );
    expect(found[Symbol.for("Jupyter.display") as never]).toBeTypeOf("function");
  });

  it("say what pruning one layer costs, and leave the model as it was", async () => {
    const { make, x, y } = regression();
    const model = make();
    const before = model.stateDict();
    const loss = (): number => nn.mse(model.forward(x), y).item();
    const found = await prune.sensitivity(model, loss, { amounts: [0, 1] });
    expect(found.rows.map((row) => row.scores[0])).toEqual([found.baseline, found.baseline]);
    expect(found.rows[1].scores[1]).toBeCloseTo(y.square().mean().item(), 4); // nothing but a bias of 0
    for (const [path, value] of model.stateDict())
      expect(value.toArray()).toEqual(before.get(path)?.toArray());
    const fails = prune.sensitivity(model, () => {
      if ((model.layers[0] as nn.Dense).weight.equal(0).sum().item() > 0) throw new Error("stop");
      return 0;
    });
    await expect(fails).rejects.toThrow("stop");
    expect(loss()).toBe(found.baseline);
  });
});
