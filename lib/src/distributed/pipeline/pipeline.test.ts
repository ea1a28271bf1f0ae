/** Pipelines against the whole model on one thread. Every rank also computes the whole model, from the same seed. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { library } from "../../../test/support/built-library.js";

const {
  distributed,
  Generator,
  heapStats,
  manualSeed,
  nn,
  noGrad,
  ones,
  optim,
  resetPeak,
  tensor,
  Tensor,
  tidy,
  zeros,
} = library;
type Tensor = InstanceType<typeof Tensor>;
type ProcessGroup = import("../group/process-group.js").ProcessGroup;

let team: import("../launch/team.js").Team;
beforeAll(async () => {
  team = await distributed.team(4);
});
afterAll(() => team.close());

/** Runs `f` on groups of the first `size` ranks; the results of those. */
async function on<R>(size: number, body: (group: ProcessGroup) => R): Promise<R[]> {
  const results = await team.run((all: ProcessGroup) => {
    const group = all.subgroup(Array.from({ length: size }, (_, i) => i));
    return group ? body(group) : null;
  });
  return results.slice(0, size) as R[];
}

interface Case {
  readonly size: number;
  readonly schedule: string;
  readonly microBatches: number;
  readonly chunks?: number;
  readonly recompute?: boolean;
}

const CASES: Case[] = [
  { size: 2, schedule: "gpipe", microBatches: 3 },
  { size: 3, schedule: "1f1b", microBatches: 4, recompute: true },
  { size: 4, schedule: "gpipe", microBatches: 2 }, // the book's
  { size: 2, schedule: "interleaved", microBatches: 4, chunks: 2, recompute: true },
  { size: 1, schedule: "interleaved", microBatches: 2, chunks: 3 },
];

