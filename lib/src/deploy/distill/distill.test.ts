/** Distillation: losses against PyTorch's (test/expected/pruning.py) and finite differences, and what a student takes over. */
import { describe, expect, it } from "vitest";
import { expectClose, expectedFile, read, type Values } from "../../../test/support/expected.js";
import { numbers, numericGradient, relativeError } from "../../../test/support/finite-differences.js";
import {
  data,
  deploy,
  fit,
  Generator,
  grad,
  manualSeed,
  nn,
  ones,
  optim,
  type Tensor,
  tensor,
  train,
  zeros,
} from "../../index.js";

const { attentionMap, attentionTransfer, distill, distillationLoss, hintLoss, softCrossEntropy } = deploy;

interface Case {
  readonly student: Values;
  readonly teacher: Values;
  readonly value: number;
  readonly gradient: Values;
}
const expected = expectedFile<{
  logits: (Case & { labels: number[]; temperature: number; weight: number; squared: boolean })[];
  hint: Case & { regressor: Values };
  attention: Case;
}>("pruning.json");

function compare({ student, value, gradient }: Case, loss: (s: Tensor) => Tensor): void {
  const x = read(student);
  expect(relativeError([loss(x).item()], [value])).toBeLessThan(1e-13);
  expectClose(grad(loss)(x), gradient, 1e-11);
  expect(relativeError(numbers(grad(loss)(x)), numericGradient(loss, x))).toBeLessThan(1e-6);
}

describe("losses", () => {
  it.each(expected.logits)("answers at temperature $temperature, λ = $weight, squared: $squared", (found) => {
    const { labels, temperature, weight, squared } = found;
    const y = tensor(labels, { dtype: "int32" });
    compare(found, (s) => distillationLoss(s, read(found.teacher), y, { temperature, weight, squared }));
  });

  it("hints through a regressor", () => {
    const regressor = new nn.Conv2d(3, 4, 1, { bias: false, dtype: "float64" });
    regressor.weight.assign(read(expected.hint.regressor));
    compare(expected.hint, (s) => hintLoss(s, read(expected.hint.teacher), regressor));
  });

  it("attention, between different numbers of channels", () => {
    compare(expected.attention, (s) => attentionTransfer(s, read(expected.attention.teacher)));
    const black = zeros([1, 2, 3, 3]);
    expect(
      grad((s: Tensor) => attentionTransfer(s, ones([1, 4, 3, 3])))(black)
        .isfinite()
        .all()
        .item(),
    ).toBe(1);
    expect(attentionMap(black).abs().max().item()).toBe(0);
  });

  it("give the teacher no gradient", () => {
    const [s, t] = [tensor([[1, 2, 3]]), tensor([[3, 1, 0]])];
    expect(grad((x: Tensor) => softCrossEntropy(s, x))(t).toArray()).toEqual([[0, 0, 0]]);
    expect(grad((x: Tensor) => hintLoss(s, x))(t).toArray()).toEqual([[0, 0, 0]]);
    const maps = (x: Tensor): Tensor => x.reshape([1, 1, 3]);
    expect(grad((x: Tensor) => attentionTransfer(maps(s), maps(x)))(t).toArray()).toEqual([[0, 0, 0]]);
  });

  it("at T² keep the size of gradients at high temperatures: those of half the squared difference", () => {
    // Hinton et al., equation 4: for T → ∞ and logits of mean 0 the gradient is (s − t)/classes, here per example too
    const [s, t] = [tensor([[0.3, -0.2, -0.1]]), tensor([[-0.5, 0.1, 0.4]])];
    const found = grad((x: Tensor) => softCrossEntropy(x, t, { temperature: 1000 }))(s);
    const wanted = s.sub(t).div(3);
    expect(found.sub(wanted).abs().max().item()).toBeLessThan(2e-3);
  });

  it("say what does not fit", () => {
    const [s, t] = [ones([2, 3]), ones([2, 4])];
    expect(() => softCrossEntropy(s, t)).toThrow(/the student's \(2, 3\) is not the teacher's \(2, 4\)/);
    expect(() => softCrossEntropy(s, s, { temperature: 0 })).toThrow(/positive, got 0/);
    expect(() => distillationLoss(s, s, tensor([0, 1]), { weight: -1 })).toThrow(/from 0, got -1/);
    expect(() => hintLoss(s, t)).toThrow(/hintLoss/);
    expect(() => attentionMap(s)).toThrow(/\(n, channels, …\) wanted/);
    expect(() => attentionTransfer(ones([1, 1, 4]), ones([1, 1, 5]))).toThrow(/attentionTransfer/);
  });
});

