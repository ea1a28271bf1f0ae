/** Data-parallel training on threads against the same training on one process. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { library } from "../../../test/support/built-library.js";
import { expectTrainedAlike, type Training, trainOn } from "../../../test/support/rank-training.js";
import type { ProcessGroup } from "../group/process-group.js";
import type { Team } from "../launch/team.js";

const mlsys = library; // what travels to ranks finds a constant, not an import
const { distributed } = mlsys;

const teams = new Map<number, Team>();
beforeAll(async () => {
  for (const size of [2, 3, 4]) teams.set(size, await distributed.team(size));
});
afterAll(async () => {
  for (const team of teams.values()) await team.close();
});
const on = (size: number): Team => teams.get(size) as Team;

const base = { mode: "backward", optimizer: "Adam", steps: 5, batch: 24 } as const;

describe("DistributedDataParallel", () => {
  for (const kind of ["mlp", "cnn", "gpt"] as const)
    for (const mode of ["backward", "valueAndGrad", "static", "static backward"] as const)
      it(`trains the ${kind} by ${mode} as one process does, on 2, 3 and 4 ranks`, async () => {
        const training: Training = { ...base, kind, mode };
        const single = trainOn(null, training);
        for (const size of kind === "gpt" && mode.startsWith("static") ? [3] : [2, 3, 4]) {
          const ranks = await on(size).run(trainOn, training);
          for (const rank of ranks) {
            expectTrainedAlike(rank, single);
            expect(rank.weights).toEqual(ranks[0].weights); // bit by bit
            expect(rank.buckets).toBeGreaterThan(1);
          }
        }
      });

  it("gives on two ranks bit by bit what one process gives that averages the gradients of both parts", async () => {
    for (const optimizer of ["SGD", "Adam"] as const) {
      const training: Training = { ...base, kind: "mlp", optimizer };
      const single = trainOn(null, { ...training, parts: 2 });
      const [first] = await on(2).run(trainOn, training);
      expect(first.weights).toEqual(single.weights);
    }
  });

  it("sends buckets while the backward pass goes on, in the order in which gradients came in the first pass", async () => {
    for (const captured of [false, true]) {
      const run = (group: ProcessGroup, captured: boolean) => {
        const { nn, ones, toStatic, distributed } = mlsys;
        const events: string[] = [];
        const layers = Array.from({ length: 3 }, () => new nn.Dense(4, 4));
        const model = new distributed.DistributedDataParallel(new nn.Sequential(...layers), {
          group,
          firstBucketBytes: 80,
          bucketBytes: 80, // one layer
          hook: (bucket, group) => {
            const names = bucket.parameters.map((p) =>
              layers.findIndex((one) => [one.weight, one.bias].includes(p)),
            );
            events.push(`bucket ${bucket.index} of layer ${names}${bucket.last ? ", the last" : ""}`);
            return group.allReduce(bucket.tensor, { op: "mean" });
          },
        });
        const x = ones([2, 4]);
        const backward = (): void => {
          model.zeroGrad();
          model.forward(x).sum().backward();
        };
        const probe = layers[1].registerBackwardHook(() => void events.push("layer 1 goes back"));
        if (!captured) {
          backward();
          events.length = 0;
          backward();
        } else {
          probe();
          const step = toStatic(() => {
            model.zeroGrad();
            model.forward(x).sum().backward();
            return layers.map((layer) => layer.weight.grad as NonNullable<typeof layer.weight.grad>);
          });
          step();
        }
        return events;
      };
      for (const events of await on(2).run(run, captured))
        expect(events).toEqual(
          [
            "bucket 0 of layer 2,2",
            captured ? null : "layer 1 goes back",
            "bucket 1 of layer 1,1",
            "bucket 2 of layer 0,0, the last",
          ].filter((event) => event !== null),
        );
    }
  });

  it("starts a captured step's buckets between the ops of its backward pass", async () => {
    const run = (group: ProcessGroup): string[] => {
      const { nn, ones, toStatic, distributed } = mlsys;
      const layers = Array.from({ length: 3 }, () => new nn.Dense(4, 4, { bias: false }));
      const options = { group, firstBucketBytes: 64, bucketBytes: 64 };
      const model = new distributed.DistributedDataParallel(new nn.Sequential(...layers), options);
      const step = toStatic((x: import("../../core/tensor.js").Tensor) => {
        model.zeroGrad();
        model.forward(x).square().sum().backward();
        return layers.map((layer) => layer.weight.grad as NonNullable<typeof layer.weight.grad>);
      });
      const names = step.graphFor(ones([2, 4])).nodes.map(({ op }) => op.name);
      return names.filter((name) => name === "matmul" || name.startsWith("allReduce"));
    };
    const product = "matmul";
    for (const names of await on(2).run(run))
      expect(names).toEqual([
        ...[product, product, product], // forward
        ...[product, product, "allReduceStart0"], // gradients of the last weights, and of what goes in
        ...[product, product, "allReduceStart1"],
        ...[product, "allReduceStart2"],
        ...["allReduceDone0", "allReduceDone1", "allReduceDone2"],
      ]);
  });

  it("adds gradients up under noSync, and averages the sum: as one large batch", async () => {
    for (const optimizer of ["SGD", "Adam"] as const) {
      const training: Training = { ...base, kind: "mlp", optimizer, clipNorm: 0.3 };
      const single = trainOn(null, training);
      for (const rank of await on(2).run(trainOn, { ...training, micro: 3 }))
        expectTrainedAlike(rank, single);
    }
  });

  it("finds parameters that a rank does not use, and such that none uses", async () => {
    const run = (group: ProcessGroup, findUnused: boolean) => {
      const { nn, ones, distributed } = mlsys;
      class Branches extends nn.Module {
        parts = [0, 1, 2, 3].map(() => new nn.Dense(2, 1, { bias: false }));
        override forward(x: import("../../core/tensor.js").Tensor) {
          return this.parts[0].forward(x).add(this.parts[1 + group.rank].forward(x)); // nobody takes the last
        }
      }
      const model = new distributed.DistributedDataParallel(new Branches(), { group, findUnused });
      for (let i = 0; i < 2; i++) {
        model.zeroGrad();
        model
          .forward(ones([1, 2]))
          .sum()
          .backward();
      }
      return model.parameters().map(({ grad }) => grad?.toArray() ?? null);
    };
    const [all, half, none] = [
      [[1], [1]],
      [[0.5], [0.5]],
      [[0], [0]],
    ];
    for (const grads of await on(2).run(run, true)) expect(grads).toEqual([all, half, half, null]);
    for (const grads of await on(2).run(run, false)) expect(grads).toEqual([all, half, half, none]);
  });

  it("brings rank 0's weights and running means to all", async () => {
    const run = (group: ProcessGroup, captured: boolean) => {
      const { nn, full, toStatic, Generator, distributed } = mlsys;
      const generator = new Generator(group.rank);
      const norm = new nn.BatchNorm(3);
      const inner = new nn.Sequential(new nn.Dense(2, 3, { generator }), norm);
      const model = new distributed.DistributedDataParallel(inner, { group });
      const plain = (x: import("../../core/tensor.js").Tensor) => model.forward(x).sum();
      const step = captured ? toStatic(plain) : plain;
      const x = full([4, 2], group.rank + 1).add(generator.normal([4, 2], 0, 1));
      for (let i = 0; i < 3; i++) step(x);
      model.forward(x); // in the beginning of which all are equal again
      const buffers = inner.namedVariables().filter(([, v]) => !v.requiresGrad);
      return {
        weights: inner.parameters().map((p) => p.toArray()),
        buffers: buffers.length,
        differ: norm.namedVariables().map(([, v]) => v.toArray()),
      };
    };
    for (const captured of [false, true]) {
      const [a, b] = await on(2).run(run, captured);
      expect(a.weights).toEqual(b.weights);
      expect(a.buffers).toBeGreaterThan(0);
      expect(a.differ).not.toEqual(b.differ); // the last forward's batches were different ones
    }
  });

  it("says which ranks' models and captured programs differ", async () => {
    const models = (group: ProcessGroup) => {
      const { nn, distributed } = mlsys;
      return new distributed.DistributedDataParallel(new nn.Dense(2, 2 + group.rank), { group }).training;
    };
    await expect(on(2).run(models)).rejects.toThrow(
      /the models of the ranks differ: variable 0 is weight: float32\(2, [23]\) on rank \d, weight: float32\(2, [23]\) on rank \d/,
    );
    const programs = (group: ProcessGroup) => {
      const { nn, ones, toStatic, distributed } = mlsys;
      const layers = [new nn.Dense(2, 2), new nn.Dense(2, 2)];
      const model = new distributed.DistributedDataParallel(new nn.Sequential(...layers), { group });
      const step = toStatic(() => {
        layers[group.rank]
          .forward(ones([1, 2]))
          .sum()
          .backward();
        return layers[group.rank].weight.grad as NonNullable<(typeof layers)[0]["weight"]["grad"]>;
      });
      return [model.training, step().toArray()];
    };
    await expect(on(2).run(programs)).rejects.toThrow(/rank \d has captured another program/);
  });

  it("goes on after a backward pass that failed", async () => {
    const run = (group: ProcessGroup) => {
      const { nn, ones, distributed } = mlsys;
      const inner = new nn.Sequential(new nn.Dense(2, 2), new nn.Dense(2, 2));
      const model = new distributed.DistributedDataParallel(inner, {
        group,
        firstBucketBytes: 8,
        bucketBytes: 8,
      });
      const pass = (): void =>
        model
          .forward(ones([1, 2]))
          .sum()
          .backward();
      pass();
      model.zeroGrad();
      const off = inner.layers[0].registerBackwardHook(() => {
        throw new Error("on purpose");
      });
      let message = "";
      try {
        pass();
      } catch (error) {
        message = (error as Error).message;
      }
      const none = model.parameters().every(({ grad }) => grad === null);
      off();
      pass();
      return { message, none, grads: model.parameters().map(({ grad }) => grad?.toArray()) };
    };
    const [a, b] = await on(2).run(run);
    expect(a.message).toBe("on purpose");
    expect(a.none).toBe(true);
    expect(a.grads).toEqual(b.grads);
  });
});

describe("distributed.fit", () => {
  it("trains the book's ToyModel (10 → 10 → 5, batches of 20) on two ranks as one process with batches of 40", async () => {
    const run = async (group: ProcessGroup | null, how: "eager" | "static" | "sharded") => {
      const { nn, optim, data, fit, distributed, Generator } = mlsys;
      const generator = new Generator(1);
      const toy = new nn.Sequential(
        new nn.Dense(10, 10, { generator }),
        new nn.ReLU(),
        new nn.Dense(10, 5, { generator }),
      );
      const rows = { x: generator.normal([200, 10], 0, 1), y: generator.normal([200, 5], 0, 1) };
      const size = group ? 20 : 40;
      const model =
        group && how === "sharded" ? new distributed.FullyShardedDataParallel(toy, { group }) : toy;
      const options = {
        loss: nn.mse,
        optimizer: new optim.SGD(model, { lr: 0.05 }),
        epochs: 2,
        clipNorm: 0.4,
        progress: false,
        static: how === "static",
      };
      const batches = data.batches(rows, { size });
      const history = await (group
        ? distributed.fit(model, batches, { ...options, group })
        : fit(toy, batches, options));
      const state =
        model instanceof distributed.FullyShardedDataParallel ? model.stateDict() : toy.stateDict();
      const weights = [...state].map(([name, value]): [string, number[]] => [
        name,
        Array.from(value.toTypedArray()),
      ]);
      return { losses: history.loss, weights, buckets: 0 };
    };
    const single = await run(null, "eager");
    expect(single.losses).toHaveLength(10);
    for (const how of ["eager", "static", "sharded"] as const)
      for (const rank of await on(2).run(run, how)) expectTrainedAlike(rank, single);
  });

  it("refuses data that it can't divide", async () => {
    const run = (group: ProcessGroup) => {
      const { nn, optim, distributed } = mlsys;
      const model = new nn.Dense(1, 1);
      const optimizer = new optim.SGD(model, { lr: 0.1 });
      const stream = (function* () {})() as Iterable<never>;
      return distributed.fit(model, stream, { group, loss: nn.mse, optimizer, progress: false });
    };
    await expect(on(2).run(run)).rejects.toThrow(/only a Dataset or a list of batches can be divided/);
  });
});