describe("pipelines", () => {
  it("an MLP trains as on one thread, with every schedule", async () => {
    for (const { size, ...options } of CASES) {
      const results = await on(size, (group) => {
        const make = (): InstanceType<typeof nn.Sequential> => {
          const generator = new Generator(3);
          const dense = (a: number, b: number) => new nn.Dense(a, b, { generator });
          return new nn.Sequential(
            ...[dense(5, 12), new nn.Tanh(), dense(12, 12), new nn.Tanh(), dense(12, 12), new nn.Tanh()],
            dense(12, 4),
          );
        };
        const generator = new Generator(9);
        const [x, y] = [generator.normal([9, 5]), generator.normal([9, 4])]; // 9 rows: uneven micro-batches
        const whole = make();
        const reference = new optim.AdamW(whole, { lr: 0.05 });
        const pipe = distributed.pipeline(make(), group, { ...options, loss: (a, b) => nn.mse(a, b) });
        const optimizer = new optim.AdamW(pipe, { lr: 0.05 });
        const losses: [number, number][] = [];
        for (let step = 0; step < 4; step++) {
          reference.zeroGrad();
          optimizer.zeroGrad();
          const loss = nn.mse(whole.forward(x), y);
          loss.backward();
          losses.push([
            loss.item(),
            pipe.forwardBackward(group.rank === 0 ? x : { shape: x.shape, dtype: x.dtype }, y),
          ]);
          reference.step();
          optimizer.step();
        }
        const state = pipe.wholeState();
        const worst = Math.max(
          ...[...whole.stateDict()].map(([name, v]) =>
            v
              .sub(state.get(name) as Tensor)
              .abs()
              .max()
              .item(),
          ),
        );
        const out = pipe.forward(x);
        const error = out ? noGrad(() => out.sub(whole.forward(x)).abs().max().item()) : 0;
        pipe.loadWholeState(make().stateDict());
        const again = pipe
          .wholeState()
          .get("layers.0.weight")
          ?.sub(make().stateDict().get("layers.0.weight") as Tensor)
          .abs()
          .max()
          .item();
        return {
          losses,
          worst,
          error,
          out: out !== null,
          again,
          order: pipe.lastRun.length,
          own: pipe.layersPerStage,
        };
      });
      const name = JSON.stringify({ size, ...options });
      for (const [rank, found] of results.entries()) {
        for (const [wanted, got] of found.losses) expect(got, name).toBeCloseTo(wanted, 5);
        expect(found.losses[3][0]).toBeLessThan(found.losses[0][0]);
        expect(found.worst, name).toBeLessThan(1e-5);
        expect([found.out, found.again], name).toEqual([rank === size - 1, 0]);
        expect(found.error).toBeLessThan(1e-5);
        expect(found.order).toBe(2 * options.microBatches * (options.chunks ?? 1));
      }
    }
  });

  it("a CNN with dropout and group normalization trains as micro-batches on one thread, recomputed or not", async () => {
    for (const recompute of [false, true]) {
      const results = await on(3, (group) => {
        const make = (): InstanceType<typeof nn.Sequential> => {
          const generator = new Generator(1);
          return new nn.Sequential(
            new nn.Conv2d(1, 4, 3, { generator, padding: 1 }),
            new nn.GroupNorm(2, 4),
            new nn.ReLU(),
            new nn.Dropout(0.3, new Generator(21)), // each its own numbers: on one thread they are drawn in another order
            new nn.Conv2d(4, 6, 3, { generator, padding: 1 }),
            new nn.ReLU(),
            new nn.MaxPool2d(2),
            new nn.Flatten(),
            new nn.Dropout(0.3, new Generator(22)),
            new nn.Dense(6 * 16, 10, { generator }),
          );
        };
        const generator = new Generator(4);
        const x = generator.normal([8, 1, 8, 8]);
        const labels = generator.randint([8], 0, 10);
        const whole = make();
        const pipe = distributed.pipeline(make(), group, {
          microBatches: 4,
          recompute,
          balance: "layers",
          loss: (logits, y) => nn.crossEntropy(logits, y),
        });
        const optimizers = [new optim.SGD(whole, { lr: 0.1 }), new optim.SGD(pipe, { lr: 0.1 })];
        const losses: [number, number][] = [];
        for (let step = 0; step < 3; step++) {
          for (const optimizer of optimizers) optimizer.zeroGrad();
          let loss = 0;
          for (let m = 0; m < 4; m++) {
            const rows = [2 * m, 2 * m + 2] as const;
            const part = nn.crossEntropy(whole.forward(x.slice(rows)), labels.slice(rows)).div(4);
            part.backward();
            loss += part.item();
          }
          losses.push([loss, pipe.forwardBackward(x, labels)]);
          for (const optimizer of optimizers) optimizer.step();
        }
        const state = pipe.wholeState();
        const worst = [...whole.stateDict()].map(([name, v]): [string, number] => [
          name,
          v
            .sub(state.get(name) as Tensor)
            .abs()
            .max()
            .item(),
        ]);
        return { losses, worst };
      });
      for (const { losses, worst } of results) {
        for (const [wanted, got] of losses) expect(got).toBeCloseTo(wanted, 5);
        for (const [name, difference] of worst) expect(difference, name).toBeLessThan(1e-5);
      }
    }
  });

  it("a GPT with a tied embedding at both ends trains as on one thread", async () => {
    for (const [size, schedule, chunks] of [
      [2, "1f1b", 1],
      [3, "gpipe", 1],
      [2, "interleaved", 2],
    ] as const) {
      const results = await on(size, (group) => {
        const make = (): InstanceType<typeof nn.CausalLM> =>
          new nn.CausalLM({
            ...{ vocabulary: 31, context: 8, size: 16, depth: 3, heads: 2, dropout: 0 },
            generator: new Generator(5),
          });
        const whole = make();
        const tokens = new Generator(11).randint([4, 9], 0, 31);
        const [x, y] = [tokens.slice(":", ":8"), tokens.slice(":", "1:")];
        const pipe = distributed.pipeline(distributed.causalLayers(make(), group), group, {
          ...{ microBatches: 4, schedule, chunks, recompute: chunks === 2 },
          loss: (logits, t) => nn.crossEntropy(logits, t),
        });
        const optimizers = [new optim.SGD(whole, { lr: 0.2 }), new optim.SGD(pipe, { lr: 0.2 })];
        const losses: [number, number][] = [];
        for (let step = 0; step < 3; step++) {
          for (const optimizer of optimizers) optimizer.zeroGrad();
          for (let again = 0; again < 2; again++) {
            // gradients of two batches add up
            const loss = nn.crossEntropy(whole.forward(x), y);
            loss.backward();
            losses.push([loss.item(), pipe.forwardBackward(x, y)]);
          }
          for (const optimizer of optimizers) optimizer.step();
        }
        const state = pipe.wholeState();
        const wanted = whole.stateDict();
        return {
          losses,
          same: [...state.keys()].sort().join() === [...wanted.keys()].sort().join(),
          worst: [...wanted].map(([name, v]): [string, number] => [
            name,
            v
              .sub(state.get(name) as Tensor)
              .abs()
              .max()
              .item(),
          ]),
        };
      });
      for (const { losses, worst, same } of results) {
        for (const [wanted, got] of losses) expect(got).toBeCloseTo(wanted, 5);
        expect(same).toBe(true);
        for (const [name, difference] of worst) expect(difference, name).toBeLessThan(1e-5);
      }
    }
  });

  it("the book's two operators of 10 GB, one on each device: what is held is one of them", async () => {
    const results = await on(2, (group) => {
      const generator = new Generator(8);
      const whole = new nn.Sequential(
        new nn.Dense(512, 512, { generator, bias: false }),
        new nn.Dense(512, 512, { generator, bias: false }),
      );
      const pipe = distributed.pipeline(whole, group, { microBatches: 1, loss: (y, t) => nn.mse(y, t) });
      const x = generator.normal([4, 512]);
      const y = pipe.forward(group.rank === 0 ? x : { shape: x.shape, dtype: x.dtype });
      const error = y ? noGrad(() => whole.forward(x).sub(y).abs().max().item()) : null;
      return { megabytes: pipe.parameters().reduce((sum, p) => sum + p.size * 4, 0) / 2 ** 20, error };
    });
    expect(results).toEqual([
      { megabytes: 1, error: null },
      { megabytes: 1, error: 0 },
    ]);
  });

  it("1F1B holds fewer activations than GPipe, recomputation fewer still", async () => {
    const results = await on(2, (group) => {
      const layers = Array.from(
        { length: 4 },
        () => new nn.Sequential(new nn.Dense(64, 64), new nn.Tanh(), new nn.Tanh()),
      );
      const most = (options: { schedule: string; recompute: boolean }): number => {
        const pipe = distributed.pipeline(layers, group, {
          microBatches: 8,
          loss: (y, t) => nn.mse(y, t),
          ...options,
        });
        const [x, y] = [ones([1024, 64]), zeros([1024, 64])];
        pipe.forwardBackward(x, y); // types are known, gradients are there
        resetPeak();
        const before = heapStats().liveBytes;
        pipe.forwardBackward(x, y);
        return heapStats().peakBytes - before;
      };
      return [
        most({ schedule: "gpipe", recompute: false }),
        most({ schedule: "1f1b", recompute: false }),
        most({ schedule: "gpipe", recompute: true }),
      ];
    });
    const [gpipe, alternating, recomputed] = results[0];
    // of 8 micro-batches at most 2 are alive; a stage's input is one of its 5 activations
    expect(alternating).toBeLessThan(0.6 * gpipe);
    expect(recomputed).toBeLessThan(0.6 * gpipe);
  });

  it("an error on one member ends the step on all, with its reason", async () => {
    const failing = distributed.launch(2, (group: ProcessGroup) => {
      const layers = [new nn.Dense(2, 2), new nn.Dense(2, 2)];
      const pipe = distributed.pipeline(layers, group, {
        microBatches: 2,
        loss: () => {
          throw new Error("no loss today");
        },
      });
      pipe.forwardBackward(ones([4, 2]), ones([4, 2]));
    });
    await expect(failing).rejects.toThrow("rank 1: Error: no loss today");
  });

  it("gives back what it used: steps hold no more after ten than after two", async () => {
    const results = await on(2, (group) => {
      manualSeed(1);
      const layers = Array.from({ length: 4 }, () => new nn.Dense(32, 32));
      const pipe = distributed.pipeline(layers, group, {
        ...{ microBatches: 4, recompute: true },
        loss: (y, t) => nn.mse(y, t),
      });
      const optimizer = new optim.SGD(pipe, { lr: 0.01 });
      const held = Array.from({ length: 10 }, () => {
        tidy(() => {
          optimizer.zeroGrad();
          pipe.forwardBackward(ones([16, 32]), zeros([16, 32]));
          optimizer.step();
          return null;
        });
        return heapStats().liveBytes;
      });
      return [held[2], held[9]];
    });
    for (const [early, late] of results) expect(late).toBeLessThanOrEqual(early + 16 * 32 * 4 * 8);
  });

  it("integers may pass from stage to stage; no gradient comes back", async () => {
    const results = await on(2, (group) => {
      class Next extends nn.Module {
        override forward(x: Tensor): Tensor {
          return x.add(1);
        }
      }
      return [1, 2].map((chunks) => {
        const generator = new Generator(1);
        const layers = [
          new Next(),
          new Next(),
          new nn.Embedding(9, 4, { generator }),
          new nn.Dense(4, 2, { generator }),
        ];
        const whole = new nn.Sequential(...layers);
        const pipe = distributed.pipeline(layers, group, {
          ...{ microBatches: 2, schedule: "interleaved", chunks, balance: "layers" },
          loss: (y, t) => nn.mse(y, t),
        });
        const x = tensor([0, 3, 6, 1], { dtype: "int32" });
        const wanted = noGrad(() => nn.mse(whole.forward(x), zeros([4, 2])).item());
        const got = [pipe.forwardBackward(x, zeros([4, 2])), pipe.forwardBackward(x, zeros([4, 2]))];
        return got.map((loss) => Math.abs(loss - wanted));
      });
    });
    for (const error of results.flat(2)) expect(error).toBeLessThan(1e-6);
  });

  it("tells what is wrong", async () => {
    const results = await on(1, (group) => {
      const told = (f: () => unknown): string => {
        try {
          f();
        } catch (error) {
          return (error as Error).message;
        }
        return "no error";
      };
      const model = new nn.Sequential(new nn.Dense(2, 2));
      const options = { microBatches: 2, loss: (y: Tensor, t: Tensor) => nn.mse(y, t) };
      const pipe = distributed.pipeline(model, group, options);
      return [
        told(() => distributed.pipeline(model, group, { ...options, schedule: "interleaved", chunks: 2 })),
        told(() => distributed.pipeline(new nn.Dense(2, 2) as never, group, options)),
        told(() => distributed.pipeline(model, group, { ...options, balance: [1, 2] })),
        told(() => pipe.forwardBackward(ones([1, 2]), ones([1, 2]))),
        told(() => pipe.forwardBackward({ shape: [2, 2], dtype: "float32" }, ones([2, 2]))),
        told(() => pipe.forwardBackward(ones([2, 2]))),
        told(() =>
          distributed
            .pipeline(model, group, { ...options, loss: (y) => y })
            .forwardBackward(ones([2, 2]), ones([2, 2])),
        ),
        told(() => pipe.loadWholeState(new Map([["layers.0.bias", tensor([1, 2])]]))),
      ];
    });
    const [stages, row, costs, few, inputs, targets, scalar, state] = results[0];
    expect(stages).toContain("1 layers can't be cut into 2 stages");
    expect(row).toContain("a row of layers is wanted");
    expect(costs).toContain("a cost for each of 1 layers wanted, got 2");
    expect(few).toContain("at least 2 examples wanted for 2 micro-batches, got (1, 2)");
    expect(inputs).toContain("first stage needs the inputs themselves");
    expect(targets).toContain("last stage needs the targets");
    expect(scalar).toContain("the loss is a scalar, got (1, 2)");
    expect(state).toContain("layers.0.weight is missing");
  });
});
