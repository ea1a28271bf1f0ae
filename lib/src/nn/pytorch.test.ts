/** Layers and losses against PyTorch's (test/expected/make.py): outputs, and gradients both by transformation and by tape. */
import { describe, expect, it } from "vitest";
import { expectClose, expectedFile, read, type Values } from "../../test/support/expected.js";
import { grad, nn, type Tensor, toStatic, Variable, valueAndGrad } from "../index.js";

type Named = Record<string, Values>;

interface LayerCase {
  readonly name: string;
  readonly x: Values;
  readonly parameters: Named;
  readonly y: Values;
  readonly c: Values;
  readonly dx: Values;
  readonly gradients: Named;
}

interface BatchNormStep extends Omit<LayerCase, "name" | "parameters"> {
  readonly training: boolean;
  readonly runningMean: Values;
  readonly runningVariance: Values;
}

interface LossCase {
  readonly name: "mse" | "mae" | "crossEntropy" | "binaryCrossEntropy";
  readonly prediction: Values;
  readonly target: Values & { readonly integer: boolean };
  readonly value: number;
  readonly gradient: Values;
}

type Layer = nn.Module & { forward(x: Tensor): Tensor };

const expected = expectedFile<{
  layers: LayerCase[];
  batchNorm: { weight: Values; bias: Values; steps: BatchNormStep[] };
  losses: LossCase[];
}>("nn.json");

const double = { dtype: "float64" } as const;
const LAYERS: Record<string, () => Layer> = {
  Dense: () => new nn.Dense(3, 5, double),
  "Dense over more axes": () => new nn.Dense(4, 2, double),
  "Dense without bias": () => new nn.Dense(3, 2, { ...double, bias: false }),
  Conv2d: () => new nn.Conv2d(2, 3, [3, 2], double),
  "Conv2d stride and padding": () => new nn.Conv2d(2, 3, 3, { ...double, stride: [2, 1], padding: [1, 2] }),
  "Conv2d dilation": () => new nn.Conv2d(2, 2, [2, 3], { ...double, dilation: [3, 2] }),
  "Conv2d groups": () => new nn.Conv2d(4, 6, 3, { ...double, groups: 2, padding: 1 }),
  "Conv2d depthwise same": () =>
    new nn.Conv2d(3, 3, 3, { ...double, groups: 3, padding: "same", dilation: 2 }),
  MaxPool2d: () => new nn.MaxPool2d(2),
  "MaxPool2d overlapping": () => new nn.MaxPool2d(3, { stride: 2, padding: 1 }),
  AvgPool2d: () => new nn.AvgPool2d([2, 3]),
  "AvgPool2d overlapping": () => new nn.AvgPool2d(3, { stride: 2, padding: 1 }),
  LayerNorm: () => new nn.LayerNorm(4, double),
  "LayerNorm over two axes": () => new nn.LayerNorm([3, 2], { ...double, epsilon: 1e-3 }),
  "Dropout in evaluation": () => new nn.Dropout(0.7).eval(),
  ReLU: () => new nn.ReLU(),
  Tanh: () => new nn.Tanh(),
  Sigmoid: () => new nn.Sigmoid(),
  Flatten: () => new nn.Flatten(),
};

describe("layers", () => {
  it("are all in the file", () => {
    expect(expected.layers.map(({ name }) => name)).toEqual(Object.keys(LAYERS));
  });

  it.each(expected.layers)("$name", ({ name, x, parameters, y, c, dx, gradients }) => {
    const layer = LAYERS[name]();
    layer.loadStateDict(new Map(Object.entries(parameters).map(([key, value]) => [key, read(value)])));
    const loss = (m: Layer, input: Tensor): Tensor => m.forward(input).mul(read(c)).sum();
    expectClose(layer.forward(read(x)), y);

    if (layer.parameters().length > 0) {
      const byTransformation = grad(loss)(layer, read(x));
      for (const [key, value] of Object.entries(gradients))
        expectClose(byTransformation[key as keyof Layer] as unknown as Tensor, value, 1e-12, key);
    }
    const input = new Variable(read(x));
    loss(layer, input).backward();
    expectClose(input.grad, dx, 1e-12, "dx");
    for (const [key, variable] of layer.namedParameters())
      expectClose(variable.grad, gradients[key], 1e-12, key);
  });

  it("differ where a value differs: the comparison can fail", () => {
    const { x, y } = expected.layers[0];
    expect(() => expectClose(read(x), { ...x, values: x.values.map((v) => v + 1e-9) })).toThrow();
    expect(() => expectClose(read(x), y)).toThrow();
  });
});

describe("BatchNorm", () => {
  const { weight, bias, steps } = expected.batchNorm;
  const make = (): nn.BatchNorm => {
    const layer = new nn.BatchNorm(3, double);
    layer.weight.assign(read(weight));
    layer.bias.assign(read(bias));
    return layer;
  };
  const check = (layer: nn.BatchNorm, step: BatchNormStep): void => {
    expectClose(layer.runningMean, step.runningMean);
    expectClose(layer.runningVariance, step.runningVariance);
  };

  it("trains, moves its statistics, and evaluates with them, on the tape", () => {
    const layer = make();
    for (const step of steps) {
      layer.train(step.training).zeroGrad();
      const x = new Variable(read(step.x));
      const y = layer.forward(x);
      expectClose(y, step.y);
      y.mul(read(step.c)).sum().backward();
      expectClose(x.grad, step.dx);
      expectClose(layer.weight.grad, step.gradients.weight);
      expectClose(layer.bias.grad, step.gradients.bias);
      check(layer, step);
    }
  });

  it("does the same inside grad and inside a captured step", () => {
    const gradient = valueAndGrad((m: nn.BatchNorm, x: Tensor, c: Tensor) => m.forward(x).mul(c).sum());
    const [eager, captured] = [make(), make()];
    const graphs = [true, false].map((training) => ({
      training,
      run: toStatic((x: Tensor, c: Tensor) => gradient(captured.train(training), x, c)[1].weight.mul(1)),
    }));
    for (const step of steps) {
      const [, g] = gradient(eager.train(step.training), read(step.x), read(step.c));
      expectClose(g.weight, step.gradients.weight);
      check(eager, step);
      const graph = graphs.find(({ training }) => training === step.training);
      expectClose(graph?.run(read(step.x), read(step.c)) ?? null, step.gradients.weight);
      check(captured, step);
    }
  });
});

describe("losses", () => {
  it.each(expected.losses)("$name of $prediction.shape", ({ name, prediction, target, value, gradient }) => {
    const y = read(target, target.integer ? "int32" : "float64");
    const [got, g] = valueAndGrad((p: Tensor) => nn[name](p, y))(read(prediction));
    expectClose(got, { shape: [], values: [value] });
    expectClose(g, gradient);
  });
});
