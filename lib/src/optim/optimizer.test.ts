import { describe, expect, it } from "vitest";
import { type DType, grad, nn, optim, tensor, Variable } from "../index.js";

describe("optimizers", () => {
  it("check what they are given", () => {
    const w = new Variable([1, 2]);
    expect(() => new optim.SGD([w], { lr: 0 })).toThrow(/learning rate must be positive, got 0/);
    expect(() => new optim.Adam([tensor([1])], { lr: 1 })).toThrow(/no variable to train/);
    expect(() => new optim.SGD([w], { lr: 1, nesterov: true })).toThrow(/nesterov needs a momentum/);
    expect(() => new optim.SGD([w], { lr: 1, weightDecay: -1 })).toThrow(
      /SGD: weightDecay is at least 0 and finite, got -1/,
    );
    expect(() => new optim.AdamW([w], { lr: 1, beta2: 1 })).toThrow(
      /AdamW: beta2 is at least 0 and below 1, got 1/,
    );
    expect(() => new optim.RMSProp([w], { lr: 1, decay: Number.NaN })).toThrow(
      /decay is at least 0 and below 1, got NaN/,
    );
    expect(() => new optim.AdaGrad([w], { lr: 1, epsilon: -1 })).toThrow(/epsilon/);
    expect(() => new optim.Adadelta([w], { decay: 1 })).toThrow(
      /Adadelta: decay is at least 0 and below 1, got 1/,
    );
    expect(() => new optim.Adamax([w], { lr: 1, beta1: -1 })).toThrow(/Adamax: beta1/);
    expect(() => new optim.LAMB([w], { lr: 1, epsilon: -1 })).toThrow(/LAMB: epsilon/);
    expect(() => new optim.Lion([w], { lr: 1, weightDecay: -1 })).toThrow(/Lion: weightDecay/);
    expect(() => optim.piecewise([5, 5], [1, 2, 3])).toThrow(/piecewise: 2 rising starts and 3 rates wanted/);
    expect(() => optim.cosineRestarts(1, 5, { factor: 1.5 })).toThrow(/cosineRestarts \(factor\)/);
    expect(() => optim.oneCycle(1, 10, { rising: 1 })).toThrow(/rising part is between 0 and 1, got 1/);
    expect(() => new optim.SGD([w], { lr: () => Number.NaN })).toThrow(
      /SGD: the schedule gives the rate NaN for step 0/,
    );
    expect(() => optim.cosine(0.1, 0)).toThrow(/cosine: the number of steps is a whole number from 1, got 0/);
    expect(() => optim.warmup(2.5, optim.constant(1))).toThrow(/warmup/);
  });

  it("LAMB starts a parameter that is 0 by Adam's own step", () => {
    const [lamb, adam] = [new Variable([0, 0]), new Variable([0, 0])];
    new optim.LAMB([lamb], { lr: 0.1 }).step([tensor([2, -1])]);
    new optim.Adam([adam], { lr: 0.1, epsilon: 1e-6 }).step([tensor([2, -1])]);
    expect(lamb.sub(adam).abs().max().item()).toBeLessThan(1e-6);
  });

  it("name gradients that do not match", () => {
    const w = new Variable([1, 2]);
    expect(() => new optim.SGD([w], { lr: 1 }).step([tensor([1, 2, 3])])).toThrow(
      /float32\(3,\).*do not match.*float32\(2,\)/,
    );
  });

  it("leave alone what is frozen, and what got no gradient", () => {
    const [w, other] = [new Variable([1, 2]), new Variable([5])];
    const frozen = new Variable([3], { requiresGrad: false });
    const sgd = new optim.SGD([w, frozen, other], { lr: 1, momentum: 0.5 });
    w.sum().backward();
    sgd.step();
    expect([w, frozen, other].map((v) => v.toArray())).toEqual([[0, 1], [3], [5]]);
  });

  it("train a variable at two places once per step", () => {
    const shared = new nn.Dense(2, 2, { bias: false });
    const model = new nn.Sequential(shared, new nn.Tanh(), shared);
    shared.weight.assign([
      [1, 0],
      [0, 1],
    ]);
    const sgd = new optim.SGD(model, { lr: 0.5 });
    const x = tensor([[1, -1]]);
    const loss = (m: typeof model) => m.forward(x).square().sum();
    const gradients = grad(loss)(model);
    loss(model).backward();
    const total = shared.weight.grad?.toArray() as number[][];
    sgd.step(gradients);
    expect(shared.weight.toArray()).toEqual(
      total.map((row, i) => row.map((g, j) => Math.fround((i === j ? 1 : 0) - Math.fround(0.5 * g)))),
    );
  });

  it.each(["float32", "float64"] as DType[])(
    "go on from their state as if there had been no break: %s",
    (dtype) => {
      const start = tensor([1, -2, 3], { dtype });
      const make = () => {
        const w = new Variable(start);
        const schedule = optim.cosine(0.3, 20);
        return { w, adam: new optim.Adam({ layer: { w } }, { lr: schedule, weightDecay: 0.1 }) };
      };
      const step = ({ w, adam }: ReturnType<typeof make>): void => {
        w.grad?.dispose();
        w.zeroGrad();
        w.square().mul([1, 5, 0.1]).sum().backward();
        adam.step();
      };
      const whole = make();
      for (let i = 0; i < 5; i++) step(whole);
      const [state, weights] = [whole.adam.stateDict(), whole.w.toArray()];
      expect([...state.keys()]).toEqual(["step", "mean.layer.w", "square.layer.w"]);
      const atBreak = [...state].map(([name, value]) => [name, value.toArray()]);
      for (let i = 0; i < 5; i++) step(whole);
      expect([...state].map(([name, value]) => [name, value.toArray()])).toEqual(atBreak); // a snapshot

      const resumed = make();
      resumed.w.assign(tensor(weights as number[], { dtype }));
      resumed.adam.loadStateDict(state);
      for (let i = 0; i < 5; i++) step(resumed);
      expect(resumed.w.toArray()).toEqual(whole.w.toArray());
      expect(() => resumed.adam.loadStateDict(new Map([["step", tensor(1)]]))).toThrow(
        /Adam.loadStateDict: mean.layer.w is missing; square.layer.w is missing/,
      );
    },
  );
});
