import { describe, expect, it } from "vitest";
import {
  grad,
  heapStats,
  nn,
  optim,
  random,
  type Tensor,
  tensor,
  tidy,
  Variable,
  valueAndGrad,
  vmap,
  where,
} from "../index.js";
import { toStatic } from "./index.js";

const draw = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);

function training(kind: (model: nn.Module) => optim.Optimizer) {
  const model = new nn.Sequential(new nn.Dense(6, 5), new nn.Tanh(), new nn.Dense(5, 3));
  let seed = 10;
  for (const p of model.parameters()) p.assign(draw(seed++, ...p.shape).mul(0.3));
  const optimizer = kind(model);
  const step = (x: Tensor, y: Tensor): Tensor => {
    const lossOf = (m: typeof model) => nn.crossEntropy(m.forward(x), y);
    const [loss, grads] = valueAndGrad(lossOf)(model);
    optimizer.step(grads);
    return loss;
  };
  return { model, step };
}

const OPTIMIZERS: Record<string, (model: nn.Module) => optim.Optimizer> = {
  "SGD with momentum": (m) => new optim.SGD(m, { lr: 0.1, momentum: 0.9, nesterov: true }),
  Adam: (m) => new optim.Adam(m, { lr: 0.01 }),
  "AdamW with a schedule": (m) => new optim.AdamW(m, { lr: (step) => 0.05 / (1 + step), weightDecay: 0.1 }),
  RMSProp: (m) => new optim.RMSProp(m, { lr: 0.01 }),
};

describe("toStatic", () => {
  it.each(Object.entries(OPTIMIZERS))("a whole training step goes the same way as eagerly: %s", (_, kind) => {
    const [x, y] = [
      draw(1, 16, 6),
      tensor(
        Array.from({ length: 16 }, (_, i) => i % 3),
        { dtype: "int32" },
      ),
    ];
    const [eager, captured] = [training(kind), training(kind)];
    const step = toStatic(captured.step);
    for (let i = 0; i < 8; i++) {
      const [a, b] = [eager.step(x, y).item(), step(x, y).item()];
      expect(b).toBeCloseTo(a, 5);
    }
    expect(step.captures).toBe(1);
    eager.model.parameters().forEach((p, i) => {
      const got = captured.model.parameters()[i].toTypedArray();
      p.toTypedArray().forEach((value, k) => {
        expect(Number(got[k])).toBeCloseTo(Number(value), 4);
      });
    });
  });

  it("captures once per signature: structure, shapes, dtypes and plain values", () => {
    let runs = 0;
    const f = toStatic((x: { a: Tensor }, times: number) => {
      runs++;
      return x.a.mul(times);
    });
    expect(f({ a: tensor([1, 2]) }, 2).toArray()).toEqual([2, 4]);
    expect(f({ a: tensor([3, 4]) }, 2).toArray()).toEqual([6, 8]);
    expect(runs).toBe(1);
    expect(f({ a: tensor([3, 4]) }, 3).toArray()).toEqual([9, 12]);
    expect(f({ a: tensor([1, 2, 3]) }, 2).toArray()).toEqual([2, 4, 6]);
    expect(f({ a: tensor([1, 2], { dtype: "int32" }) }, 2).dtype).toBe("int32");
    expect(f({ a: tensor([1]) }, Number.NaN).toArray()).toEqual([Number.NaN]);
    expect(f({ a: tensor([1]) }, Number.POSITIVE_INFINITY).toArray()).toEqual([Number.POSITIVE_INFINITY]);
    expect(runs).toBe(6);
    expect(f.captures).toBe(6);
  });

  it("models as arguments are told apart by identity, and read anew at each call", () => {
    const f = toStatic((m: nn.Dense, x: Tensor) => m.forward(x));
    const [a, b] = [new nn.Dense(2, 2), new nn.Dense(2, 2)];
    const x = draw(2, 3, 2);
    for (const m of [a, b, a]) expect(f(m, x).toArray()).toEqual(m.forward(x).toArray());
    expect(f.captures).toBe(2);
    a.weight.assign(draw(3, 2, 2));
    expect(f(a, x).toArray()).toEqual(a.forward(x).toArray());
    expect(f.captures).toBe(2);
  });

  it("derivatives and batches pass through it", () => {
    const f = (x: Tensor): Tensor => x.mul(x).sin().sum();
    const s = toStatic(f);
    const x = draw(4, 5);
    expect(grad(s)(x).toArray()).toEqual(grad(f)(x).toArray());
    const rows = draw(5, 3, 5);
    expect(vmap(s)(rows).toArray()).toEqual(vmap(f)(rows).toArray());
    const v = new Variable(x);
    const loss = s(v);
    loss.backward();
    expect((v.grad as Tensor).toArray()).toEqual(grad(f)(x).toArray());
  });

  it.each([true, false])("gradients read variables around them anew (trained: %s)", (requiresGrad) => {
    const w = new Variable([2, 3], { requiresGrad });
    const keep = new Variable(tensor([true, true]));
    const slope = toStatic((x: Tensor) => grad((v: Tensor) => where(keep, v.mul(w), 0).sum())(x));
    expect(slope(tensor([1, 1])).toArray()).toEqual([2, 3]);
    w.assign([5, 7]);
    keep.assign(tensor([true, false]));
    expect(slope(tensor([1, 1])).toArray()).toEqual([5, 0]);
  });

  it("is one node inside of another capture", () => {
    const inner = toStatic((x: Tensor) => x.relu().add(1), { name: "inner" });
    const outer = toStatic((x: Tensor) => inner(x).mul(2));
    const x = tensor([-1, 2]);
    expect(outer(x).toArray()).toEqual([2, 6]);
    expect(outer.graphFor(x).nodes.map(({ op }) => op.name)).toEqual(["call", "mul"]);
  });

  it("a training step is not recorded on the tape; what only keeps statistics is", () => {
    const { model, step } = training(OPTIMIZERS.Adam);
    const [x, y] = [draw(6, 3, 6), tensor([0, 1, 2], { dtype: "int32" })];
    expect(step(x, y).requiresGrad).toBe(false);
    expect(toStatic(step)(x, y).requiresGrad).toBe(false);
    const seen = new Variable(tensor(0), { requiresGrad: false });
    const counting = toStatic((z: Tensor) => {
      seen.assign(seen.add(1));
      return model.forward(z).square().sum();
    });
    counting(x).backward();
    expect(seen.value.item()).toBe(1);
    expect(model.parameters().every((p) => p.grad !== null)).toBe(true);
  });

  it("memory stays flat, outside of scopes too", () => {
    const { step } = training(OPTIMIZERS.Adam);
    const captured = toStatic(step);
    const [x, y] = [draw(6, 8, 6), tensor([0, 1, 2, 0, 1, 2, 0, 1], { dtype: "int32" })];
    for (let i = 0; i < 3; i++) tidy(() => captured(x, y).item());
    const before = heapStats();
    for (let i = 0; i < 200; i++) tidy(() => captured(x, y).item());
    expect(heapStats().liveStorages).toBe(before.liveStorages);
    expect(heapStats().liveBytes).toBe(before.liveBytes);
    for (let i = 0; i < 20; i++) captured(x, y).dispose();
    expect(heapStats().liveStorages).toBe(before.liveStorages);
  });
});
