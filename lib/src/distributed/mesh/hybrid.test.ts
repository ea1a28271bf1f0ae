/** Data, pipeline and tensor parallelism at once, against one process. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { library } from "../../../test/support/built-library.js";

const { distributed, Generator, nn, optim, Tensor } = library;
type Tensor = InstanceType<typeof Tensor>;
type ProcessGroup = import("../group/process-group.js").ProcessGroup;

let team: import("../launch/team.js").Team;
beforeAll(async () => {
  team = await distributed.team(8);
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

describe("hybrid meshes", () => {
  it("a group along each axis, and along several", async () => {
    const results = await on(4, (group) => {
      const grid = distributed.mesh(group, { data: 2, tensor: -1 });
      return {
        text: String(grid),
        data: grid.group("data").ranks,
        tensor: grid.group("tensor").ranks,
        both: grid.group("tensor", "data").ranks,
        seeds: [grid.seed(1), grid.seed(1, "data")],
      };
    });
    expect(results.map(({ text }) => text)).toEqual([
      "mesh(data 0/2, tensor 0/2)",
      "mesh(data 0/2, tensor 1/2)",
      "mesh(data 1/2, tensor 0/2)",
      "mesh(data 1/2, tensor 1/2)",
    ]);
    expect(results[2]).toMatchObject({ data: [0, 2], tensor: [2, 3], both: [0, 1, 2, 3] });
    expect(results[3].data).toEqual([1, 3]);
    const seeds = results.map((found) => found.seeds);
    expect(new Set(seeds.map(([same]) => same)).size).toBe(1);
    expect(seeds[0][1]).toBe(seeds[1][1]); // copies along the tensor axis drop alike
    expect(seeds[0][1]).not.toBe(seeds[2][1]);
  });

  it("the book's hybrid on four devices: two replicas, each of two stages", async () => {
    const results = await on(4, (group) => {
      const grid = distributed.mesh(group, { data: 2, pipeline: 2 });
      const make = (): InstanceType<typeof nn.Sequential> => {
        const generator = new Generator(3);
        return new nn.Sequential(
          ...[new nn.Dense(5, 8, { generator }), new nn.Tanh(), new nn.Dense(8, 3, { generator })],
        );
      };
      const generator = new Generator(9);
      const [x, y] = [generator.normal([8, 5]), generator.normal([8, 3])];
      const whole = make();
      const pipe = distributed.pipeline(make(), grid.group("pipeline"), {
        microBatches: 2,
        loss: (a, b) => nn.mse(a, b),
      });
      const mine = [4 * grid.coordinates.data, 4 * grid.coordinates.data + 4] as const;
      const optimizers = [new optim.AdamW(whole, { lr: 0.1 }), new optim.AdamW(pipe, { lr: 0.1 })];
      for (let step = 0; step < 3; step++) {
        for (const optimizer of optimizers) optimizer.zeroGrad();
        nn.mse(whole.forward(x), y).backward();
        pipe.forwardBackward(x.slice(mine), y.slice(mine));
        distributed.averageGradients(pipe.parameters(), grid.group("data"));
        for (const optimizer of optimizers) optimizer.step();
      }
      const state = pipe.wholeState();
      return Math.max(
        ...[...whole.stateDict()].map(([name, v]) =>
          v
            .sub(state.get(name) as Tensor)
            .abs()
            .max()
            .item(),
        ),
      );
    });
    for (const worst of results) expect(worst).toBeLessThan(1e-5);
  });

  it("a GPT on 2 × 2 × 2 members: data, pipeline, tensor with sequence", async () => {
    const results = await on(8, (group) => {
      const grid = distributed.mesh(group, { data: 2, pipeline: 2, tensor: 2 });
      const make = (): InstanceType<typeof nn.CausalLM> =>
        new nn.CausalLM({
          ...{ vocabulary: 31, context: 8, size: 16, depth: 2, heads: 2, dropout: 0 },
          generator: new Generator(5),
        });
      const tensors = grid.group("tensor");
      const parallel = distributed.tensorParallel(make(), tensors, undefined, { sequence: true });
      const pipe = distributed.pipeline(parallel.layers, grid.group("pipeline"), {
        microBatches: 2,
        recompute: true,
        loss: (own, t) => distributed.vocabParallelCrossEntropy(own, t, tensors, 31),
      });
      const tokens = new Generator(11).randint([4, 9], 0, 31);
      const [x, y] = [tokens.slice(":", ":8"), tokens.slice(":", "1:")];
      const mine = [2 * grid.coordinates.data, 2 * grid.coordinates.data + 2] as const;
      const whole = group.rank === 0 ? make() : null; // once is enough
      const reference = whole && new optim.AdamW(whole, { lr: 0.01 });
      const optimizer = new optim.AdamW(pipe, { lr: 0.01 });
      const losses: number[][] = [];
      for (let step = 0; step < 3; step++) {
        optimizer.zeroGrad();
        const loss = pipe.forwardBackward(x.slice(mine), y.slice(mine));
        distributed.averageGradients(pipe.parameters(), grid.group("data"));
        const length = distributed.clipGradients(pipe, 0.4);
        optimizer.step();
        const all = grid.group("data").allGatherObject(loss).wait();
        losses.push([all.reduce((a, b) => a + b) / 2, length]);
        if (!whole || !reference) continue;
        reference.zeroGrad();
        const wanted = nn.crossEntropy(whole.forward(x), y);
        wanted.backward();
        losses[step].push(wanted.item(), optim.clipGradNorm(whole, 0.4));
        reference.step();
      }
      const state = pipe.wholeState();
      const worst = [...(whole?.stateDict() ?? [])].map(([name, v]): [string, number] => [
        name,
        v
          .sub(state.get(name) as Tensor)
          .abs()
          .max()
          .item(),
      ]);
      return { losses, worst, held: pipe.parameters().reduce((sum, p) => sum + p.size, 0) };
    });
    expect(results[0].worst).toHaveLength(28);
    for (const [name, difference] of results[0].worst) expect(difference, name).toBeLessThan(1e-4);
    for (const [got, length, wanted, wholeLength] of results[0].losses) {
      expect(got).toBeCloseTo(wanted, 5);
      expect(length).toBeCloseTo(wholeLength, 4);
      expect(length).toBeGreaterThan(0.4);
    }
    for (const { losses } of results)
      expect(losses.map(([got]) => got)).toEqual(results[0].losses.map(([got]) => got));
    const whole = 31 * 16 + 8 * 16 + 2 * (12 * 16 * 16 + 13 * 16) + 32;
    for (const { held } of results) expect(held).toBeLessThan(0.4 * whole);
  });
});
