/** The search against brute force, and the plans that the literature knows where they are best. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { numbers, relativeError } from "../../../../test/support/finite-differences.js";
import { randomTensor } from "../../../../test/support/op-samples.js";
import { leaves } from "../../../core/tree.js";
import { distributed, graph as graphs, nn, type Tensor, tensor, valueAndGrad } from "../../../index.js";
import { GraphBuilder } from "../../../ir/builder.js";
import type { Graph } from "../../../ir/graph.js";
import { getOp } from "../../../ops/registry.js";
import { DEFAULT_CLUSTER } from "../cost.js";
import { costOfPlan } from "../plan.js";
import { formatDims } from "../sharding.js";
import { eliminate } from "./eliminate.js";
import { SearchSpace, searchPlan } from "./intra-op.js";
import { type ChoiceProblem, costOf, useOf } from "./problem.js";
import { solve } from "./solve.js";

const { autoSharded, logicalMesh, partitioned, pipelinePlan, pipelineStages } = distributed;

/** The best of all assignments. */
function exhaustive(problem: ChoiceProblem): { cost: number; values: number[] } | null {
  let best: { cost: number; values: number[] } | null = null;
  const values: number[] = [];
  const visit = (i: number): void => {
    if (i === problem.unary.length) {
      if (useOf(problem, values) > (problem.limit ?? Number.POSITIVE_INFINITY)) return;
      const cost = costOf(problem, values);
      if (!best || cost < best.cost) best = { cost, values: [...values] };
      return;
    }
    for (let k = 0; k < problem.unary[i].length; k++) {
      values[i] = k;
      visit(i + 1);
    }
  };
  visit(0);
  return best;
}

const integers = (length: number) =>
  fc.array(fc.integer({ min: 0, max: 20 }), { minLength: length, maxLength: length });

const problems = fc
  .array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 })
  .chain((sizes) => {
    const all = sizes.flatMap((_, v) => Array.from({ length: v }, (_u, u) => [u, v] as const));
    return fc.record({
      unary: fc.tuple(...sizes.map(integers)),
      use: fc.tuple(...sizes.map(integers)),
      pairs: fc.tuple(
        ...all.map(([u, v]) =>
          fc.option(
            integers(sizes[u] * sizes[v]).map((costs) => ({ u, v, costs: Float64Array.from(costs) })),
          ),
        ),
      ),
      limit: fc.integer({ min: 0, max: 60 }),
    });
  })
  .map(({ unary, use, pairs, limit }) => ({
    unary: unary.map((costs) => Float64Array.from(costs)),
    use: use.map((costs) => Float64Array.from(costs)),
    pairs: pairs.filter((pair) => pair !== null),
    limit,
  }));

describe("choice problems", () => {
  it("elimination finds the least cost", () => {
    fc.assert(
      fc.property(problems, ({ unary, pairs }) => {
        const problem = { unary, pairs };
        expect(costOf(problem, eliminate(problem) as number[])).toBe(exhaustive(problem)?.cost);
      }),
    );
  });

  it("with a limit, branch and bound finds and proves the least cost, or says that nothing fits", () => {
    fc.assert(
      fc.property(problems, (problem) => {
        const wanted = exhaustive(problem);
        if (!wanted) {
          expect(() => solve(problem)).toThrow(/no sharding/);
          return;
        }
        const got = solve(problem);
        expect(got.used).toBeLessThanOrEqual(problem.limit);
        expect(got.optimal).toBe(true);
        expect(got.cost).toBe(wanted.cost);
      }),
    );
  });
});

const sgdStep = (x: Tensor, w: Tensor, v: Tensor) => x.matmul(w).relu().matmul(v).square().mean();
const step = valueAndGrad(sgdStep, { argnums: [1, 2] });
/** Gradients lie as their weights. */
const tied = [
  [1, 1],
  [2, 2],
] as const;

