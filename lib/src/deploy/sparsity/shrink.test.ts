/** Smaller layers compute what the large ones did with the channels at 0. */
import { describe, expect, it } from "vitest";
import { MobileNet, shaken } from "../../../test/deploy/models.js";
import { expectClose } from "../../../test/support/close.js";
import { concat, data, deploy, fit, Generator, nn, ones, optim, type Tensor, tensor } from "../../index.js";
import { channelsOf } from "./channels.js";

const { prune } = deploy;
const draw = new Generator(21);
type Model = nn.Module & { forward(x: Tensor): Tensor };

const plain = (): Model =>
  new nn.Sequential(
    new nn.Conv2d(1, 8, 3),
    new nn.BatchNorm(8),
    new nn.ReLU(),
    new nn.MaxPool2d(2),
    new nn.Conv2d(8, 6, 3, { padding: 1 }),
    new nn.Sigmoid(), // what is 0 before it is not 0 behind it; its readers go too
    new nn.AvgPool2d(2),
    new nn.Flatten(),
    new nn.Dense(6 * 3 * 3, 10),
    new nn.GELU(),
    new nn.Dense(10, 4),
  );

class Branches extends nn.Module {
  left = new nn.Conv2d(2, 6, 3, { padding: 1 });
  right = new nn.Conv2d(2, 5, 1);
  mixed = new nn.Conv2d(11, 6, 1);
  head = new nn.Dense(6, 3);
  override forward(x: Tensor): Tensor {
    const a = this.left.forward(x);
    const both = concat([a, this.right.forward(x)], 1).relu();
    return this.head.forward(this.mixed.forward(both).add(a).mean([2, 3]));
  }
}

/** A normalization over channels mixes them: none of those may go. */
class Mixed extends nn.Module {
  first = new nn.Dense(6, 8);
  norm = new nn.LayerNorm(8);
  second = new nn.Dense(8, 12);
  third = new nn.Dense(12, 3);
  override forward(x: Tensor): Tensor {
    return this.third.forward(this.second.forward(this.norm.forward(this.first.forward(x))).relu());
  }
}

const CASES: Record<string, () => { model: Model; x: Tensor; fewer: Record<string, number[]> }> = {
  Sequential: () => ({
    model: shaken(plain()),
    x: draw.normal([3, 1, 16, 16]),
    fewer: { "layers.0": [4, 1, 3, 3], "layers.4": [3, 4, 3, 3], "layers.8": [27, 5], "layers.10": [5, 4] },
  }),
  MobileNet: () => ({
    model: shaken(new MobileNet(8, 3, 5)),
    x: draw.normal([2, 3, 16, 16]),
    fewer: { "stem.layers.0": [4, 3, 3, 3], "blocks.0.body.layers.3": [16, 1, 3, 3], head: [4, 5] },
  }),
  "branches that are joined and added": () => ({
    model: new Branches().eval(),
    x: draw.normal([2, 2, 5, 5]),
    fewer: { left: [3, 2, 3, 3], right: [3, 2, 1, 1], mixed: [3, 6, 1, 1], head: [3, 3] },
  }),
  "a normalization over channels": () => ({
    model: new Mixed(),
    x: draw.normal([4, 6]),
    fewer: { first: [6, 8], second: [8, 6], third: [6, 3] },
  }),
};

describe("shrink", () => {
  it.each(Object.keys(CASES))("%s: half of the channels", (name) => {
    const { model, x, fewer } = CASES[name]();
    prune.shrink(model, [x], { amount: 0.5 });
    const found = Object.fromEntries(model.namedModules());
    for (const [path, shape] of Object.entries(fewer)) {
      const { weight } = found[path] as nn.Dense;
      expect(weight.shape, path).toEqual(shape);
    }
    const y = model.forward(x);
    expectClose(deploy.convert(model, [x], { runs: 0 }).call(x), [y], 1e-4);
  });

  it.each(Object.keys(CASES))("%s: the same results as with those channels at 0", (name) => {
    const { model, x } = CASES[name]();
    const owned = new Set(
      model
        .namedModules()
        .flatMap(([, m]) =>
          m instanceof nn.Dense || m instanceof nn.Conv2d || m instanceof nn.BatchNorm
            ? m.namedVariables().map(([, v]) => v)
            : [],
        ),
    );
    const some = channelsOf(model, [x], owned).filter((_, i) => i % 3 === 0);
    for (const { variable, axis, index } of some.flat()) {
      const mask = ones([variable.shape[axis]]).toTypedArray();
      mask[index] = 0;
      const shape = variable.shape.map((size, i) => (i === axis ? size : 1));
      variable.assign(variable.value.mul(tensor(mask).reshape(shape)));
    }
    const wanted = model.forward(x);
    const found = prune.shrink(model, [x], { amount: { count: some.length }, scope: "global" });
    expect(found.after).toBeLessThan(found.before);
    expect(found.after).toBe(model.namedVariables().reduce((sum, [, v]) => sum + v.size, 0));
    expectClose([model.forward(x)], [wanted], 1e-4);
  });

  it("takes the filters that lnStructured chose, masks or not", () => {
    const [a, b] = [0, 1].map(() => plain().eval());
    b.loadStateDict(a.stateDict());
    const first = a.namedModules().find(([path]) => path === "layers.0")?.[1] as nn.Conv2d;
    prune.lnStructured(first, "weight", 0.5, { n: 1 });
    const left = prune.report(a).rows[0];
    expect(left.emptyOutputs).toBe(4);
    for (const model of [a, b]) prune.shrink(model, [ones([1, 1, 16, 16])], { amount: 0.5 });
    expect([...a.stateDict()].map(([k, v]) => [k, v.toArray()])).toEqual(
      [...b.stateDict()].map(([k, v]) => [k, v.toArray()]),
    );
  });

  it("leaves a model that trains, says its sizes and goes on", async () => {
    const model = plain();
    const x = draw.normal([8, 1, 16, 16]);
    const y = draw.normal([8, 4]);
    prune.shrink(model, [x], { amount: 0.25, norm: 2, keep: ["layers.4"] });
    expect(model.training).toBe(true);
    const [conv, norm, kept] = [0, 1, 4].map((i) => (model as nn.Sequential).layers[i]);
    expect([(conv as nn.Conv2d).outputs, (norm as nn.BatchNorm).channels]).toEqual([6, 6]);
    expect([(kept as nn.Conv2d).inputs, (kept as nn.Conv2d).outputs]).toEqual([6, 6]);
    const optimizer = new optim.Adam(model, { lr: 0.01 });
    const options = { loss: nn.mse, optimizer, epochs: 20, progress: false };
    const { loss } = await fit(model, data.batches({ x, y }, { size: 8 }), options);
    expect(loss.at(-1)).toBeLessThan(loss[0]);
  });

  it("says what can't be done, and keeps one channel of each set", () => {
    expect(() => prune.shrink(new nn.Dense(3, 2), [ones([1, 3])], { amount: 0.5 })).toThrow(
      /no channel of the model can go/,
    );
    const model = new nn.Sequential(new nn.Dense(3, 4), new nn.Dense(4, 2));
    expect(() => prune.shrink(model, [ones([1, 3])], { amount: 0.5, keep: ["x"] })).toThrow(
      /has no module x/,
    );
    expect(() => prune.shrink(model, [ones([1, 3])], { amount: 2 })).toThrow(/got 2/);
    for (const scope of ["layer", "global"] as const)
      prune.shrink(model, [ones([1, 3])], { amount: 1, scope });
    expect((model.layers[0] as nn.Dense).outputs).toBe(1);
  });
});
