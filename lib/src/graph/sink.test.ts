import { describe, expect, it } from "vitest";
import {
  compiler,
  grad,
  graph,
  heapStats,
  nn,
  ones,
  optim,
  random,
  stack,
  type Tensor,
  tensor,
  tidy,
  Variable,
  valueAndGrad,
} from "../index.js";

const { sink } = graph;
const draw = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);

function training(lr: number | ((step: number) => number)) {
  const model = new nn.Sequential(new nn.Dense(6, 5), new nn.Tanh(), new nn.Dense(5, 3));
  let seed = 10;
  for (const p of model.parameters()) p.assign(draw(seed++, ...p.shape).mul(0.3));
  const optimizer = new optim.Adam(model, { lr });
  const step = (x: Tensor, y: Tensor): Tensor => {
    const lossOf = (m: typeof model) => nn.crossEntropy(m.forward(x), y);
    const [loss, grads] = valueAndGrad(lossOf)(model);
    optimizer.step(grads);
    return loss;
  };
  return { model, step };
}

const batches = (n: number): [Tensor, Tensor] => [
  draw(1, n, 4, 6),
  tensor(
    Array.from({ length: n * 4 }, (_, i) => i % 3),
    { dtype: "int32" },
  ).reshape([n, 4]),
];

describe("sunk execution", () => {
  it.each([
    ["a constant rate", 0.01],
    ["a schedule, which the host decides before each step", (step: number) => 0.05 / (1 + step)],
  ] as const)("many steps in one dispatch go the way of single ones: %s", (_, lr) => {
    const [xs, ys] = batches(6);
    const [single, sunk] = [training(lr), training(lr)];
    const losses = [0, 1, 2, 3, 4, 5].map((k) => single.step(xs.at(k), ys.at(k)).item());
    const loop = sink(sunk.step);
    const found = [loop(xs.slice([0, 4]), ys.slice([0, 4])), loop(xs.slice([4, 6]), ys.slice([4, 6]))];
    expect(found.map(({ shape }) => shape)).toEqual([[4], [2]]);
    found
      .flatMap((y) => y.toArray() as number[])
      .forEach((loss, k) => {
        expect(loss).toBeCloseTo(losses[k], 5);
      });
    single.model.parameters().forEach((p, i) => {
      const got = sunk.model.parameters()[i].toTypedArray();
      p.toTypedArray().forEach((value, k) => {
        expect(Number(got[k])).toBeCloseTo(Number(value), 5);
      });
    });
  });

  it("stacks trees of results, of every dtype, and takes views and variables as arguments", () => {
    const count = new Variable(tensor(0), { requiresGrad: false });
    const loop = sink((v: Variable, x: { a: Tensor }) => {
      v.assign(v.add(x.a.sum()));
      return { total: v.mul(1), large: x.a.greater(2), half: x.a.cast("bfloat16") };
    });
    const a = tensor([
      [1, 3],
      [2, 4],
    ]).transpose();
    const { total, large, half } = loop(count, { a });
    expect(total.toArray()).toEqual([3, 10]);
    expect(large.toArray()).toEqual([
      [false, false],
      [true, true],
    ]);
    expect([half.dtype, half.toArray()]).toEqual(["bfloat16", a.toArray()]);
    expect(count.value.item()).toBe(10);
    const other = new Variable(tensor(5), { requiresGrad: false });
    expect(loop(other, { a }).total.toArray()).toEqual([8, 15]);
    expect(count.value.item()).toBe(10);
  });

  it("leaves no memory behind", () => {
    const { step } = training(0.01);
    const [loop, [xs, ys]] = [sink(step), batches(5)];
    for (let i = 0; i < 3; i++) tidy(() => void loop(xs, ys));
    const before = heapStats();
    for (let i = 0; i < 20; i++) tidy(() => void loop(xs, ys));
    expect(heapStats().liveStorages).toBe(before.liveStorages);
    expect(heapStats().liveBytes).toBe(before.liveBytes);
  });

  it("says what it cannot take", () => {
    const loop = sink((x: Tensor, y: Tensor) => x.add(y));
    expect(() => loop(ones([2, 3]), ones([3, 3]))).toThrow(
      "sink: axis 0 counts the steps; the arguments are float32(2, 3), float32(3, 3)",
    );
    expect(() => loop(ones([2]), tensor(1))).toThrow(/axis 0 counts the steps/);
    expect(() => grad((x: Tensor) => loop(x, x).sum())(ones([2]))).toThrow(
      /no transformation sees through it/,
    );
    expect(() => sink(() => ones([1]))()).toThrow(/no tensor that says how many steps/);
  });
});

describe("styles of execution side by side", () => {
  it("counts what is dispatched and what runs, and leaves the variables as they were", () => {
    const { model, step } = training(0.01);
    const [xs, ys] = batches(1);
    const weights = model.parameters().map((p) => p.toArray());
    const rows = compiler.profileStylesWith({ runs: 2, steps: 4 }, step, xs.at(0), ys.at(0));
    expect(rows.map(({ style }) => style)).toEqual(["single-op", "graph", "sunk"]);
    const [single, whole, sunk] = rows;
    expect(single.dispatches).toBeGreaterThan(100);
    expect(single.speedup).toBe(1);
    expect([whole.dispatches, sunk.dispatches]).toEqual([1, 0.25]);
    expect(whole.kernels).toBeLessThan(single.kernels / 3);
    expect(sunk.kernels).toBe(whole.kernels);
    for (const { milliseconds } of rows) expect(milliseconds).toBeGreaterThan(0);
    expect(model.parameters().map((p) => p.toArray())).toEqual(weights);
    expect(() => compiler.profileStylesWith({ steps: 0 }, step, xs.at(0), ys.at(0))).toThrow(
      "profileStyles: 0 is no number of steps",
    );
  });

  it("each style computes the same", () => {
    const f = (x: Tensor): Tensor => x.matmul(x).tanh();
    const x = draw(3, 4, 4);
    const wanted = f(x).toArray() as number[][];
    const [first] = sink(f)(stack([x, x])).toArray() as number[][][];
    first.forEach((row, i) => {
      row.forEach((value, j) => {
        expect(value).toBeCloseTo(wanted[i][j], 5);
      });
    });
  });
});