describe("plans", () => {
  it("are the best of all plans, on small graphs", () => {
    const graph = graphs.capture(
      (x: Tensor, w: Tensor, v: Tensor) => x.matmul(w).relu().matmul(v),
      randomTensor("x", [4, 8]),
      randomTensor("w", [8, 4]),
      randomTensor("v", [4, 8]),
    );
    const cluster = { ...DEFAULT_CLUSTER, alpha: 1e-9, beta: 1e-9, flops: 1e8, bandwidth: 1e9 };
    for (const follow of [true, false]) {
      const options = { mesh: logicalMesh({ a: 2 }), cluster, follow };
      const wanted = exhaustive(new SearchSpace(graph, options).problem());
      const { choice, plan } = searchPlan(graph, options);
      expect(choice.optimal).toBe(true);
      expect(choice.cost).toBeCloseTo(wanted?.cost as number, 15);
      const { compute, communication } = costOfPlan(plan);
      expect(compute + communication).toBeCloseTo(choice.cost, 15);
    }
  });

  const dims = (program: { graph: Graph; shardingOf: (v: never) => never }, i: number) =>
    formatDims(program.shardingOf(program.graph.params[i] as never));

  it("a large batch through small layers: data parallel", () => {
    const args = [
      [4096, 16],
      [16, 32],
      [32, 16],
    ].map((shape, i) => randomTensor(`dp${i}`, shape, "float32"));
    const program = autoSharded(
      { mesh: logicalMesh({ x: 4 }), tied, cluster: { flops: 1e12, bandwidth: 1e10, beta: 1e-10 } },
      step,
      args[0],
      args[1],
      args[2],
    );
    expect([0, 1, 2].map((i) => dims(program as never, i))).toEqual(["[x, ·]", "[·, ·]", "[·, ·]"]);
    expect(program.found.choice.optimal).toBe(true);
    const got = leaves(program.run(args[0], args[1], args[2]));
    leaves(step(args[0], args[1], args[2])).forEach((y, i) => {
      expect(relativeError(numbers(got[i]), numbers(y))).toBeLessThan(1e-4);
    });
  });

  it("a small batch through large layers: Megatron's columns, then rows, and one sum", () => {
    const args = [
      [8, 512],
      [512, 1024],
      [1024, 512],
    ].map((shape, i) => randomTensor(`tp${i}`, shape, "float32"));
    const program = autoSharded(
      {
        mesh: logicalMesh({ x: 4 }),
        inputs: (_, i) => (i === 0 ? [null, null] : undefined),
        cluster: { flops: 1e12, bandwidth: 1e10, beta: 1e-9, alpha: 1e-7 },
      },
      (x: Tensor, w: Tensor, v: Tensor) => x.matmul(w).relu().matmul(v),
      args[0],
      args[1],
      args[2],
    );
    expect([1, 2].map((i) => dims(program as never, i))).toEqual(["[·, x]", "[x, ·]"]);
  });

  it("two axes: the batch on the slow one, the layers on the fast one", () => {
    const args = [
      [2048, 256],
      [256, 1024],
      [1024, 256],
    ].map((shape, i) => randomTensor(`mix${i}`, shape, "float32"));
    const program = autoSharded(
      {
        mesh: logicalMesh({ hosts: 2, gpus: 2 }),
        tied,
        inputs: (_, i) => (i === 0 ? ["hosts", null] : undefined),
        cluster: {
          flops: 1e11,
          bandwidth: 1e11,
          alpha: 1e-7,
          beta: 1e-11,
          links: { hosts: { alpha: 1e-6, beta: 1e-9 } },
        },
      },
      step,
      args[0],
      args[1],
      args[2],
    );
    expect(dims(program as never, 1)).toBe("[·, gpus]");
    expect(dims(program as never, 2)).toBe("[gpus, ·]");
  });
});

describe("graphs that are too wide for a proof", () => {
  it("a GPT's training step is cut, costs less than uncut and fits; the program gives what one device gives", () => {
    const lm = new nn.CausalLM({ vocabulary: 16, context: 8, size: 16, depth: 1, heads: 4, dropout: 0 });
    const tokens = tensor(
      Int32Array.from({ length: 32 }, (_, i) => (i * 7) % 16),
      { shape: [4, 8], dtype: "int32" },
    );
    const f = valueAndGrad((model: nn.CausalLM, x: Tensor, y: Tensor) =>
      nn.crossEntropy(model.forward(x).reshape([-1, 16]), y.reshape([-1])),
    );
    const cluster = { alpha: 1e-8, beta: 1e-11, flops: 1e10, bandwidth: 1e10 };
    const count = lm.parameters().length;
    const same = Array.from({ length: count }, (_, i) => [i + 1, i] as const);
    const whole = partitioned({ mesh: logicalMesh({ x: 4 }), cluster }, f, lm, tokens, tokens);
    const memory = 0.6 * whole.cost.memory;
    const options = { mesh: logicalMesh({ x: 4 }), tied: same, cluster: { ...cluster, memory } };
    const program = autoSharded(options, f, lm, tokens, tokens);
    const { compute, communication } = program.cost;
    expect(compute + communication).toBeLessThan(0.7 * whole.cost.compute);
    expect(program.found.choice.used).toBeLessThanOrEqual(memory);
    const got = leaves(program.run(lm, tokens, tokens));
    leaves(f(lm, tokens, tokens)).forEach((y, i) => {
      expect(relativeError(numbers(got[i]), numbers(y))).toBeLessThan(1e-4);
    });
  });
});

