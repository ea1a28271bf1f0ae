/** The book's network on the genuine digits, to the accuracy that it must have. */
import { describe, expect, it } from "vitest";
import { data, fit, manualSeed, nn, optim, type Tensor, train } from "../index.js";

const ready = async (split: "train" | "test"): Promise<{ x: Tensor; y: Tensor }> => {
  const { images, labels } = await data.mnist(split);
  return { x: images.reshape([-1, 784]).cast("float32").div(255), y: labels.cast("int32") };
};

describe("MNIST", () => {
  it("784–128–64–10, batches of 32: at least 97 % within three epochs", { timeout: 300_000 }, async () => {
    manualSeed(1);
    const [digits, test] = [await ready("train"), await ready("test")];
    const model = new nn.Sequential(
      new nn.Dense(784, 128),
      new nn.ReLU(),
      new nn.Dense(128, 64),
      new nn.ReLU(),
      new nn.Dense(64, 10),
    );
    const history = await fit(model, data.batches(digits, { size: 32, shuffle: true }), {
      loss: nn.crossEntropy,
      optimizer: new optim.Adam(model, { lr: 1e-3 }),
      epochs: 3,
      metrics: { accuracy: train.accuracy },
      validation: data.batches(test, { size: 500 }),
      static: true,
      progress: false,
    });
    expect(Math.max(...history.metrics.accuracy)).toBeGreaterThanOrEqual(0.97);
  });
});
