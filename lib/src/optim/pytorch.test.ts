/** Optimizers and schedules against PyTorch's (test/expected/make.py): ten steps of each, in both precisions, eager and captured. */
import { describe, expect, it } from "vitest";
import { expectClose, expectedFile, read, type Values } from "../../test/support/expected.js";
import { type DType, grad, optim, type Tensor, tensor, toStatic, Variable } from "../index.js";

type Point = Record<"w" | "b", Values>;

const expected = expectedFile<{
  trajectories: {
    name: "SGD" | "Adam" | "AdamW" | "RMSProp" | "AdaGrad" | "Adadelta" | "Adamax" | "LAMB" | "Lion";
    options: { lr: number };
    start: Point;
    path: Point[];
  }[];
  schedules: { name: string; args: number[]; rates: number[] }[];
  clips: { limit: number; gradients: Values[]; norm: number; clipped: Values[] }[];
}>("optim.json");

/** A badly scaled quadratic with a term that couples both parameters. */
function loss({ w, b }: { w: Tensor; b: Tensor }): Tensor {
  const scale = tensor(
    [
      [1, 10, 0.1],
      [0.5, 3, 2],
    ],
    { dtype: w.dtype },
  );
  return w
    .sub(0.3)
    .square()
    .mul(scale)
    .sum()
    .add(b.square().sum().mul(0.5))
    .add(w.sum(0).mul(b).sum().mul(0.2));
}

describe("optimizers", () => {
  const start = ({ w, b }: Point, dtype: DType) => ({
    w: new Variable(read(w, dtype)),
    b: new Variable(read(b, dtype)),
  });

  it.each(expected.trajectories)("$name $options", ({ name, options, start: from, path }) => {
    const [double, single, taped, captured] = (["float64", "float32", "float64", "float64"] as const).map(
      (dtype) => start(from, dtype),
    );
    const steps = [double, single, taped, captured].map((p) => new optim[name](p, options));
    const whole = toStatic(() => {
      const gradients = grad(loss)(captured);
      steps[3].step(gradients);
      return gradients.w.sum();
    });
    for (const [i, { w, b }] of path.entries()) {
      steps[0].step(grad(loss)(double));
      steps[1].step(grad(loss)(single));
      steps[2].zeroGrad();
      loss(taped).backward();
      steps[2].step();
      whole();
      for (const p of [double, taped, captured]) {
        expectClose(p.w, w, 1e-11, `w at step ${i + 1}`);
        expectClose(p.b, b, 1e-11, `b at step ${i + 1}`);
      }
      expectClose(single.w, w, 5e-6, `float32 w at step ${i + 1}`);
    }
  });
});

describe("schedules", () => {
  const { constant, cosine, exponentialDecay, linear, stepDecay, warmup } = optim;
  const { cosineRestarts, oneCycle, piecewise, polynomial } = optim;
  const make: Record<string, (...args: number[]) => (step: number) => number> = {
    constant,
    stepDecay: (rate, every, factor) => stepDecay(rate, every, factor),
    exponentialDecay: (rate, factor) => exponentialDecay(rate, factor),
    linear: (from, to, steps) => linear(from, to, steps),
    cosine: (rate, steps, least) => cosine(rate, steps, least),
    warmup: (steps) => warmup(steps, cosine(0.4, 25)),
    piecewise: (rate) => piecewise([6, 15], [rate, rate / 10, rate / 100]),
    polynomial: (rate, steps, power) => polynomial(rate, steps, { power }),
    cosineRestarts: (rate, steps, factor, least) => cosineRestarts(rate, steps, { factor, least }),
    oneCycle: (rate, steps, rising, divide, divideLast) =>
      oneCycle(rate, steps, { rising, divide, divideLast }),
  };

  it.each(expected.schedules)("$name", ({ name, args, rates }) => {
    const schedule = make[name](...args);
    for (const [step, rate] of rates.entries()) expect(schedule(step), `step ${step}`).toBeCloseTo(rate, 12);
  });

  it("drive an optimizer, one rate per step", () => {
    const w = new Variable([0]);
    const sgd = new optim.SGD([w], { lr: stepDecay(1, 2, 0.5) });
    const seen = [0, 1, 2, 3, 4].map(() => {
      sgd.step([tensor([-1])]);
      return w.value.item();
    });
    expect(seen).toEqual([1, 2, 2.5, 3, 3.25]);
  });
});

describe("clipping", () => {
  it.each(expected.clips)("to the length $limit", ({ limit, gradients, norm, clipped }) => {
    const found = optim.clipByGlobalNorm(
      gradients.map((g) => read(g)),
      limit,
    );
    expect(found.norm.item()).toBeCloseTo(norm, 12);
    found.gradients.forEach((g, i) => {
      expectClose(g, clipped[i]);
    });
    const captured = toStatic((g: Tensor[]) => optim.clipByGlobalNorm(g, limit).gradients);
    captured(gradients.map((g) => read(g))).forEach((g, i) => {
      expectClose(g, clipped[i]);
    });
    const variables = gradients.map((g) => new Variable(read(g).mul(0)));
    variables
      .map((v, i) => v.mul(read(gradients[i])).sum())
      .reduce((a, b) => a.add(b))
      .backward();
    expect(optim.clipGradNorm({ variables }, limit)).toBeCloseTo(norm, 12);
    variables.forEach((v, i) => {
      expectClose(v.grad, clipped[i]);
    });
  });

  it("checks its limits, and takes variables without a gradient for what they are", () => {
    expect(() => optim.clipByGlobalNorm([tensor([1])], 0)).toThrow(
      /clipByGlobalNorm: the limit is above 0, got 0/,
    );
    expect(() => optim.clipByValue([tensor([1])], Number.NaN)).toThrow(/clipByValue/);
    expect(() => optim.clipGradNorm([], -1)).toThrow(/clipGradNorm/);
    expect(optim.clipGradNorm([new Variable([1])], 1)).toBe(0);
  });
});