describe("distill", () => {
  const draw = new Generator(12);
  const x = draw.normal([240, 2]);
  const classes = x
    .slice([null, null], [0, 1])
    .greater(0)
    .cast("int32")
    .add(x.slice([null, null], [1, 2]).greater(0).cast("int32"))
    .flatten();
  const adam = (lr: number) => (trained: nn.Module) => new optim.Adam(trained, { lr });
  const small = (): nn.Sequential => {
    manualSeed(2);
    return new nn.Sequential(new nn.Dense(2, 12), new nn.Tanh(), new nn.Dense(12, 3));
  };
  const agreement = (a: train.Model, b: train.Model): number =>
    a.forward(x).argmax(-1).equal(b.forward(x).argmax(-1)).cast("float32").mean().item();

  it.each([false, true])(
    "learns from answers alone, with labels that say nothing (captured: %s)",
    async (captured) => {
      const teacher = small();
      const rows = data.batches({ x, y: classes }, { size: 48 });
      const options = {
        loss: nn.crossEntropy,
        optimizer: new optim.Adam(teacher, { lr: 0.05 }),
        epochs: 60,
        progress: false,
      };
      await fit(teacher, rows, options);
      expect(train.evaluate(teacher, rows, { right: train.accuracy }).right).toBeGreaterThan(0.95);
      const blind = data.batches({ x, y: zeros([240], { dtype: "int32" }) }, { size: 48 });
      manualSeed(9);
      const student = new nn.Sequential(new nn.Dense(2, 6), new nn.Tanh(), new nn.Dense(6, 3));
      const before = [...teacher.stateDict()].map(([, v]) => v.toArray());
      teacher.train();
      const distilled = {
        optimizer: adam(0.05),
        epochs: 60,
        labelWeight: 0,
        temperature: 2,
        progress: false,
        static: captured,
      };
      await distill(student, teacher, blind, distilled);
      expect(agreement(student, teacher)).toBeGreaterThan(0.93);
      expect([...teacher.stateDict()].map(([, v]) => v.toArray())).toEqual(before);
      expect([teacher.training, Object.hasOwn(student, "forward")]).toEqual([true, false]);
    },
  );

  class Net extends nn.Module {
    features: nn.Sequential;
    head: nn.Dense;
    constructor(channels: number) {
      super();
      this.features = new nn.Sequential(new nn.Conv2d(1, channels, 3, { padding: 1 }), new nn.ReLU());
      this.head = new nn.Dense(channels, 2);
    }
    override forward(v: Tensor): Tensor {
      return this.head.forward((this.features.forward(v) as Tensor).mean([2, 3]));
    }
  }
  const images = draw.normal([16, 1, 6, 6]);
  const rows = data.batches({ x: images, y: zeros([16], { dtype: "int32" }) }, { size: 8 });

  it("hints train student and regressor until the features are alike (both stages of FitNets)", async () => {
    manualSeed(4);
    const [teacher, student, regressor] = [new Net(6), new Net(3), new nn.Conv2d(3, 6, 1)];
    const first = regressor.weight.toArray();
    const apart = (): number =>
      hintLoss(
        student.features.forward(images) as Tensor,
        teacher.features.forward(images) as Tensor,
        regressor,
      ).item();
    const before = apart();
    const hints = [{ student: "features", teacher: "features", regressor }];
    const stage = { optimizer: adam(0.02), epochs: 60, weight: 0, labelWeight: 0, hints, progress: false };
    const { loss } = await distill(student, teacher, rows, stage);
    expect(loss[0]).toBeGreaterThan(0);
    expect(apart()).toBeLessThan(before / 3);
    expect(regressor.weight.toArray()).not.toEqual(first);
    await distill(student, teacher, rows, {
      optimizer: adam(0.05),
      epochs: 40,
      labelWeight: 0,
      progress: false,
    });
    const [a, b] = [student, teacher].map((m) => m.forward(images).softmax(-1));
    expect(a.sub(b).abs().max().item()).toBeLessThan(0.05);
  });

  it("attention: the student comes to look where the teacher does; all parts at once", async () => {
    manualSeed(5);
    const [teacher, student] = [new Net(8), new Net(2)];
    const apart = (): number =>
      attentionTransfer(
        student.features.forward(images) as Tensor,
        teacher.features.forward(images) as Tensor,
      ).item();
    const before = apart();
    const pair = { student: "features", teacher: "features" };
    await distill(student, teacher, rows, {
      ...{
        optimizer: adam(0.02),
        epochs: 60,
        weight: 0.01,
        labelWeight: 0.01,
        attention: [{ ...pair, weight: 1000 }],
      },
      ...{ hints: [{ ...pair, regressor: new nn.Conv2d(2, 8, 1), weight: 1e-4 }], progress: false },
      ...{ metrics: { right: train.accuracy }, validation: rows },
    });
    expect(apart()).toBeLessThan(before / 2);
  });

  it("says what it can't do, and leaves no hook behind", async () => {
    const [teacher, student] = [new Net(4), new Net(2)];
    const pair = { student: "features", teacher: "features" };
    const run = (options: Partial<deploy.DistillOptions>) =>
      distill(student, teacher, rows, { optimizer: adam(0.1), progress: false, ...options });
    await expect(run({ hints: [{ ...pair, student: "featurs" }] })).rejects.toThrow(
      /the student has no layer featurs/,
    );
    await expect(run({ attention: [{ ...pair, teacher: "x" }] })).rejects.toThrow(
      /the teacher has no layer x/,
    );
    await expect(run({ weight: 0, labelWeight: 0 })).rejects.toThrow(/every part of the loss has weight 0/);
    await expect(run({ weight: -1 })).rejects.toThrow(/got -1, 1/);
    await expect(run({ hints: [pair] })).rejects.toThrow(
      /the student's \(8, 2, 6, 6\) is not the teacher's \(8, 4, 6, 6\)/,
    );
    expect([student.features, teacher.features].map((m) => Object.hasOwn(m, "forward"))).toEqual([
      false,
      false,
    ]);
  });
});
