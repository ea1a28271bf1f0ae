/**
 * What every device with a memory of its own must do: each op of the registry as its reference kernel does, on values in any
 * layout; models trained as on the host; nothing left in its memory. A suite per device calls this.
 */
import { describe, expect, it } from "vitest";
import { type DType, isFloat } from "../../src/core/dtype.js";
import { sizeOf } from "../../src/core/shape.js";
import {
  deviceCounts,
  manualSeed,
  nn,
  optim,
  resetDeviceCounts,
  setDevice,
  type Tensor,
  tensor,
  tidy,
  toStatic,
  valueAndGrad,
} from "../../src/index.js";
import type { DenseTensor } from "../../src/runtime/dense.js";
import { DISGUISES } from "../support/disguises.js";
import { drawInputs, type OpCase, opCases, run } from "../support/op-samples.js";

export interface ConformanceOptions {
  /** Ops of the registry that must be done without the host for at least one sample: by kernels of its own, or as views. */
  readonly native: number;
  /** Rounding of float32 that its arithmetic may have, in units of 2⁻²³ of the largest element. Default 64. */
  readonly ulps?: number;
  /** Pieces of memory that are in use. */
  readonly pieces: () => number;
  /** Ops that a training step of these models leaves to the host. Default: none. */
  readonly hostOps?: Readonly<Record<keyof typeof MODELS, readonly string[]>>;
}

export function describeConformance(device: string, options: ConformanceOptions): void {
  const { native, ulps = 64, pieces, hostOps } = options;
  const own = new Set<string>();
  const all = new Set<string>();

  /** Runs on the device. */
  const there = <T>(f: () => T): T => {
    setDevice(device);
    try {
      return f();
    } finally {
      setDevice("cpu");
    }
  };

  function check(c: OpCase, inputs: readonly Tensor[], note: string): void {
    const wanted = run(c, inputs);
    resetDeviceCounts(device);
    const found = there(() => run(c, inputs));
    all.add(c.op.name);
    if (deviceCounts(device).fallback.size === 0) own.add(c.op.name);
    expect(found.map((y) => y.type)).toEqual(wanted.map((y) => y.type));
    wanted.forEach((y, i) => {
      compare(found[i], y, ulps, `${c.title} ${note}, output ${i}`);
    });
  }

  describe("every op", () => {
    const cases = opCases(({ composite }) => !composite);
    it.each(cases.map((c) => [c.title, c] as const))("%s", (_, c) => {
      tidy(() => {
        for (const dtype of ["float32", "float64", "int32"] as const) {
          const inputs = drawable(c, dtype);
          if (inputs) check(c, inputs, dtype);
        }
        const plain = drawInputs(c, 0, "float32") as DenseTensor[];
        for (const [name, disguise] of Object.entries(DISGUISES))
          check(c, plain.map(disguise), `float32 ${name}`);
      });
    });

    it("has kernels of its own, and says which", () => {
      const host = [...all].filter((op) => !own.has(op)).sort();
      console.log(`${device}: ${own.size} of ${all.size} ops native; by the host: ${host.join(" ")}`);
      expect(own.size).toBeGreaterThanOrEqual(native);
    });
  });

  describe("training", () => {
    it.each(Object.entries(MODELS))(
      "of a model: %s",
      (name, make) => {
        const [wanted, found] = ["wasm", device].map((where) => {
          setDevice(where);
          try {
            manualSeed(7);
            return train(make(), () => resetDeviceCounts(device));
          } finally {
            setDevice("cpu");
          }
        });
        found.forEach((loss, i) => {
          expect(Math.abs(loss - wanted[i]), `step ${i}: ${loss}, not ${wanted[i]}`).toBeLessThan(
            2e-3 * (1 + i),
          );
        });
        expect(wanted.at(-1)).toBeLessThan(wanted[0]);
        const left = [...deviceCounts(device).fallback.keys()].sort();
        expect(left).toEqual(hostOps?.[name as keyof typeof MODELS] ?? []);
      },
      300_000,
    );
  });

  describe("memory", () => {
    it("is given back", () => {
      const work = (): void =>
        there(() =>
          tidy(() => {
            const x = tensor([[1, 2], [3, 4]]); // biome-ignore format: a matrix
            for (let i = 0; i < 10; i++) x.matmul(x).add(1).sum().item();
          }),
        );
      work(); // constants of the library stay
      const before = pieces();
      work();
      expect(pieces()).toBe(before);
    });

    it("has what the host wrote last", () => {
      there(() =>
        tidy(() => {
          const x = tensor([1, 2, 3]) as DenseTensor;
          expect(x.add(1).toArray()).toEqual([2, 3, 4]);
          x.storage.data[1] = 5;
          expect(x.add(1).toArray()).toEqual([2, 6, 4]);
          const y = x.add(1) as DenseTensor;
          y.storage.write([7], 2);
          expect(y.add(x).toArray()).toEqual([3, 11, 10]);
        }),
      );
    });
  });
}

