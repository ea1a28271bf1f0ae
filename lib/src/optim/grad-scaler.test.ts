/** Loss scaling and autocast, by PyTorch's rules. */
import { describe, expect, it } from "vitest";
import {
  autocast,
  grad,
  nn,
  optim,
  setDevice,
  type Tensor,
  tensor,
  toStatic,
  Variable,
  valueAndGrad,
} from "../index.js";

const scaler = (options: optim.GradScalerOptions = {}) =>
  new optim.GradScaler({ initScale: 8, growthInterval: 2, ...options });

function parameter(values: number[]) {
  const w = new Variable(tensor(values));
  return { w, optimizer: new optim.Adam([w], { lr: 0.1 }) };
}

describe("GradScaler", () => {
  it("scales the loss and gives gradients back as they were", () => {
    const s = scaler();
    const { w, optimizer } = parameter([1, 2]);
    expect(s.scale(tensor(0.5)).item()).toBe(4);
    const [g] = grad((list: Variable[]) => s.scale(list[0].square().sum()))([w]);
    expect(g.toArray()).toEqual([16, 32]);
    expect(s.unscale(optimizer, [g])[0].toArray()).toEqual([2, 4]);
  });

  it("follows _amp_update_scale_: back off at once, grow after the interval", () => {
    const s = scaler();
    const { w, optimizer } = parameter([1]);
    const scales: number[] = [];
    const seen: number[] = [];
    for (const bad of [0, 0, 0, Number.POSITIVE_INFINITY, 0, Number.NaN, 0, 0]) {
      s.step(optimizer, [tensor([bad === 0 ? 1 : bad])]);
      s.update();
      scales.push(s.getScale());
      seen.push(w.value.item());
    }
    // PyTorch 2.13: torch.amp.GradScaler("cpu", init_scale=8, growth_interval=2) and Adam(lr=0.1), the same gradients
    expect(scales).toEqual([8, 16, 16, 8, 8, 4, 4, 8]);
    const theirs = [0.9, 0.8, 0.7058188, 0.7058188, 0.6093899, 0.6093899, 0.5143176, 0.417409];
    for (const [i, value] of theirs.entries()) expect(seen[i]).toBeCloseTo(value, 6);
    expect(optimizer.stateDict().get("step")?.item()).toBe(6);
  });

  it("leaves the optimizer's state as it was where it leaves the step out", () => {
    const s = scaler();
    const [a, b] = [parameter([1, 2]), parameter([1, 2])];
    const step = (p: typeof a, values: number[]) => {
      s.step(p.optimizer, [tensor(values)]);
      s.update(8);
    };
    for (const values of [[8, 16], [1, Number.NaN], [4, 4]]) step(a, values); // biome-ignore format: a list
    for (const values of [[8, 16], [4, 4]]) step(b, values); // biome-ignore format: a list
    expect(a.w.value.toArray()).toEqual(b.w.value.toArray());
    for (const [name, value] of a.optimizer.stateDict())
      expect(value.toArray(), name).toEqual(b.optimizer.stateDict().get(name)?.toArray());
  });

  it("does not grow past the largest number", () => {
    const s = scaler({ initScale: 3e38, growthInterval: 1 });
    s.step(parameter([1]).optimizer, [tensor([1])]);
    s.update();
    expect(s.getScale()).toBe(Math.fround(3e38));
  });

  it("serves several optimizers, and stops only the ones that overflowed", () => {
    const s = scaler();
    const [a, b] = [parameter([1]), parameter([1])];
    s.step(a.optimizer, [tensor([8])]);
    s.step(b.optimizer, [tensor([1 / 0])]);
    s.update();
    expect(s.getScale()).toBe(4);
    expect(a.w.value.item()).toBeLessThan(1);
    expect(b.w.value.item()).toBe(1);
  });

  it("works with the tape, gradients unscaled in place for clipping", () => {
    const s = scaler();
    const w = new Variable(tensor([3, 4]));
    const optimizer = new optim.SGD([w], { lr: 1 });
    s.scale(w.square().mul(0.5).sum()).backward();
    s.unscale(optimizer);
    expect(optim.clipGradNorm([w], 1)).toBeCloseTo(5, 5);
    s.step(optimizer);
    s.update();
    expect(w.value.toArray()[0]).toBeCloseTo(3 - 0.6, 5);
  });

  it("refuses calls out of order, as PyTorch does", () => {
    const s = scaler();
    const { optimizer } = parameter([1]);
    const g = [tensor([1])];
    expect(() => s.update()).toThrow(/no gradients were unscaled since the last update\(\)/);
    s.unscale(optimizer, g);
    expect(() => s.unscale(optimizer, g)).toThrow(/the gradients were unscaled since the last update\(\)/);
    s.step(optimizer, g);
    expect(() => s.step(optimizer, g)).toThrow(/GradScaler.step: step\(\) was called since/);
    expect(() => s.unscale(optimizer, g)).toThrow(/GradScaler.unscale: step\(\) was called since/);
    s.update();
    s.step(optimizer, g);
    expect(() => new optim.GradScaler({ initScale: 0 })).toThrow(/initScale is above 0, got 0/);
    expect(() => new optim.GradScaler({ growthFactor: 1 })).toThrow(/growthFactor is above 1, got 1/);
    expect(() => new optim.GradScaler({ backoffFactor: 1 })).toThrow(/between 0 and 1, got 1/);
    expect(() => new optim.GradScaler({ growthInterval: 0.5 })).toThrow(/whole number from 1, got 0.5/);
    expect(() => s.update(-1)).toThrow(/the scale is above 0, got -1/);
  });

  it("passes everything through if it is not enabled", () => {
    const s = scaler({ enabled: false });
    const { w, optimizer } = parameter([1]);
    const loss = tensor(3);
    expect(s.scale(loss)).toBe(loss);
    expect(s.getScale()).toBe(1);
    s.step(optimizer, [tensor([1])]);
    s.update();
    expect(w.value.item()).toBeLessThan(1);
  });

  it("goes on from a saved state", () => {
    const [a, b] = [scaler(), scaler()];
    const { optimizer } = parameter([1]);
    a.step(optimizer, [tensor([1])]);
    a.update(32);
    b.loadStateDict(a.stateDict());
    expect(b.getScale()).toBe(32);
    expect(() => b.loadStateDict(new Map())).toThrow(/GradScaler.loadStateDict: scale is missing/);
  });
});

