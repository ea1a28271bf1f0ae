import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MobileNet, shaken } from "../../../test/deploy/models.js";
import { expectClose } from "../../../test/support/close.js";
import { randomProgram } from "../../graph/random-program.js";
import { conv2d, deploy, Generator, nn, ones, type Tensor } from "../../index.js";
import { interpret } from "../../ir/interpret.js";

const draw = new Generator(7);
const x = (...shape: number[]): Tensor => draw.normal(shape);
const quick = { runs: 0 } as const;
const names = (converted: deploy.Converted): string[] => converted.graph.nodes.map(({ op }) => op.name);

describe("convert", () => {
  it("folds batch normalization into the convolution before it, and reports it", () => {
    const model = shaken(
      new nn.Sequential(new nn.Conv2d(3, 8, 3, { padding: 1 }), new nn.BatchNorm(8), new nn.ReLU()),
    );
    const image = x(1, 3, 16, 16);
    const converted = deploy.convert(model, [image], { runs: 3 });
    expect(names(converted)).toEqual(["conv2d", "add", "relu"]);
    expectClose(converted.call(image), [model.forward(image) as Tensor], 1e-5);
    const { before, after, passes, timeSaved } = converted.report;
    expect(before.nodes).toBe(13);
    expect(after).toMatchObject({ nodes: 3, kernels: 1, weightBytes: 4 * (8 * 27 + 8) });
    expect(before.weightBytes).toBeGreaterThan(after.weightBytes);
    expect(before.milliseconds).toBeGreaterThan(0);
    expect(Number.isFinite(timeSaved)).toBe(true);
    expect(passes.map(({ pass }) => pass)).toContain("fold-scale");
    expect(String(converted)).toMatch(/fold-scale .* changed it 1 time.*nodes +13 → 3/s);
  });

  it("folds it into products as well", () => {
    const model = shaken(new nn.Sequential(new nn.Dense(4, 6), new nn.BatchNorm(6), new nn.ReLU()));
    const rows = x(5, 4);
    const converted = deploy.convert(model, [rows], quick);
    expect(names(converted)).toEqual(["matmul", "add", "relu"]);
    expectClose(converted.call(rows), [model.forward(rows) as Tensor], 1e-5);
  });

  it("replaces a normalization that stands alone by a scale and a shift", () => {
    const model = shaken(new nn.Sequential(new nn.ReLU(), new nn.BatchNorm(3)));
    const image = x(2, 3, 4, 4);
    const converted = deploy.convert(model, [image], quick);
    expect(names(converted)).toEqual(["relu", "mul", "add"]);
    expectClose(converted.call(image), [model.forward(image) as Tensor], 1e-5);
  });

  it("leaves no normalization in a network like MobileNetV2", () => {
    const model = shaken(new MobileNet());
    const image = x(1, 3, 16, 16);
    const converted = deploy.convert(model, [image], quick);
    expect(names(converted).filter((name) => ["mul", "sub", "rsqrt", "div"].includes(name))).toEqual(["mul"]); // of the mean
    expect(names(converted).filter((name) => name === "conv2d")).toHaveLength(10);
    expectClose(converted.call(image), [model.forward(image)], 1e-4);
  });

  it("moves slices ahead of what they cut", () => {
    const w = x(6, 5);
    const f = (a: Tensor, b: Tensor) =>
      a.matmul(w).add(b).tanh().mul(2).transpose([1, 0]).slice([1, 3], [0, 2]);
    const args = [x(4, 6), x(5)];
    const converted = deploy.convert(f, args, quick);
    const product = converted.graph.nodes.find(({ op }) => op.name === "matmul");
    expect(product?.outputs[0].shape).toEqual([2, 2]);
    expectClose(converted.call(...args), [f(args[0], args[1])]);
    const filters = x(4, 3, 3, 3);
    const g = (image: Tensor) => conv2d(image, filters).relu().slice([1, 2], [0, 2], [null, null, 2]);
    const image = x(3, 3, 7, 7);
    const cropped = deploy.convert(g, [image], quick);
    expect(cropped.graph.nodes.find(({ op }) => op.name === "conv2d")?.outputs[0].shape).toEqual([
      1, 2, 5, 5,
    ]);
    expectClose(cropped.call(image), [g(image)]);
  });

  it("leaves a slice where the whole is read as well", () => {
    const f = (a: Tensor) => {
      const y = a.tanh();
      return [y.slice([0, 2]), y.sum()];
    };
    const converted = deploy.convert(f, [x(4)], quick);
    expect(names(converted)).toEqual(["tanh", "slice", "sum"]);
  });

  it("drops outputs that nobody wants, with all that only they need", () => {
    const f = (a: Tensor) => [a.exp(), a.matmul(a).tanh(), a.neg()];
    const args = [x(3, 3)];
    const converted = deploy.convert(f, args, { ...quick, outputs: [2, 0] });
    expect(names(converted).sort()).toEqual(["exp", "neg"]);
    expectClose(converted.call(...args), [args[0].neg(), args[0].exp()]);
    expect(() => deploy.convert(f, args, { ...quick, outputs: [3] })).toThrow(/there is no result 3, of 3/);
  });

  it("keeps sums and products as they are without the licence", () => {
    const model = shaken(new nn.Sequential(new nn.Conv2d(3, 4, 3), new nn.BatchNorm(4)));
    const converted = deploy.convert(model, [x(1, 3, 5, 5)], { ...quick, fastMath: false });
    expect(names(converted)).toContain("sub");
  });

  it("takes transposes that meet away", () => {
    const f = (a: Tensor) => a.transpose([0, 2, 3, 1]).relu().transpose([0, 3, 1, 2]);
    const converted = deploy.convert(f, [x(1, 2, 3, 4)], quick);
    expect(names(converted)).toEqual(["relu"]);
  });

  it("places kernels by device, dtype and layout where it is asked to", () => {
    const f = (a: Tensor) => a.matmul(a).relu();
    const args = [x(8, 8)];
    expectClose(deploy.convert(f, args, { ...quick, placement: "cost" }).call(...args), [f(args[0])], 1e-4);
  });

  it("says what it can't take", () => {
    expect(() => deploy.convert((a: Tensor) => a.neg(), ["float32(n)"])).toThrow(/graph of open sizes/);
    expect(() => deploy.convert((a: Tensor) => a.neg(), [ones([2])], { runs: -1 })).toThrow(
      /-1 is no number of runs/,
    );
    expect(() => deploy.convert((a: Tensor) => a.neg(), [ones([2])], { stages: ["nonsense"] })).toThrow(
      /unknown pass "nonsense"/,
    );
  });

  it("computes what the model computes: random programs", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const { graph: program, args } = randomProgram(seed);
        const converted = deploy.convert(program, [], quick);
        expectClose(converted.call(...args), interpret(program, args), 1e-6);
      }),
      { numRuns: 8 },
    );
  });

  it("computes what the model computes: random layers with scales, shifts, slices and layouts", () => {
    const step = fc.constantFrom(
      "conv",
      "scale",
      "shift",
      "minus",
      "over",
      "relu",
      "slice",
      "turn",
      "norm",
      "branch",
    );
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 2, maxLength: 9 }),
        fc.integer({ min: 0, max: 1000 }),
        (steps, seed) => {
          const random = new Generator(seed);
          const weights = steps.map(() => random.normal([4, 4, 3, 3]).mul(0.2));
          const channels = steps.map(() => random.uniform([4, 1, 1]).add(0.5));
          const f = (image: Tensor): Tensor[] => {
            let y = image;
            const taps: Tensor[] = [];
            steps.forEach((kind, i) => {
              if (kind === "conv") y = conv2d(y, weights[i], { padding: 1 });
              else if (kind === "scale") y = y.mul(channels[i]);
              else if (kind === "shift") y = y.add(channels[i]);
              else if (kind === "minus") y = channels[i].sub(y);
              else if (kind === "over") y = y.div(channels[i]);
              else if (kind === "relu") y = y.relu();
              else if (kind === "norm") y = y.sub(channels[i]).mul(2).div(channels[i]).add(0.5);
              else if (kind === "slice" && y.shape[3] > 2) y = y.slice([0, 1], "...", [1, null]);
              else if (kind === "turn") y = y.transpose([0, 1, 3, 2]);
              else if (kind === "branch") taps.push(y.mean([2, 3]));
            });
            return [y, ...taps];
          };
          const image = random.normal([2, 4, 6, 6]);
          const converted = deploy.convert(f, [image], quick);
          expectClose(converted.call(image), f(image), 1e-3);
        },
      ),
      { numRuns: 40 },
    );
  });

  it("what is converted can be written, and read again", () => {
    const model = shaken(new MobileNet());
    const image = x(1, 3, 16, 16);
    const { graph: converted } = deploy.convert(model, [image], quick);
    expectClose(deploy.readOnnx(deploy.writeOnnx(converted)).call(image), [model.forward(image)], 1e-4);
  });
});