/** Inputs of a case in `dtype`, where the op takes them. */
function drawable(c: OpCase, dtype: DType): Tensor[] | null {
  const inputs = isFloat(dtype)
    ? drawInputs(c, 0, dtype)
    : drawInputs(c, 0, "float32").map((x) => (isFloat(x.dtype) ? x.cast(dtype) : x));
  try {
    run(c, inputs);
    return inputs;
  } catch {
    return null; // refused by the op's type rule, or by its reference
  }
}

/** Floats within rounding of the largest element, others exactly; NaN where NaN is. */
function compare(found: Tensor, wanted: Tensor, ulps: number, note: string): void {
  const [x, y] = [found.toTypedArray(), wanted.toTypedArray()];
  const eps = wanted.dtype === "float64" ? 2 ** -52 : 2 ** -23;
  let largest = 1;
  for (const value of y) if (Number.isFinite(value)) largest = Math.max(largest, Math.abs(value));
  const room = isFloat(wanted.dtype)
    ? ulps * eps * largest * Math.sqrt(Math.max(1, sizeOf(wanted.shape) / 64))
    : 0;
  for (let i = 0; i < y.length; i++) {
    const same = Object.is(x[i], y[i]) || x[i] === y[i] || Math.abs(x[i] - y[i]) <= room;
    if (!same) expect.fail(`${note}: element ${i} is ${x[i]}, not ${y[i]} (within ${room})`);
  }
}

interface Trainee {
  readonly model: nn.Module;
  readonly x: Tensor;
  readonly y: Tensor;
}

const waves = (shape: readonly number[]): Tensor =>
  tensor(
    Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i * i)),
    { shape },
  );
const classes = (count: number): Tensor =>
  tensor(
    Array.from({ length: count }, (_, i) => i % 10),
    { dtype: "int32" },
  );

const MODELS: Readonly<Record<string, () => Trainee>> = {
  MLP: () => ({
    model: new nn.Sequential(new nn.Dense(32, 48), new nn.ReLU(), new nn.Dense(48, 10)),
    x: waves([24, 32]),
    y: classes(24),
  }),
  CNN: () => ({
    model: new nn.Sequential(
      new nn.Conv2d(1, 4, 3, { padding: 1 }),
      new nn.ReLU(),
      new nn.MaxPool2d(2),
      new nn.Flatten(),
      new nn.LayerNorm(4 * 6 * 6),
      new nn.Dense(4 * 6 * 6, 10),
    ),
    x: waves([8, 1, 12, 12]),
    y: classes(8),
  }),
};

/** Losses of some steps; `first` is called before the last one. */
function train({ model, x, y }: Trainee, last: () => void): number[] {
  const optimizer = new optim.Adam(model, { lr: 3e-3 });
  const step = toStatic((input: Tensor, target: Tensor) => {
    const [loss, gradients] = valueAndGrad((m: { forward(x: Tensor): Tensor }) =>
      nn.crossEntropy(m.forward(input), target),
    )(model as never);
    optimizer.step(gradients as never);
    return loss;
  });
  return Array.from({ length: 6 }, (_, i) => {
    if (i === 5) last();
    return tidy(() => step(x, y).item());
  });
}
