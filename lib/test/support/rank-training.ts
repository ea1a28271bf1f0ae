/** One training, on one process or on the ranks of a group: the same models, data and steps. */
import { expect } from "vitest";
import { library } from "./built-library.js";

const mlsys = library; // what travels to ranks finds a constant, not an import

type ProcessGroup = import("../../src/distributed/group/process-group.js").ProcessGroup;
type Module = import("../../src/nn/module.js").Module;
type Tensor = import("../../src/core/tensor.js").Tensor;
type Work = import("../../src/distributed/group/process-group.js").Work<Tensor>;

export interface Training {
  readonly kind: "mlp" | "cnn" | "gpt";
  /** How gradients are computed. */
  readonly mode: "backward" | "valueAndGrad" | "static" | "static backward";
  readonly optimizer: "SGD" | "Adam";
  readonly steps: number;
  /** Rows of a step, over all ranks. */
  readonly batch: number;
  /** Micro-batches of a step. Default 1. */
  readonly micro?: number;
  /** Default: DistributedDataParallel. */
  readonly stage?: 1 | 2 | 3;
  readonly bucketBytes?: number;
  readonly clipNorm?: number;
  readonly mixedPrecision?: "bfloat16";
  /** Without a group: gradients of so many parts of the batch, added up in order. Default 1. */
  readonly parts?: number;
}

export interface Trained {
  readonly losses: number[];
  readonly weights: [name: string, values: number[]][];
  readonly buckets: number;
}

/** Runs as source text on ranks: all that it needs is inside. */
export function trainOn(group: ProcessGroup | null, t: Training): Trained {
  const { nn, optim, tensor, toStatic, valueAndGrad, distributed, Generator, tidy } = mlsys;
  const generator = new Generator(7);
  const make = (): Module => {
    if (t.kind === "mlp")
      return new nn.Sequential(
        new nn.Dense(10, 10, { generator }),
        new nn.ReLU(),
        new nn.Dense(10, 5, { generator }),
      );
    if (t.kind === "cnn")
      return new nn.Sequential(
        new nn.Conv2d(1, 4, 3, { generator }),
        new nn.ReLU(),
        new nn.Flatten(),
        new nn.Dense(4 * 4 * 4, 5, { generator }),
      );
    return new nn.CausalLM({
      vocabulary: 11,
      context: 6,
      size: 8,
      depth: 2,
      heads: 2,
      dropout: 0,
      generator,
    });
  };
  const data = new Generator(11);
  const batchOf = (): [Tensor, Tensor] => {
    if (t.kind === "gpt") {
      const tokens = data.randint([t.batch, 7], 0, 11);
      return [tokens.slice([0, t.batch], [0, 6]), tokens.slice([0, t.batch], [1, 7])];
    }
    const x = data.normal(t.kind === "mlp" ? [t.batch, 10] : [t.batch, 1, 6, 6], 0, 1);
    return [x, data.normal([t.batch, 5], 0, 1)];
  };
  const model = make();
  const { stage, bucketBytes = 600, mixedPrecision } = t;
  const ddp =
    group && !stage
      ? new distributed.DistributedDataParallel(model, { group, bucketBytes, firstBucketBytes: 100 })
      : null;
  const fsdp =
    group && stage ? new distributed.FullyShardedDataParallel(model, { group, stage, mixedPrecision }) : null;
  const trained = (fsdp ?? ddp ?? model) as Module & { forward(x: Tensor): Tensor };
  const optimizer =
    t.optimizer === "SGD"
      ? new optim.SGD(trained, { lr: 0.05, momentum: 0.9 })
      : new optim.Adam(trained, { lr: 0.01 });
  const lossOf = (m: { forward(x: Tensor): Tensor }, x: Tensor, y: Tensor): Tensor => {
    const out = m.forward(x);
    return t.kind === "gpt"
      ? nn.crossEntropy(out.reshape([-1, 11]), y.reshape([-1]))
      : out.sub(y).square().mean();
  };
  const micro = t.micro ?? t.parts ?? 1;
  const parts = (x: Tensor): Tensor[] => {
    const rows = x.shape[0] / micro;
    return Array.from({ length: micro }, (_, i) => x.slice([i * rows, (i + 1) * rows]));
  };
  const functional = valueAndGrad(lossOf);
  const byGrad = (x: Tensor, y: Tensor): Tensor => {
    const [loss, grads] = functional(trained, x, y);
    optimizer.step(t.clipNorm ? optim.clipByGlobalNorm(grads, t.clipNorm).gradients : grads);
    return loss;
  };
  const byBackward = (x: Tensor, y: Tensor): Tensor => {
    optimizer.zeroGrad();
    const [xs, ys] = [parts(x), parts(y)];
    let sum: Tensor = tensor(0);
    xs.forEach((part, i) => {
      const run = (): void => {
        const loss = lossOf(trained, part, ys[i]).div(micro);
        loss.backward();
        sum = sum.add(loss.detach());
      };
      if (ddp && i < micro - 1) ddp.noSync(run);
      else run();
    });
    if (t.clipNorm) {
      if (fsdp) fsdp.clipGradNorm(t.clipNorm);
      else optim.clipGradNorm(trained, t.clipNorm);
    }
    optimizer.step();
    return sum;
  };
  const plain = t.mode === "backward" || t.mode === "static backward" ? byBackward : byGrad;
  const step = t.mode.startsWith("static") ? toStatic(plain) : plain;
  const losses: number[] = [];
  for (let k = 0; k < t.steps; k++) {
    const [x, y] = batchOf();
    const rows = t.batch / (group?.size ?? 1);
    const from = rows * (group?.rank ?? 0);
    const loss = tidy(() => step(x.slice([from, from + rows]), y.slice([from, from + rows])));
    const all: Work | null = group ? group.allReduce(loss.reshape([1]), { op: "mean" }) : null;
    losses.push((all?.wait() ?? loss).item());
  }
  const state = fsdp ? fsdp.stateDict() : model.stateDict();
  return {
    losses,
    weights: [...state].map(([name, value]) => [name, Array.from(value.toTypedArray())]),
    buckets: ddp?.lastPass.length ?? 0,
  };
}

/** Sums over the batch are in another order: single precision, a few hundred steps of rounding. */
export function expectTrainedAlike(got: Trained, wanted: Trained, tolerance = 2e-5): void {
  const near = (a: number, b: number): boolean => Math.abs(a - b) <= tolerance * (1 + Math.abs(b));
  expect(
    got.losses.every((loss, i) => near(loss, wanted.losses[i])),
    `${got.losses}\n${wanted.losses}`,
  ).toBe(true);
  expect(got.weights.map(([name]) => name)).toEqual(wanted.weights.map(([name]) => name));
  got.weights.forEach(([name, values], i) => {
    const other = wanted.weights[i][1];
    const worst = values.reduce(
      (most, v, k) => Math.max(most, Math.abs(v - other[k]) / (1 + Math.abs(other[k]))),
      0,
    );
    expect(worst, name).toBeLessThan(tolerance);
  });
}