describe("autocast", () => {
  it("multiplies in 16 bits and adds up in float32", () => {
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    autocast("float16", () => {
      const y = x.matmul(x);
      expect(y.dtype).toBe("float16");
      expect(y.softmax(-1).dtype).toBe("float32");
      expect(y.sum().dtype).toBe("float32");
      expect(y.add(x).dtype).toBe("float32");
      expect(y.relu().dtype).toBe("float16");
      expect(x.cast("float64").matmul(x.cast("float64")).dtype).toBe("float64");
    });
    expect(x.matmul(x).dtype).toBe("float32");
    expect(() => autocast("float32" as "float16", () => x)).toThrow(
      /float16 or bfloat16 wanted, got float32/,
    );
  });

  it("gives gradients in float32, close to those of float32", () => {
    const w = tensor([[0.5, -1.25], [2, 0.75]]); // biome-ignore format: a matrix
    const loss = (x: Tensor) => x.matmul(x).tanh().sum();
    const [value, g] = valueAndGrad((x: Tensor) => autocast("bfloat16", () => loss(x)))(w);
    const [wanted, exact] = valueAndGrad(loss)(w);
    expect([value.dtype, g.dtype]).toEqual(["float32", "float32"]);
    expect(Math.abs(value.item() - wanted.item())).toBeLessThan(0.02);
    g.toTypedArray().forEach((x, i) => {
      expect(Math.abs(x - exact.toTypedArray()[i])).toBeLessThan(0.05);
    });
  });

  it("ends where an error leaves it", () => {
    expect(() =>
      autocast("float16", () => {
        throw new Error("inside");
      }),
    ).toThrow("inside");
    expect(tensor([[1]]).matmul(tensor([[1]])).dtype).toBe("float32");
  });
});

describe("mixed-precision training", () => {
  const train = (captured: boolean, mixed: boolean) => {
    const model = new nn.Sequential(new nn.Dense(4, 16), new nn.Tanh(), new nn.Dense(16, 3));
    for (const [k, v] of model.parameters().entries())
      v.assign(
        tensor(
          Float32Array.from({ length: v.size }, (_, i) => Math.sin(i * 7 + k) / 2),
          { shape: v.shape },
        ),
      );
    const optimizer = new optim.SGD(model, { lr: 0.5 });
    // So large a scale overflows float16 at first.
    const s = new optim.GradScaler({ initScale: 2 ** 22, enabled: mixed });
    const x = tensor(
      Float32Array.from({ length: 64 }, (_, i) => Math.sin(i * i)),
      { shape: [16, 4] },
    );
    const y = tensor(
      Array.from({ length: 16 }, (_, i) => i % 3),
      { dtype: "int32" },
    );
    const step = (): Tensor => {
      const run = (m: nn.Module & { forward(x: Tensor): Tensor }): [Tensor, Tensor] => {
        const loss = nn.crossEntropy(m.forward(x), y);
        return [s.scale(loss), loss];
      };
      const [[, loss], gradients] = valueAndGrad(
        (m: typeof model) => (mixed ? autocast("float16", () => run(m)) : run(m)),
        { hasAux: true },
      )(model);
      s.step(optimizer, gradients);
      s.update();
      return loss;
    };
    const one = captured ? toStatic(step) : step;
    const losses = Array.from({ length: 40 }, () => one().item());
    return { losses, scale: s.getScale(), steps: optimizer.stateDict().get("step")?.item() as number };
  };

  it.each(["cpu", "wasm"])("finds its scale and learns as float32 does, on %s", (device) => {
    setDevice(device);
    try {
      const [plain, eager, captured] = [train(false, false), train(false, true), train(true, true)];
      expect(plain.losses[39]).toBeLessThan(0.75 * plain.losses[0]);
      expect(eager.scale).toBeLessThan(2 ** 22);
      expect(eager.steps).toBeLessThan(40); // some were left out
      expect(eager.steps).toBeGreaterThan(25);
      const skipped = 40 - eager.steps;
      expect(Math.abs(eager.losses[39] - plain.losses[39 - skipped])).toBeLessThan(0.02);
      expect(captured.scale).toBe(eager.scale);
      expect(captured.steps).toBe(eager.steps);
      expect(Math.abs(captured.losses[39] - eager.losses[39])).toBeLessThan(0.01);
    } finally {
      setDevice("cpu");
    }
  });
});