/** x·W₁·W₂ with weights of so many GiB, as types only: no memory is taken. */
function twoProducts(first: readonly [number, number], second: readonly [number, number]): Graph {
  const builder = new GraphBuilder("two");
  const x = builder.param({ shape: [64, first[0]], dtype: "float32" }, "x");
  const w = builder.param({ shape: first, dtype: "float32" }, "w1");
  const v = builder.param({ shape: second, dtype: "float32" }, "w2");
  const [y] = builder.node(getOp("matmul"), [x, w]);
  return builder.finish(builder.node(getOp("matmul"), [y, v]));
}

const GB = 2 ** 30;

describe("the book's devices of 10 GB", () => {
  it("an op of 16 GB is split over two of them; one of 1 GB need not be", () => {
    const graph = twoProducts([65536, 65536], [65536, 4096]); // 16 GiB and 1 GiB
    const { plan, choice } = searchPlan(graph, {
      mesh: logicalMesh({ devices: 2 }),
      cluster: { ...DEFAULT_CLUSTER, memory: 10 * GB },
    });
    const [, w] = graph.params;
    expect(plan.values.get(w)?.dims.flat()).toEqual(["devices"]);
    expect(choice.used).toBeLessThanOrEqual(10 * GB);
    expect(choice.optimal).toBe(true);
    expect(() =>
      searchPlan(graph, {
        mesh: logicalMesh({ devices: 1 }),
        cluster: { ...DEFAULT_CLUSTER, memory: 10 * GB },
      }),
    ).toThrow(/no sharding fits/);
  });

  it("two ops of 10 GB go to two devices, as stages", () => {
    const graph = twoProducts([51200, 51200], [51200, 51200]); // 9.77 GiB each
    const options = { devices: 2, microBatches: 8, layers: 2 };
    const cluster = { memory: 10 * GB };
    const { stages } = pipelinePlan(graph, { ...options, cluster, groups: [1] });
    expect(stages.map(({ devices, graph: part }) => [devices, part.nodes.length])).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect(stages.map(({ received }) => received)).toEqual([0, 64 * 51200 * 4]);
    // where ops may be split, NVLink makes that better: both devices work from the first micro-batch on
    const fast = pipelinePlan(graph, { ...options, cluster });
    expect(fast.stages.map(({ devices }) => devices)).toEqual([2]);
  });
});

describe("pipeline stages", () => {
  it("are the best of all cuts", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 1, max: 8 }),
        (work, devices, microBatches) => {
          const cost = (first: number, end: number, group: number) => {
            const sum = work.slice(first, end).reduce((a, b) => a + b, 0);
            return sum > 40 * group ? null : sum / group + group;
          };
          let best = Number.POSITIVE_INFINITY;
          const visit = (first: number, left: number, times: number[]): void => {
            if (first === work.length) {
              if (left > 0) return;
              const sum = times.reduce((a, b) => a + b, 0);
              best = Math.min(best, sum + (microBatches - 1) * Math.max(...times));
              return;
            }
            for (let end = first + 1; end <= work.length; end++)
              for (const group of [1, 2, 4]) {
                const time = group <= left ? cost(first, end, group) : null;
                if (time !== null) visit(end, left - group, [...times, time]);
              }
          };
          visit(0, devices, []);
          const problem = { layers: work.length, devices, microBatches, cost };
          if (best === Number.POSITIVE_INFINITY) expect(() => pipelineStages(problem)).toThrow(/no cut/);
          else expect(pipelineStages(problem).time).toBeCloseTo(best, 9);
        },
      ),
    );
  });
});
