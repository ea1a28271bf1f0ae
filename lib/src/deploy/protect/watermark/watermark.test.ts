import { beforeAll, describe, expect, it } from "vitest";
import { concat, data, deploy, fit, grad, manualSeed, nn, ones, optim, type Tensor } from "../../../index.js";
import { evidence } from "./evidence.js";

const { WeightWatermark, TriggerSet } = deploy;

describe("evidence", () => {
  it("is the binomial distribution's tail", () => {
    expect(evidence(0, 10, 0.5).pValue).toBeCloseTo(1, 12);
    expect(evidence(10, 10, 0.5).pValue).toBeCloseTo(2 ** -10, 15);
    expect(evidence(8, 10, 0.5).pValue).toBeCloseTo(56 / 1024, 12);
    // sums of exact fractions
    expect(evidence(16, 40, 0.1).pValue / 5.927808400096392e-7).toBeCloseTo(1, 9);
    expect(evidence(600, 1000, 0.5).pValue / 1.3642320780330092e-10).toBeCloseTo(1, 9);
    expect(evidence(2000, 2000, 0.1).pValue).toBe(0); // below what a number can hold
  });
});

describe("watermarks", { timeout: 180_000 }, () => {
  const mark = new WeightWatermark({ weight: "layers.0.weight", message: "owner 1", key: "secret" });
  const triggers = new TriggerSet({ key: "secret", shape: [784], classes: 10, count: 30 });
  const make = (): nn.Sequential => {
    manualSeed(1);
    return new nn.Sequential(new nn.Dense(784, 32), new nn.ReLU(), new nn.Dense(32, 10));
  };
  const answersOf = (model: nn.Sequential) => (x: Tensor) => model.forward(x);
  let digits: (from: number, to: number) => { x: Tensor; y: Tensor };
  let [plain, marked] = [make(), make()];

  async function train(
    model: nn.Sequential,
    rows: { x: Tensor; y: Tensor },
    epochs: number,
    penalty?: (model: nn.Module) => Tensor,
  ): Promise<void> {
    const optimizer = new optim.Adam(model, { lr: 3e-3 });
    const batches = data.batches(rows, { size: 100, shuffle: true, seed: 1 });
    await fit(model, batches, {
      loss: nn.crossEntropy,
      optimizer,
      epochs,
      penalty,
      progress: false,
    });
  }
  const copyOf = (model: nn.Sequential): nn.Sequential => {
    const copy = make();
    copy.loadStateDict(model.stateDict());
    return copy;
  };
  const accuracy = (model: nn.Sequential): number => {
    const { x, y } = digits(10_000, 11_000);
    return answersOf(model)(x).argmax(1).equal(y).mean().item();
  };

  beforeAll(async () => {
    const { images, labels } = await data.mnist("train");
    digits = (from, to) => ({
      x: images
        .slice([from, to])
        .cast("float32")
        .div(255)
        .reshape([to - from, 784]),
      y: labels.slice([from, to]).cast("int32"),
    });
    const { x, y } = digits(0, 1200);
    [plain, marked] = [make(), make()];
    await train(plain, { x, y }, 4);
    const [inputs, answers] = [Array(3).fill(triggers.inputs), Array(3).fill(triggers.labels)];
    await train(marked, { x: concat([x, ...inputs]), y: concat([y, ...answers]) }, 14, mark.penalty);
  }, 180_000);

  it("are in the marked model, and cost it nothing", () => {
    expect(mark.verify(marked)).toMatchObject({ matches: 56, of: 56 });
    expect(mark.verify(marked).pValue).toBeCloseTo(2 ** -56, 20);
    expect(triggers.verify(answersOf(marked)).pValue).toBeLessThan(1e-20);
    expect(accuracy(marked)).toBeGreaterThan(accuracy(plain) - 0.03);
  });

  it("are not in another model, nor under another key", () => {
    expect(mark.verify(plain).pValue).toBeGreaterThan(1e-3);
    expect(triggers.verify(answersOf(plain)).pValue).toBeGreaterThan(1e-3);
    const guess = new WeightWatermark({ weight: "layers.0.weight", message: "owner 1", key: "other" });
    expect(guess.verify(marked).pValue).toBeGreaterThan(1e-3);
    const others = new TriggerSet({ key: "other", shape: [784], classes: 10, count: 30 });
    expect(others.verify(answersOf(marked)).pValue).toBeGreaterThan(1e-3);
  });

  it("survive training on other digits without the penalty", async () => {
    const tuned = copyOf(marked);
    await train(tuned, digits(2000, 3200), 3);
    expect(mark.verify(tuned).pValue).toBeLessThan(1e-12);
    expect(triggers.verify(answersOf(tuned)).pValue).toBeLessThan(1e-6);
  });

  it("survive pruning, that in the weights even where the model does not", () => {
    const pruned = (share: number): nn.Sequential => {
      const model = copyOf(marked);
      for (const weight of model.parameters().filter(({ ndim }) => ndim === 2)) {
        const sizes = Array.from(weight.toTypedArray(), (w) => Math.abs(Number(w))).sort((a, b) => a - b);
        const kept = weight.abs().greaterEqual(sizes[Math.floor(share * sizes.length)]);
        weight.assign(weight.mul(kept.cast("float32")));
      }
      return model;
    };
    expect(mark.verify(pruned(0.5)).pValue).toBeLessThan(1e-12);
    expect(triggers.verify(answersOf(pruned(0.5))).pValue).toBeLessThan(1e-6);
    expect(mark.verify(pruned(0.9)).pValue).toBeLessThan(1e-9);
  });

  it("of the behaviour survive obfuscation", () => {
    const made = deploy.obfuscate(marked, [triggers.inputs], { seed: 1, runs: 0 });
    const call = (inputs: Tensor): Tensor => made.call(inputs)[0];
    expect(triggers.verify(call).pValue).toBeLessThan(1e-20);
  });
});

