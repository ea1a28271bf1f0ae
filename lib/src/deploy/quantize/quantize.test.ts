import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MobileNet, shaken } from "../../../test/deploy/models.js";
import { regression } from "../../../test/deploy/training.js";
import { expectClose } from "../../../test/support/close.js";
import { deploy, Generator, grad, nn, optim, type Tensor, tensor, tidy } from "../../index.js";

const { quantParams, quantizeTensor, dequantizeTensor, fakeQuantize, quantize, Observer } = deploy;
const draw = new Generator(13);
const noise = (a: Tensor, b: Tensor): number =>
  10 * Math.log10(b.square().sum().item() / a.sub(b).square().sum().item());

describe("linear quantization", () => {
  it("comes back within half a step inside the range, 0 exactly", () => {
    const range = fc.tuple(
      fc.double({ min: -50, max: 50, noNaN: true }),
      fc.double({ min: 0.01, max: 50, noNaN: true }),
    );
    fc.assert(
      fc.property(range, fc.integer({ min: 2, max: 8 }), fc.boolean(), ([least, width], bits, symmetric) => {
        const params = quantParams([[least, least + width]], [], { bits, symmetric });
        const values = Array.from({ length: 21 }, (_, i) => least + (width * i) / 20);
        const back = dequantizeTensor(quantizeTensor(tensor(values), params), params).toTypedArray();
        const step = params.scale.item();
        values.forEach((v, i) => {
          expect(Math.abs(back[i] - v)).toBeLessThanOrEqual(step * 1.001 + 1e-5); // zero points are rounded as well
        });
        expect(dequantizeTensor(quantizeTensor(tensor([0]), params), params).item()).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it("cuts off what is outside", () => {
    const symmetric = quantParams([[-1, 0.5]], [], { symmetric: true });
    expect(quantizeTensor(tensor([-9, -1, 0, 1, 9]), symmetric).toArray()).toEqual([-127, -127, 0, 127, 127]);
    const plain = quantParams([[-1, 3]], [], { bits: 4 });
    expect(quantizeTensor(tensor([-9, -1, 0, 3, 9]), plain).toArray()).toEqual([0, 0, 4, 15, 15]);
    expect(() => quantParams([[0, 1]], [], { bits: 9 })).toThrow(/9 bits; 2 to 8/);
    expect(() => quantParams([[1, 0]])).toThrow(/\[1,0\] is no range/);
    expect(() => quantParams([[Number.NaN, 0]])).toThrow(/is no range/);
  });

  it("lets gradients through inside the range only", () => {
    const params = quantParams([[-1, 1]], [], { symmetric: true });
    const x = tensor([-2, -0.501, 0.3, 4]);
    expectClose([fakeQuantize(x, params)], [dequantizeTensor(quantizeTensor(x, params), params)], 1e-6);
    expect(grad((v: Tensor) => fakeQuantize(v, params).sum())(x).toArray()).toEqual([0, 1, 1, 0]);
  });
});

describe("calibration", () => {
  const outliers = (): deploy.Observer => {
    const observer = new Observer();
    for (let i = 0; i < 20; i++) observer.add(draw.normal([1000]).toTypedArray());
    observer.add([40, -0.5]);
    return observer;
  };

  it("by extremes sees the outlier; the others leave it out", () => {
    const observer = outliers();
    expect(observer.range()[1]).toBe(40);
    for (const method of ["percentile", "mse", "kl", "symmetricKl", "js"] as const) {
      const [, most] = observer.range({ method, bits: 4 });
      expect(most, method).toBeLessThan(20);
      expect(most, method).toBeGreaterThan(1.5);
    }
  });

  it("by mean square is the best of all ranges tried, for what it measures", () => {
    const x = draw.normal([4000]);
    const observer = new Observer();
    observer.add(x.toTypedArray());
    const error = (range: readonly [number, number]): number => {
      const params = quantParams([range], [], { bits: 3, symmetric: true });
      return dequantizeTensor(quantizeTensor(x, params), params).sub(x).square().mean().item();
    };
    const chosen = error(observer.range({ method: "mse", bits: 3, symmetric: true }));
    for (const part of [1, 0.9, 0.5, 0.3, 0.2]) {
      const most = observer.range()[1] * part;
      expect(chosen).toBeLessThanOrEqual(error([-most, most]) * 1.1);
    }
  });

  it("follows values that grow, and refuses what is no number", () => {
    const observer = new Observer();
    for (const scale of [0.001, 1, 1000]) observer.add(draw.uniform([500]).mul(scale).toTypedArray());
    const [, most] = observer.range({ method: "percentile", percentile: 100 });
    expect(most).toBeGreaterThan(900);
    expect(() => observer.add([Number.NaN])).toThrow(/a sample makes NaN/);
    expect(() => new Observer().range()).toThrow(/no value was seen/);
    expect(() => observer.range({ method: "magic" as never })).toThrow(/unknown method "magic"/);
    expect(() => observer.range({ method: "percentile", percentile: 0 })).toThrow(/0 is no percentage/);
    const zeros = new Observer();
    zeros.add([0, 0]);
    expect(zeros.range({ method: "kl" })).toEqual([0, 0]);
  });
});

describe("quantize", () => {
  const model = shaken(new MobileNet(8, 3, 5));
  const images = Array.from({ length: 4 }, () => draw.normal([2, 3, 16, 16]));
  const samples = images.map((x) => [x]);
  const x = images[0];
  const wanted = model.forward(x);

  it("weights and inputs of layers to 8 bits: a quarter of the size, about the same result", () => {
    const found = quantize(model, [x], { samples });
    expect(found.report.layers).toHaveLength(11);
    expect(found.report.bytesAfter).toBeLessThan(0.45 * found.report.bytesBefore);
    expect(noise(found.call(x)[0], wanted)).toBeGreaterThan(20);
    for (const layer of found.report.layers) {
      expect(layer.signalToNoise).toBeGreaterThan(30);
      expect(layer.range?.[0]).toBeLessThanOrEqual(layer.range?.[1] as number);
    }
    const perTensor = quantize(model, [x], { samples, weights: { perChannel: false } });
    const sum = (q: deploy.Quantized): number =>
      q.report.layers.reduce((s, { signalToNoise }) => s + signalToNoise, 0);
    expect(sum(perTensor)).toBeLessThan(sum(found));
  });

  it("fewer bits lose more", () => {
    const found = [8, 5, 3].map((bits) =>
      noise(quantize(model, [x], { samples, weights: { bits }, activations: { bits } }).call(x)[0], wanted),
    );
    for (let i = 1; i < found.length; i++) expect(found[i]).toBeLessThan(found[i - 1]);
  });

  it("corrections bring means back", () => {
    const mean = (q: deploy.Quantized): number =>
      images.reduce(
        (s, image) => s + q.call(image)[0].sub(model.forward(image)).mean(0).square().sum().item(),
        0,
      );
    const options = { samples, weights: { bits: 4 }, activations: { bits: 8 } } as const;
    expect(mean(quantize(model, [x], { ...options, biasCorrection: true }))).toBeLessThan(
      mean(quantize(model, [x], options)),
    );
    const dense = new nn.Dense(32, 4);
    const rows = draw.normal([5, 32]);
    const corrected = quantize(dense, [rows], { samples: [[rows]], weights: { bits: 3, correction: true } });
    const plain = quantize(dense, [rows], { samples: [[rows]], weights: { bits: 3 } });
    expect(Number.isFinite(corrected.report.layers[0].signalToNoise)).toBe(true);
    // what is corrected: mean and deviation of each column
    const weightOf = (q: deploy.Quantized): Tensor =>
      deploy.convert(q.graph, [], { runs: 0 }).call(
        tensor(
          Float32Array.from({ length: 32 * 5 }, (_, i) => (i % 33 === 0 ? 1 : 0)),
          { shape: [5, 32] },
        ),
      )[0];
    expect(weightOf(corrected).shape).toEqual(weightOf(plain).shape);
  });

  it("weights alone, in groups: 4 bits take an eighth, and come out as they went in", () => {
    const wide = new nn.Sequential(new nn.Dense(64, 64), new nn.ReLU(), new nn.Dense(64, 8));
    const rows = draw.normal([3, 64]);
    const exact = wide.forward(rows) as Tensor;
    const eight = quantize(wide, [rows], { activations: null });
    const four = quantize(wide, [rows], { activations: null, weights: { bits: 4, group: 16 } });
    const coarse = quantize(wide, [rows], { activations: null, weights: { bits: 4 } });
    const weights = 64 * 64 + 64 * 8;
    const rest = 4 * (64 + 8) + 64; // biases; zeros, masks
    expect(eight.report.bytesAfter).toBeLessThan(weights + 4 * 72 + rest + 4 * 72 + 64);
    expect(four.report.bytesAfter).toBeLessThan(weights / 2 + 8 * (weights / 16) + rest + 64);
    expect(noise(eight.call(rows)[0], exact)).toBeGreaterThan(35);
    expect(noise(four.call(rows)[0], exact)).toBeGreaterThan(noise(coarse.call(rows)[0], exact));
    const asymmetric = quantize(wide, [rows], {
      activations: null,
      weights: { bits: 4, group: 16, symmetric: false },
    });
    expect(noise(asymmetric.call(rows)[0], exact)).toBeGreaterThan(15);
  });

  it("what is quantized is written with QuantizeLinear and DequantizeLinear, and as a model file", () => {
    const found = quantize(model, [x], { samples });
    const bytes = deploy.writeOnnx(found.graph);
    const again = deploy.readOnnx(bytes);
    expectClose(again.call(x), found.call(x), 0.02);
    expectClose(deploy.decodeModelFile(deploy.encodeModelFile(found.graph)).call(x), found.call(x), 0.02);
    expect(bytes.length).toBeLessThan(0.9 * deploy.writeOnnx(model, [x]).length);
  });

  it("leaves layers that it is told to leave", () => {
    const found = quantize(model, [x], { samples, skip: (node) => node.op.name === "matmul" });
    expect(found.report.layers.map(({ op }) => op)).not.toContain("matmul");
  });

  it("keeps its tensors, whatever scope it runs in", () => {
    let found: deploy.Quantized | null = null;
    tidy(() => {
      found = quantize(model, [x], { samples });
    });
    expect((found as unknown as deploy.Quantized).call(x)[0].shape).toEqual([2, 5]);
  });

  it("says what it needs", () => {
    expect(() => quantize(model, [x])).toThrow(/samples show the ranges/);
    expect(() => quantize(model, [x], { samples, weights: { group: 8 } })).toThrow(
      /groups are for weights alone/,
    );
    expect(() => quantize(model, [x], { activations: null, weights: { group: 0 } })).toThrow(
      /0 is no size of a group/,
    );
    expect(() => quantize(model, [x], { activations: null, weights: { correction: true } })).toThrow(
      /weights alone are not corrected/,
    );
    expect(() => quantize(model, [x], { samples, weights: { bits: 1 } })).toThrow(/1 bits/);
  });
});

describe("qat", () => {
  it("trains through rounding to 3 bits, better than rounding afterwards", () => {
    const { make, x, y } = regression();
    const train = (model: nn.Sequential, steps: number): void => {
      const optimizer = new optim.Adam(model, { lr: 0.02 });
      for (let i = 0; i < steps; i++)
        tidy(() => {
          optimizer.zeroGrad();
          const loss = nn.mse(model.forward(x) as Tensor, y);
          (loss as unknown as { backward(): void }).backward();
          optimizer.step();
        });
    };
    const bits = 3;
    const error = (model: nn.Sequential): number => {
      const q = quantize(model, [x], { samples: [[x]], weights: { bits }, activations: { bits } });
      return nn.mse(q.call(x)[0], y).item();
    };
    const model = make();
    train(model, 60);
    const after = error(model);
    const remove = deploy.qat(model, { bits });
    train(model, 60);
    remove();
    expect(error(model)).toBeLessThan(after);
    expect(Object.hasOwn(model.layers[0], "forward")).toBe(false);
    expect(() => deploy.qat(new nn.ReLU())).toThrow(/no Dense and no Conv2d/);
    expect(() => deploy.qat(model, { momentum: 2 })).toThrow(/momentum is between 0 and 1/);
  });
});
