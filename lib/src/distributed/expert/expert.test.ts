/** Experts on different members against all of them in one process. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { library } from "../../../test/support/built-library.js";

const { distributed, Generator, grad, nn, ones, optim, tensor, Tensor } = library;
type Tensor = InstanceType<typeof Tensor>;
type ProcessGroup = import("../group/process-group.js").ProcessGroup;

let team: import("../launch/team.js").Team;
beforeAll(async () => {
  team = await distributed.team(3);
});
afterAll(() => team.close());

async function on<R>(size: number, body: (group: ProcessGroup) => R): Promise<R[]> {
  const results = await team.run((all: ProcessGroup) => {
    const group = all.subgroup(Array.from({ length: size }, (_, i) => i));
    return group ? body(group) : null;
  });
  return results.slice(0, size) as R[];
}

describe("expert parallelism", () => {
  it("trains as all experts in one process, with tokens dropped and uneven counts", async () => {
    for (const [size, topK, capacityFactor] of [
      [2, 2, 1],
      [3, 1, 0.8],
      [3, 2, Number.POSITIVE_INFINITY],
    ] as const) {
      const results = await on(size, (group) => {
        const make = (options: { group?: ProcessGroup; parts?: number }) => {
          const generator = new Generator(3);
          return new distributed.MixtureOfExperts(
            6,
            5,
            () =>
              new nn.Sequential(
                new nn.Dense(6, 8, { generator }),
                new nn.ReLU(),
                new nn.Dense(8, 6, { generator }),
              ),
            { topK, capacityFactor, generator, ...options },
          );
        };
        const [whole, parallel] = [make({ parts: size }), make({ group })];
        const generator = new Generator(7);
        const [x, y] = [generator.normal([size * 8, 6]), generator.normal([size * 8, 6])];
        const rows = [group.rank * 8, group.rank * 8 + 8] as const;
        const optimizers = [new optim.SGD(whole, { lr: 0.5 }), new optim.SGD(parallel, { lr: 0.5 })];
        const seen: { output: number; dropped: number[]; load: number[][] }[] = [];
        for (let step = 0; step < 3; step++) {
          for (const optimizer of optimizers) optimizer.zeroGrad();
          const all = whole.mix(x);
          nn.mse(x.add(all.output), y).add(all.balance.mul(0.01)).backward();
          const mine = parallel.mix(x.slice(rows));
          nn.mse(x.slice(rows).add(mine.output), y.slice(rows)).add(mine.balance.mul(0.01)).backward();
          distributed.averageGradients(parallel.parameters(), group);
          const dropped = group
            .allReduce(tensor([mine.dropped, ...mine.load]))
            .wait()
            .toArray() as number[];
          seen.push({
            output: all.output.slice(rows).sub(mine.output).abs().max().item(),
            dropped: [all.dropped, dropped[0]],
            load: [[...all.load], dropped.slice(1)],
          });
          for (const optimizer of optimizers) optimizer.step();
        }
        const state = distributed.wholeState(parallel);
        const worst = [...whole.stateDict()].map(([name, v]): [string, number] => [
          name,
          v
            .sub(state.get(name) as Tensor)
            .abs()
            .max()
            .item(),
        ]);
        return { seen, worst, own: Object.keys(parallel.experts).length };
      });
      for (const { seen, worst } of results) {
        for (const { output, dropped, load } of seen) {
          expect(output).toBeLessThan(1e-5);
          expect(dropped[1]).toBe(dropped[0]);
          expect(load[1]).toEqual(load[0]);
          if (capacityFactor < 2) expect(dropped[0]).toBeGreaterThan(0);
          else expect(dropped[0]).toBe(0);
        }
        for (const [name, difference] of worst) expect(difference, name).toBeLessThan(1e-5);
      }
      expect(results.reduce((sum, { own }) => sum + own, 0)).toBe(5);
    }
  });

  it("an expert that gets no token hangs nobody", async () => {
    const results = await on(2, (group) => {
      const mixture = new distributed.MixtureOfExperts(2, 2, () => new nn.Dense(2, 2), {
        group,
        topK: 1,
        capacityFactor: 9,
      });
      mixture.gate.weight.assign([
        [5, -5],
        [5, -5],
      ]);
      const g = grad((m: typeof mixture, x: Tensor) => m.mix(x).output.square().sum())(mixture, ones([3, 2]));
      const expert = Object.values(g.experts)[0] as InstanceType<typeof nn.Dense>;
      return [mixture.mix(ones([3, 2])).load, expert.weight.abs().sum().item() > 0];
    });
    expect(results).toEqual([
      [[3, 0], true],
      [[3, 0], false],
    ]);
  });

  it("refuses what can't be", () => {
    const make =
      (options: object, count = 2): (() => unknown) =>
      () =>
        new distributed.MixtureOfExperts(4, count, () => new nn.Dense(4, 4), options);
    expect(make({ topK: 3 })).toThrow("topK is 1 … 2, the number of experts, got 3");
    expect(make({ capacityFactor: 0 })).toThrow("capacity factor is positive");
    expect(make({ group: { rank: 0, size: 3 } })).toThrow("2 experts can't be shared out among 3 members");
    const mixture = new distributed.MixtureOfExperts(4, 2, () => new nn.Dense(4, 4));
    expect(() => mixture.forward(ones([2, 3]))).toThrow("tokens (…, 4) wanted, got (2, 3)");
  });
});
