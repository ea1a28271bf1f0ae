/** Cut models against whole ones, on threads. Every rank also computes the whole model, from the same seed. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { library } from "../../../test/support/built-library.js";

const { capture, checkpoint, distributed, grad, gradCheck, jvp, Generator, noGrad, numericGrad } = library;
const { nn, ones, optim, tensor, Tensor, variable, vmap } = library;
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

describe("collectives in a forward pass", () => {
  it("have the gradients of differences, and those of gradients", async () => {
    const results = await on(3, (group) => {
      const x = tensor(
        [
          [0.3, -0.2, 0.5, 0.9],
          [0.1, 0.7, -0.4, 0.2],
        ],
        { dtype: "float64" },
      );
      const d = distributed;
      const own = group.rank + 1;
      const paths: Record<string, (x: Tensor) => Tensor> = {
        sum: (x) => d.reduceFromTensorParallel(d.copyToTensorParallel(x, group).mul(own).sin(), group),
        parts: (x) =>
          d.gatherFromTensorParallel(d.scatterToTensorParallel(x, group).mul(own).sin(), group, { whole: 4 }),
        sequence: (x) => {
          const part = d.scatterToTensorParallel(x, group, 1);
          const all = d.gatherFromSequenceParallel(part, group, { axis: 1, whole: 4 });
          const back = d.reduceScatterToSequenceParallel(all.mul(own).sin(), group, 1);
          return d.gatherFromTensorParallel(back.cos(), group, { whole: 4 });
        },
      };
      return Object.entries(paths).map(([name, path]) => {
        const loss = (x: Tensor): Tensor => path(x).square().sum();
        const slope = (x: Tensor): Tensor => grad(loss)(x).sin().sum();
        const mapped = vmap(path)(x.expandDims(1)).squeeze(1).sub(path(x)).abs().max().item();
        const again = grad((x: Tensor) => checkpoint(loss)(x))(x)
          .sub(grad(loss)(x))
          .abs()
          .max()
          .item();
        const along = jvp(path, [x], [x.cos()])[1];
        const step = 1e-6;
        const expected = path(x.add(x.cos().mul(step)))
          .sub(path(x.sub(x.cos().mul(step))))
          .div(2 * step);
        return {
          name,
          first: gradCheck(loss, x).error,
          second: gradCheck(slope, x).error,
          mapped,
          again,
          tangent: along.sub(expected).abs().max().item(),
        };
      });
    });
    for (const found of results.flat()) {
      expect(found.first, found.name).toBeLessThan(1e-6);
      expect(found.second, found.name).toBeLessThan(1e-6);
      expect(found.tangent, found.name).toBeLessThan(1e-8);
      expect([found.mapped, found.again], found.name).toEqual([0, 0]);
    }
  });

  it("rows that are exchanged send their gradients back", async () => {
    const results = await on(3, (group) => {
      // member r sends (r + c) mod 3 rows to member c
      const send = [0, 1, 2].map((c) => (group.rank + c) % 3);
      const x = ones([3, 2], { dtype: "float64" }).mul(0.1 * (group.rank + 1));
      const loss = (x: Tensor): Tensor => {
        const came = distributed.exchangeRows(x, group, { send, receive: send });
        return came
          .mul(group.rank + 1)
          .sin()
          .sum();
      };
      const exact = grad(loss)(x);
      // the sum of all members' losses, by the rows of one member after the other
      let worst = 0;
      for (let member = 0; member < 3; member++) {
        const total = (y: Tensor): Tensor => group.allReduce(loss(member === group.rank ? y : x)).wait();
        const difference = numericGrad(total)(x).sub(exact).abs().max().item();
        if (member === group.rank) worst = difference;
      }
      return worst;
    });
    for (const worst of results) expect(worst).toBeLessThan(1e-8);
  });

  it("refuse graphs, counts and lengths that can't be", async () => {
    const failure = async (body: (group: ProcessGroup) => unknown): Promise<string> => {
      const texts = await team.run((all: ProcessGroup) => {
        try {
          body(all);
        } catch (error) {
          return (error as Error).message;
        }
        return "no error";
      });
      return texts[0];
    };
    expect(
      await failure((group) => capture((x: Tensor) => distributed.copyToTensorParallel(x, group), ones([2]))),
    ).toContain("copyToTensorParallel: a captured graph can't hold what members say to each other");
    expect(
      await failure((group) => distributed.exchangeRows(ones([2]), group, { send: [1, 1], receive: [1, 1] })),
    ).toContain("counts for 4 members of 2 rows wanted");
    expect(
      await failure((group) => distributed.gatherFromTensorParallel(ones([2 + group.rank]), group)),
    ).toMatch(/parts of 8 along axis 0 wanted|give \{ whole \}/);
  });
});

describe("tensor parallel", () => {
  it("an MLP by columns and rows trains as the whole one, on 2, 3 and 4 ranks", async () => {
    for (const size of [2, 3, 4]) {
      const results = await on(size, (group) => {
        const make = (): InstanceType<typeof nn.Sequential> => {
          const generator = new Generator(3);
          return new nn.Sequential(
            new nn.Dense(5, 10, { generator }),
            new nn.Tanh(),
            new nn.Dense(10, 7, { generator }),
          );
        };
        const [whole, source] = [make(), make()];
        const parallel = distributed.tensorParallel(source, group, {
          "layers.0": "column",
          "layers.2": "row",
        });
        const generator = new Generator(9);
        const [x, y] = [generator.normal([8, 5]), generator.normal([8, 7])];
        const train = (model: typeof whole): number[] => {
          const optimizer = new optim.AdamW(model.parameters(), { lr: 0.05 });
          return Array.from({ length: 5 }, () => {
            optimizer.zeroGrad();
            const loss = nn.mse(model.forward(x), y);
            loss.backward();
            optimizer.step();
            return loss.item();
          });
        };
        const losses = [train(whole), train(parallel)];
        const state = distributed.wholeState(parallel);
        const worst = Math.max(
          ...[...whole.stateDict()].map(([name, v]) =>
            v
              .sub(state.get(name) as Tensor)
              .abs()
              .max()
              .item(),
          ),
        );
        // and back into an ordinary model
        source.loadStateDict(state);
        const same = source.forward(x).sub(parallel.forward(x)).abs().max().item();
        distributed.loadWholeState(parallel, make().stateDict());
        const fresh = parallel.forward(x).sub(make().forward(x)).abs().max().item();
        return { losses, worst, same, fresh, shape: parallel.parameters()[0].shape };
      });
      for (const { losses, worst, same, fresh } of results) {
        for (const [i, loss] of losses[0].entries()) expect(losses[1][i]).toBeCloseTo(loss, 5);
        expect(losses[0][4]).toBeLessThan(losses[0][0]);
        expect(worst).toBeLessThan(1e-5);
        expect(same).toBeLessThan(1e-5);
        expect(fresh).toBeLessThan(1e-5);
      }
      expect(results.map(({ shape }) => shape[1]).reduce((a, b) => a + b)).toBe(10);
    }
  });

  it("a GPT trains as the whole one, with and without sequence parallelism, dropout and all", async () => {
    for (const [size, sequence] of [
      [2, false],
      [2, true],
      [4, true],
    ] as const) {
      const results = await on(size, (group) => {
        const make = (): InstanceType<typeof nn.CausalLM> =>
          new nn.CausalLM({
            ...{ vocabulary: 31, context: 8, size: 16, depth: 2, heads: 4, dropout: 0.2 },
            generator: new Generator(5),
          });
        const whole = make();
        const parallel = distributed.tensorParallel(make(), group, undefined, { sequence });
        const generator = new Generator(11);
        const tokens = generator.randint([3, 9], 0, 31);
        const [x, y] = [tokens.slice(":", ":8"), tokens.slice(":", "1:")];
        const losses: number[][] = [];
        const optimizers = [whole, parallel].map((model) => new optim.SGD(model.parameters(), { lr: 0.5 }));
        for (let step = 0; step < 3; step++) {
          for (const optimizer of optimizers) optimizer.zeroGrad();
          const pair = [
            nn.crossEntropy(whole.forward(x), y, { ignoreIndex: 3 }),
            parallel.loss(x, y, { ignoreIndex: 3 }),
          ];
          for (const loss of pair) loss.backward();
          for (const optimizer of optimizers) optimizer.step();
          losses.push(pair.map((loss) => loss.item()));
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
        const logits = noGrad(() =>
          parallel.eval().forward(x).sub(whole.eval().forward(x)).abs().max().item(),
        );
        return {
          losses,
          worst,
          logits,
          names: [...state.keys()].join() === [...whole.stateDict().keys()].join(),
        };
      });
      for (const found of results) {
        for (const [whole, parallel] of found.losses) expect(parallel).toBeCloseTo(whole, 5);
        expect(found.losses[2][0]).not.toBe(found.losses[0][0]);
        for (const [name, difference] of found.worst) expect(difference, name).toBeLessThan(1e-5);
        expect(found.logits).toBeLessThan(1e-5);
      }
    }
  });

  it("an encoder's block by its usual plan: attention by heads, the network by columns and rows", async () => {
    const results = await on(2, (group) => {
      const make = (): InstanceType<typeof nn.TransformerEncoderLayer> =>
        new nn.TransformerEncoderLayer(8, 2, { dropout: 0.3, generator: new Generator(2) });
      const [whole, parallel] = [make(), distributed.tensorParallel(make(), group)];
      const x = variable(new Generator(4).normal([2, 3, 8]));
      const outcome = (model: typeof whole): number[] => {
        x.zeroGrad();
        const y = model.forward(x, { causal: true });
        y.square().sum().backward();
        return [...y.reshape([48]).toArray(), ...(x.grad as Tensor).reshape([48]).toArray()] as number[];
      };
      const [wanted, got] = [outcome(whole), outcome(parallel)];
      return [Math.max(...wanted.map((v, i) => Math.abs(v - got[i]))), parallel.attention.constructor.name];
    });
    for (const [worst, name] of results) {
      expect(worst).toBeLessThan(1e-4);
      expect(name).toBe("ParallelAttention");
    }
  });

  it("attention with parts of the sequence outside, other keys, and a padded vocabulary in front", async () => {
    const results = await on(2, (group) => {
      const make = () => {
        const generator = new Generator(6);
        return {
          embedding: new nn.Embedding(7, 8, { generator, paddingIndex: 0 }),
          attention: new nn.MultiHeadAttention(8, 4, { generator }),
        };
      };
      const [whole, source] = [make(), make()];
      const embedding = new distributed.VocabParallelEmbedding(source.embedding, group, { sequence: true });
      const attention = new distributed.ParallelAttention(source.attention, group, { sequence: true });
      const [query, key] = [tensor([[1, 0, 6, 3]], { dtype: "int32" }), tensor([[5, 2]], { dtype: "int32" })];
      const wanted = whole.attention.forward(whole.embedding.forward(query), whole.embedding.forward(key));
      const own = attention.forward(embedding.forward(query), embedding.forward(key));
      const got = distributed.gatherFromTensorParallel(own, group, { axis: 1 });
      wanted.square().sum().backward();
      got.square().sum().backward();
      const mine = whole.embedding.weight.grad?.slice(group.rank === 0 ? ":4" : "4:") as Tensor;
      return [
        wanted.sub(got).abs().max().item(),
        mine
          .sub(embedding.weight.grad as Tensor)
          .abs()
          .max()
          .item(),
        own.shape[1],
      ];
    });
    for (const [value, slope, length] of results) {
      expect(value).toBeLessThan(1e-5);
      expect(slope).toBeLessThan(1e-5);
      expect(length).toBe(2);
    }
  });

  it("cross entropy over a cut vocabulary is that of the whole", async () => {
    const results = await on(3, (group) => {
      const logits = new Generator(1).normal([4, 10], 0, 30);
      const labels = tensor([0, 9, 5, 2], { dtype: "int32" });
      const starts = [0, 4, 7, 10];
      const own = variable(logits.slice(":", [starts[group.rank], starts[group.rank + 1]]));
      const all = variable(logits);
      return [{}, { labelSmoothing: 0.1 }, { ignoreIndex: 5 }, { reduction: "sum" as const }].map(
        (options) => {
          own.zeroGrad();
          all.zeroGrad();
          const got = distributed.vocabParallelCrossEntropy(own, labels, group, 10, options);
          const wanted = nn.crossEntropy(all, labels, options);
          got.backward();
          wanted.backward();
          const slope = (all.grad as Tensor).slice(":", [starts[group.rank], starts[group.rank + 1]]);
          return [
            got.sub(wanted).abs().item(),
            slope
              .sub(own.grad as Tensor)
              .abs()
              .max()
              .item(),
          ];
        },
      );
    });
    for (const [value, slope] of results.flat()) {
      expect(value).toBeLessThan(1e-4);
      expect(slope).toBeLessThan(1e-5);
    }
  });

  it("the book's operators that do not fit: 16 GB on devices of 10 GB is cut in two, 1 GB is not", async () => {
    // in MB: weights of 16 and 1, limit 10
    const results = await on(2, (group) => {
      const generator = new Generator(8);
      const MB = 2 ** 20 / 4;
      const [first, second] = [
        new nn.Dense(1024, (16 * MB) / 1024, { bias: false, generator }),
        new nn.Dense((16 * MB) / 1024, MB / ((16 * MB) / 1024), { bias: false, generator }),
      ];
      const whole = new nn.Sequential(first, second);
      const parallel = distributed.tensorParallel(whole, group, { "layers.0": "column, gathered" });
      const bytes = parallel.parameters().map((p) => (p.size * 4) / 2 ** 20);
      const x = generator.normal([2, 1024]);
      const [y, z] = [whole.forward(x), parallel.forward(x)];
      return [...bytes, y.sub(z).abs().max().item() / y.abs().max().item()];
    });
    for (const [first, second, error] of results) {
      expect([first, second]).toEqual([8, 1]);
      expect(error).toBeLessThan(1e-5);
    }
  });

  it("refuses plans that can't be", async () => {
    const results = await on(2, (group) => {
      const model = new nn.Sequential(new nn.Dense(2, 2), new nn.ReLU());
      const told = (f: () => unknown): string => {
        try {
          f();
        } catch (error) {
          return (error as Error).message;
        }
        return "no error";
      };
      const parallel = distributed.tensorParallel(model, group, { "layers.0": "column" });
      return [
        told(() => distributed.tensorParallel(model, group)),
        told(() => distributed.tensorParallel(model, group, { "layers.5": "column" })),
        told(() => distributed.tensorParallel(model, group, { "layers.1": "row" })),
        told(() => distributed.tensorParallel(model, group, { "layers.0": "rows" as never })),
        told(() => new distributed.ParallelAttention(new nn.MultiHeadAttention(6, 3), group)),
        told(() => distributed.loadWholeState(parallel, new nn.Sequential(new nn.Dense(2, 3)).stateDict())),
      ];
    });
    expect(results[0]).toEqual(results[1]);
    const [nothing, nowhere, wrong, unknown, heads, shape] = results[0];
    expect(nothing).toContain("nothing that is usually cut");
    expect(nowhere).toContain('no module at "layers.5"');
    expect(wrong).toContain('"layers.1" is a ReLU, "row" is for Dense');
    expect(unknown).toContain('there is no "rows"; there are column; column, gathered; row');
    expect(heads).toContain("3 heads can't be shared out evenly among 2 members");
    expect(shape).toContain("layers.0.weight has shape (2, 3), a part (2, 1) of (2, 2) is wanted");
  });
});
