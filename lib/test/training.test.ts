/** Layers, losses and optimizers against PyTorch's (expected/training.py). */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { grad, nn, optim, type Tensor, tensor, Variable, valueAndGrad } from "../src/index.js";

interface Values {
  readonly shape: number[];
  readonly values: number[];
}

interface Expected {
  readonly layers: {
    name: string;
    input: Values;
    parameters: Values[];
    output: Values;
    inputGradient: Values;
    gradients: Values[];
  }[];
  readonly losses: {
    name: keyof typeof LOSSES;
    prediction: Values;
    target: Values;
    integers: boolean;
    value: number;
    gradient: Values;
  }[];
  readonly problem: { start: Values; matrix: Values; target: Values };
  readonly optimizers: {
    name: string;
    options: Record<string, number | boolean> & { lr: number };
    path: number[][];
  }[];
}

const expected = JSON.parse(
  readFileSync(new URL("expected/training.json", import.meta.url), "utf8"),
) as Expected;
const read = ({ shape, values }: Values): Tensor =>
  tensor(Float64Array.from(values), { shape, dtype: "float64" });

function expectClose(found: Tensor, { shape, values }: Values): void {
  expect(found.shape).toEqual(shape);
  Array.from(found.toTypedArray()).forEach((x, i) => {
    expect(Math.abs(x - values[i])).toBeLessThanOrEqual(1e-10 * Math.max(1, Math.abs(values[i])));
  });
}

const float = { dtype: "float64" } as const;
const LAYERS: Record<string, () => nn.Module & { forward(x: Tensor): Tensor }> = {
  Dense: () => new nn.Dense(5, 3, float),
  "Dense on a sequence": () => new nn.Dense(5, 2, { ...float, bias: false }),
  Conv2d: () => new nn.Conv2d(4, 3, 3, float),
  "Conv2d, padding 1": () => new nn.Conv2d(4, 3, 3, { ...float, padding: 1 }),
  "Conv2d, stride 2, padding (2, 1)": () =>
    new nn.Conv2d(4, 2, [3, 2], { ...float, stride: 2, padding: [2, 1] }),
  "Conv2d, dilation 2": () => new nn.Conv2d(4, 2, 3, { ...float, dilation: 2, padding: 1 }),
  "Conv2d, groups 2": () => new nn.Conv2d(4, 6, 3, { ...float, groups: 2, bias: false }),
  "MaxPool2d 2": () => new nn.MaxPool2d(2),
  "MaxPool2d 3, stride 2, padding 1": () => new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
  "AvgPool2d 2": () => new nn.AvgPool2d(2),
  Tanh: () => new nn.Tanh(),
  Sigmoid: () => new nn.Sigmoid(),
  ReLU: () => new nn.ReLU(),
};

/** PyTorch keeps a Linear's weight as (outputs, inputs), and a bias without the axes that it is added along. */
function asOurs(values: Values, like: Tensor, dense: boolean): Tensor {
  const t = read(values);
  return dense && t.ndim === 2 ? t.transpose() : t.reshape(like.shape);
}

describe("layers, their outputs and gradients", () => {
  it("all have an expected file", () => {
    expect(expected.layers.map(({ name }) => name).sort()).toEqual(Object.keys(LAYERS).sort());
  });

  it.each(expected.layers)("$name", ({ name, input, parameters, output, inputGradient, gradients }) => {
    const layer = LAYERS[name]();
    const dense = layer instanceof nn.Dense;
    const variables = layer.parameters();
    expect(variables).toHaveLength(parameters.length);
    variables.forEach((v, i) => {
      v.assign(asOurs(parameters[i], v, dense));
    });
    const x = new Variable(read(input));
    const y = layer.forward(x);
    expectClose(y, output);
    y.square().mean().backward();
    expectClose(x.grad as Tensor, inputGradient);
    variables.forEach((v, i) => {
      const wanted = asOurs(gradients[i], v, dense);
      expectClose(v.grad as Tensor, { shape: [...wanted.shape], values: Array.from(wanted.toTypedArray()) });
    });
  });
});

const LOSSES = {
  mse: nn.mse,
  mae: nn.mae,
  crossEntropy: nn.crossEntropy,
  binaryCrossEntropy: nn.binaryCrossEntropy,
};

describe("losses", () => {
  it.each(expected.losses)(
    "$name, $prediction.shape",
    ({ name, prediction, target, integers, value, gradient }) => {
      const y = integers ? read(target).cast("int32") : read(target);
      const [got, g] = valueAndGrad((x: Tensor) => LOSSES[name](x, y))(read(prediction));
      expect(got.item()).toBeCloseTo(value, 10);
      expectClose(g, gradient);
    },
  );

  it("name shapes that do not fit", () => {
    const logits = tensor([
      [1, 2],
      [3, 4],
    ]);
    expect(() => nn.mse(logits, [1, 2])).toThrow(/predictions \(2, 2\) and targets \(2,\) differ/);
    expect(() => nn.crossEntropy(logits, tensor([0, 1, 0], { dtype: "int32" }))).toThrow(
      /want labels \(2,\), got \(3,\)/,
    );
  });
});

const OPTIMIZERS = {
  SGD: optim.SGD,
  Adam: optim.Adam,
  AdamW: optim.AdamW,
  RMSProp: optim.RMSProp,
  AdaGrad: optim.AdaGrad,
};
const SCHEDULES: Record<string, (step: number) => number> = {
  stepDecay: optim.stepDecay(0.1, 3, 0.5),
  cosine: optim.cosine(0.1, 8, 0.01),
  warmup: optim.warmup(4, optim.constant(0.1)),
};

describe("optimizers take the same ten steps", () => {
  it.each(expected.optimizers)("$name $options", ({ name, options, path }) => {
    const [kind, schedule] = name.split(", ");
    const { matrix, target } = {
      matrix: read(expected.problem.matrix),
      target: read(expected.problem.target),
    };
    const lossOf = (w: Tensor): Tensor => matrix.matmul(w).sub(target).square().mean();
    const lr = schedule ? SCHEDULES[schedule] : options.lr;
    const make = (w: Variable) => new OPTIMIZERS[kind as keyof typeof OPTIMIZERS]([w], { ...options, lr });
    const [byTree, byTape] = [
      new Variable(read(expected.problem.start)),
      new Variable(read(expected.problem.start)),
    ];
    const [first, second] = [make(byTree), make(byTape)];
    for (const wanted of path.slice(0, schedule === "cosine" ? 8 : 10)) {
      first.step([grad(lossOf)(byTree.value)]);
      expectClose(byTree.value, { shape: [3, 2], values: wanted });
      second.zeroGrad();
      lossOf(byTape).backward();
      second.step();
      expectClose(byTape.value, { shape: [3, 2], values: wanted });
    }
  });

  it("check what they are given", () => {
    const w = new Variable([1, 2]);
    expect(() => new optim.SGD([w], { lr: 0 })).toThrow(/learning rate must be positive, got 0/);
    expect(() => new optim.Adam([tensor([1])], { lr: 1 })).toThrow(/no variable to train/);
    expect(() => new optim.SGD([w], { lr: 1 }).step([tensor([1, 2, 3])])).toThrow(
      /float32\(3,\).*do not match.*float32\(2,\)/,
    );
    const frozen = new Variable([3], { requiresGrad: false });
    const sgd = new optim.SGD([w, frozen], { lr: 1 });
    sgd.step([tensor([1, 1]), tensor([1])]);
    expect([w.toArray(), frozen.toArray()]).toEqual([[0, 1], [3]]);
  });
});
