/** Sharded training on threads against the same training on one process, and its memory against the ZeRO paper's count. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { library as built } from "../../../test/support/built-library.js";
import { expectTrainedAlike, type Training, trainOn } from "../../../test/support/rank-training.js";
import type { ProcessGroup } from "../group/process-group.js";
import type { Team } from "../launch/team.js";

const mlsys = built; // what travels to ranks finds a constant, not an import
const { distributed } = mlsys;

const teams = new Map<number, Team>();
beforeAll(async () => {
  for (const size of [2, 3, 4]) teams.set(size, await distributed.team(size));
});
afterAll(async () => {
  for (const team of teams.values()) await team.close();
});
const on = (size: number): Team => teams.get(size) as Team;

const base = { mode: "backward", optimizer: "Adam", steps: 4, batch: 24 } as const;

describe("FullyShardedDataParallel", () => {
  for (const kind of ["mlp", "cnn", "gpt"] as const)
    it(`trains the ${kind} as one process does, at each stage, on 2, 3 and 4 ranks`, async () => {
      const training: Training = { ...base, kind, clipNorm: 0.5, micro: 2 };
      const single = trainOn(null, training);
      for (const [size, stage] of [
        [2, 1],
        [3, 2],
        [4, 3],
        [3, 3],
      ] as const) {
        const ranks = await on(size).run(trainOn, { ...training, stage });
        for (const rank of ranks) {
          expectTrainedAlike(rank, single);
          expect(rank.weights).toEqual(ranks[0].weights);
        }
      }
    });

  it("keeps on each rank the memory that the paper counts", async () => {
    const measure = async (group: ProcessGroup, stage: 1 | 2 | 3) => {
      const { nn, optim, heapStats, ones, noGrad } = mlsys;
      // what the program has let go of is there until the collector looks
      process.getBuiltinModule("node:v8").setFlagsFromString("--expose-gc");
      const gc = process.getBuiltinModule("node:vm").runInNewContext("gc") as () => void;
      const collect = async (): Promise<void> => {
        gc();
        await new Promise((resolve) => setImmediate(resolve));
      };
      for (let live = -1; live !== heapStats().liveBytes; ) {
        live = heapStats().liveBytes;
        for (let k = 0; k < 2; k++) await collect();
      }
      const before = heapStats().liveBytes;
      const layers = Array.from({ length: 4 }, () => new nn.Dense(128, 128, { bias: false }));
      const model = new mlsys.distributed.FullyShardedDataParallel(new nn.Sequential(...layers), {
        group,
        stage,
        mixedPrecision: "bfloat16",
      });
      const optimizer = new optim.Adam(model, { lr: 0.01 });
      const x = noGrad(() => ones([2, 128]));
      const step = (update: boolean): void => {
        model.forward(x).mean().backward();
        if (!update) return;
        optimizer.step();
        optimizer.zeroGrad();
      };
      step(true);
      step(false); // parameters, gradients and the optimizer's state are there
      x.dispose();
      const parameters = 4 * 128 * 128;
      const wanted = mlsys.distributed.zeroMemory({ parameters, ranks: group.size, stage });
      const bytes = (): number => heapStats().liveBytes - before;
      for (let i = 0; i < 100 && bytes() > wanted * 1.05; i++) await collect();
      return { bytes: bytes(), parameters, kept: [model.parameters().length, optimizer.parameters.length] };
    };
    for (const [ranks, stage] of [
      [2, 1],
      [2, 2],
      [4, 3],
    ] as const)
      for (const { bytes, parameters } of await on(ranks).run(measure, stage)) {
        // at stage 3 no 16-bit copy of the part is kept: the 32-bit one is rounded when it is sent
        const kept = stage === 3 ? { parameterBytes: 0, gradientBytes: 2 } : {};
        const wanted = distributed.zeroMemory({ parameters, ranks, stage, ...kept });
        expect(bytes / wanted, `stage ${stage} on ${ranks} ranks: ${bytes} of ${wanted}`).toBeGreaterThan(
          0.97,
        );
        expect(bytes / wanted, `stage ${stage} on ${ranks} ranks: ${bytes} of ${wanted}`).toBeLessThan(1.05);
      }
  });

  it("computes in 16 bits, and updates in 32", async () => {
    const training: Training = { ...base, kind: "mlp", optimizer: "SGD", steps: 6 };
    const single = trainOn(null, training);
    const ranks = await on(2).run(trainOn, { ...training, stage: 3, mixedPrecision: "bfloat16" });
    expectTrainedAlike(ranks[0], single, 0.03); // 8 bits of mantissa
    expect(ranks[0].weights).toEqual(ranks[1].weights);
    const halves = ranks[0].weights.flatMap(([, values]) => values.filter((v) => v === roundedToBfloat16(v)));
    expect(halves.length).toBeLessThan(20); // weights are not rounded: only what the layers compute with
  });

  it("leaves a step out on all ranks where one of them sees an infinite gradient", async () => {
    const run = (group: ProcessGroup) => {
      const { nn, optim, ones, distributed } = mlsys;
      const model = new distributed.FullyShardedDataParallel(new nn.Dense(4, 2, { bias: false }), { group });
      const optimizer = new optim.SGD(model, { lr: 0.1 });
      const scaler = new distributed.ShardedGradScaler(group, { initScale: 8 });
      const before = model.stateDict().get("weight")?.toArray();
      const seen: unknown[] = [];
      for (const bad of [true, false]) {
        optimizer.zeroGrad();
        scaler.scale(model.forward(ones([1, 4])).sum()).backward();
        const [part] = model.parameters();
        if (bad && group.rank === 1) part.grad = (part.grad as NonNullable<typeof part.grad>).mul(Infinity);
        scaler.step(optimizer);
        scaler.update();
        seen.push(scaler.getScale());
      }
      const after = model.stateDict().get("weight")?.toTypedArray() as Float32Array;
      const first = (before as number[][]).flat();
      return { seen, moved: first.map((v, i) => v - after[i]) };
    };
    for (const { seen, moved } of await on(2).run(run)) {
      expect(seen).toEqual([4, 4]); // the first step was left out, the second was taken
      for (const by of moved) expect(by).toBeCloseTo(0.1, 5);
    }
  });

  it("takes whole values, and says what does not fit", async () => {
    const run = (group: ProcessGroup): string => {
      const { nn, zeros, distributed } = mlsys;
      const model = new distributed.FullyShardedDataParallel(new nn.Dense(3, 2), { group });
      const state = model.stateDict();
      model.loadStateDict(new Map([...state].map(([name, value]) => [name, value.mul(0).add(2)])));
      const sum = [...model.stateDict().values()].reduce((total, value) => total + value.sum().item(), 0);
      try {
        model.loadStateDict(new Map([["weight", zeros([2, 2])]]));
      } catch (error) {
        return `${sum} ${(error as Error).message}`;
      }
      return "loaded";
    };
    for (const text of await on(3).run(run))
      expect(text).toMatch(
        /^16 loadStateDict: weight has shape \(2, 2\), the model's is \(3, 2\); bias is missing/,
      );
  });

  it("can't be captured or differentiated as a tree, and says how to go on", async () => {
    const run = (group: ProcessGroup): string[] => {
      const { nn, ones, toStatic, valueAndGrad, distributed } = mlsys;
      const model = new distributed.FullyShardedDataParallel(new nn.Dense(2, 2), { group });
      const messageOf = (body: () => unknown): string => {
        try {
          body();
        } catch (error) {
          return (error as Error).message;
        }
        return "nothing thrown";
      };
      return [
        messageOf(() =>
          toStatic((x: import("../../core/tensor.js").Tensor) => model.forward(x))(ones([1, 2])),
        ),
        messageOf(() => valueAndGrad((m: typeof model) => m.forward(ones([1, 2])).sum())(model)),
      ];
    };
    for (const messages of await on(2).run(run))
      for (const message of messages) expect(message).toMatch(/take gradients with loss\.backward\(\)/);
  });
});

function roundedToBfloat16(value: number): number {
  return new Float32Array(
    new Uint32Array([new Uint32Array(new Float32Array([value]).buffer)[0] & 0xffff0000]).buffer,
  )[0];
}

describe("zeroMemory", () => {
  it("gives the figures of the paper and of the book", () => {
    const gb = (ranks: number, stage: 0 | 1 | 2 | 3): number =>
      distributed.zeroMemory({ parameters: 7.5e9, ranks, stage }) / 1e9;
    // Rajbhandari et al. 2020, figure 1 and table 1
    expect(gb(64, 0)).toBeCloseTo(120);
    expect(gb(64, 1)).toBeCloseTo(31.4, 1);
    expect(gb(64, 2)).toBeCloseTo(16.6, 1);
    expect(gb(64, 3)).toBeCloseTo(1.9, 1);
    expect(gb(4, 1)).toBeCloseTo(52.5);
    // book, chapter 9: 170 billion parameters of 32 bits
    const weights = {
      parameters: 170e9,
      stage: 0,
      parameterBytes: 4,
      gradientBytes: 0,
      optimizerBytes: 0,
    } as const;
    expect(distributed.zeroMemory(weights) / 1e9).toBe(680);
  });
});