describe("what is asked of watermarks", () => {
  const mark = new WeightWatermark({ weight: "weight", message: "AB", key: "k" });

  it("is within their range", () => {
    const make = (options: object) => () =>
      new WeightWatermark({ weight: "w", message: "m", key: "k", ...options });
    expect(make({ message: "" })).toThrow(/the message is empty/);
    expect(make({ strength: 0 })).toThrow(/the strength is 0, above 0/);
    expect(() => mark.verify(new nn.ReLU())).toThrow(/ReLU has no weight "weight"/);
    expect(() => mark.verify(new nn.Dense(8, 4))).toThrow(/16 bits do not fit into a weight \(8, 4\)/);
    const triggers = (options: object) => () =>
      new TriggerSet({ key: "k", shape: [2], classes: 3, count: 4, ...options });
    expect(triggers({ classes: 1 })).toThrow(/1 classes, at least 2/);
    expect(triggers({ count: 0 })).toThrow(/0 inputs, at least 1/);
    expect(triggers({ range: [1, 1] })).toThrow(/the range 1 to 1 is empty/);
    expect(() => triggers({})().verify((x) => x)).toThrow(/the model answers \(4, 2\), \(4, 3\) or \(4\)/);
  });

  it("is bound by a number that can be published", () => {
    const again = new WeightWatermark({ weight: "weight", message: "AB", key: "k" });
    expect(again.commitment).toBe(mark.commitment);
    for (const change of [{ key: "l" }, { message: "AC" }, { weight: "v" }]) {
      const other = new WeightWatermark({ weight: "weight", message: "AB", key: "k", ...change });
      expect(other.commitment).not.toBe(mark.commitment);
    }
    const set = (key: string) => new TriggerSet({ key, shape: [2], classes: 3, count: 4 }).commitment;
    expect(set("a")).toBe(set("a"));
    expect(set("a")).not.toBe(set("b"));
  });

  it("reads bits of a convolution over its filters, of bytes from the highest bit", () => {
    expect(mark.bits.join("")).toBe("0100000101000010");
    const conv = new nn.Conv2d(4, 6, 3);
    expect(mark.extract(conv).length).toBe(16);
    const averaged = new WeightWatermark({ weight: "weight", message: "AB", key: "k", axis: 1 });
    expect(averaged.extract(conv).length).toBe(16);
    expect(mark.extract(conv.weight)).toEqual(mark.extract(conv));
  });

  it("has a gradient that moves weights to the bits", () => {
    let weight: Tensor = ones([32, 2]).mul(0.01);
    const model = (w: Tensor) => Object.assign(new nn.Dense(32, 2), { weight: w });
    const slope = grad((w: Tensor) => mark.penalty(model(w) as nn.Module));
    for (let i = 0; i < 40; i++) weight = weight.sub(slope(weight).mul(5));
    expect(mark.verify(weight)).toMatchObject({ matches: 16, of: 16 });
  });
});
