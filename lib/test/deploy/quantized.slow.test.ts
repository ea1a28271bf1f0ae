/** Quantized models in ONNX Runtime; accuracy and size on the genuine digits. */
import { beforeAll, describe, expect, it } from "vitest";
import { decodeModel } from "../../src/deploy/onnx/schema.js";
import { data, deploy, fit, Generator, manualSeed, nn, optim, type Tensor, train } from "../../src/index.js";
import { expectClose } from "../support/close.js";
import { INSTALLING_MS, prepareOnnxRuntime, runOnnxRuntime } from "../support/onnxruntime.js";
import { MobileNet, shaken } from "./models.js";

const draw = new Generator(31);

beforeAll(prepareOnnxRuntime, INSTALLING_MS);

describe("in ONNX Runtime", () => {
  const model = shaken(new MobileNet(8, 3, 5));
  const samples = Array.from({ length: 4 }, () => [draw.normal([2, 3, 16, 16])]);
  const [x] = samples[0];

  it.each([
    ["8 bits", {}],
    ["symmetric", { activations: { symmetric: true } }],
    ["6 bits", { weights: { bits: 6 }, activations: { bits: 6 } }],
    ["per tensor, by divergence", { weights: { perChannel: false }, activations: { method: "kl" } }],
    ["corrected", { weights: { correction: true }, biasCorrection: true }],
    ["weights of 4 bits, in groups", { activations: null, weights: { bits: 4, group: 8 } }],
  ] as const)("%s: about the same result", async (_name, options) => {
    const quantized = deploy.quantize(model, [x], { samples, ...options });
    const bytes = deploy.writeOnnx(quantized.graph);
    const ops = (decodeModel(bytes, "test").graph?.node ?? []).map(({ op_type }) => op_type);
    if (!("activations" in options && options.activations === null))
      expect(ops).toEqual(expect.arrayContaining(["QuantizeLinear", "DequantizeLinear"]));
    expect(ops).not.toContain("Round");
    // values beside a boundary may fall to its other side: a step of the last layers, not more
    expectClose(await runOnnxRuntime(bytes, [x]), quantized.call(x), 0.05);
  });
});

describe("on MNIST", () => {
  it("8 bits cost less than half a percent, and take a quarter", { timeout: 300_000 }, async () => {
    manualSeed(2);
    const ready = async (split: "train" | "test", count: number) => {
      const { images, labels } = await data.mnist(split);
      return {
        x: images.slice([0, count]).reshape([count, 1, 28, 28]).cast("float32").div(255),
        y: labels.slice([0, count]).cast("int32"),
      };
    };
    const [digits, test] = [await ready("train", 12000), await ready("test", 4000)];
    const model = new nn.Sequential(
      new nn.Conv2d(1, 8, 3, { padding: 1 }),
      new nn.BatchNorm(8),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Conv2d(8, 16, 3, { padding: 1 }),
      new nn.BatchNorm(16),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.Dense(784, 10),
    );
    await fit(model, data.batches(digits, { size: 64, shuffle: true }), {
      loss: nn.crossEntropy,
      optimizer: new optim.Adam(model, { lr: 2e-3 }),
      epochs: 2,
      static: true,
      progress: false,
    });
    model.eval();
    const batch = test.x.slice([0, 500]);
    const samples = [0, 1, 2, 3].map((i) => [digits.x.slice([500 * i, 500 * (i + 1)])]);
    const accuracy = (f: (x: Tensor) => Tensor): number => {
      let sum = 0;
      for (let i = 0; i < 8; i++) {
        const [x, y] = [test.x, test.y].map((t) => t.slice([500 * i, 500 * (i + 1)]));
        sum += train.accuracy(f(x), y).item() / 8;
      }
      return sum;
    };
    const float = accuracy((x) => model.forward(x) as Tensor);
    const table: { what: string; accuracy: number; bytes: number }[] = [];
    const row = (what: string, options: deploy.QuantizeOptions): number => {
      const quantized = deploy.quantize(model, [batch], { samples, ...options });
      const found = accuracy((x) => quantized.call(x)[0]);
      table.push({ what, accuracy: found, bytes: quantized.report.bytesAfter });
      if (table.length === 1)
        table.unshift({ what: "float32", accuracy: float, bytes: quantized.report.bytesBefore });
      return found;
    };
    expect(float).toBeGreaterThan(0.93);
    expect(row("8 bits, extremes", {})).toBeGreaterThan(float - 0.005);
    for (const method of ["percentile", "mse", "kl"] as const)
      expect(row(`8 bits, ${method}`, { activations: { method } }), method).toBeGreaterThan(float - 0.01);
    // the background's values come again and again: these two keep such peaks apart, and cut off more for it
    for (const method of ["symmetricKl", "js"] as const)
      expect(row(`8 bits, ${method}`, { activations: { method } }), method).toBeGreaterThan(float - 0.08);
    row("4 bits, per tensor", { weights: { bits: 4, perChannel: false }, activations: { bits: 4 } });
    row("4 bits, per channel", { weights: { bits: 4 }, activations: { bits: 4 } });
    row("4 bits, corrected", {
      weights: { bits: 4, correction: true },
      activations: { bits: 4, method: "mse" },
      biasCorrection: true,
    });
    expect(row("weights of 8 bits", { activations: null })).toBeGreaterThan(float - 0.003);
    expect(
      row("weights of 4 bits, groups of 16", { activations: null, weights: { bits: 4, group: 16 } }),
    ).toBeGreaterThan(float - 0.02);
    const bytesOf = (what: string): number => table.find((one) => one.what === what)?.bytes ?? Number.NaN;
    expect(bytesOf("8 bits, extremes")).toBeLessThan(0.3 * bytesOf("float32"));
    expect(bytesOf("weights of 4 bits, groups of 16")).toBeLessThan(0.25 * bytesOf("float32"));
    if (process.env.MLSYS_SHOW) console.table(table);
  });
});
