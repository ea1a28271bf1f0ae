import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { captureState } from "../../graph/capture.js";
import { compile, type Executable } from "../../graph/execute.js";
import { topologicalOrder } from "../../graph/schedule.js";
import {
  batchNorm,
  capture,
  compiler,
  conv2d,
  graph as graphs,
  heapStats,
  manualSeed,
  nn,
  ones,
  optim,
  resetPeak,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
  viz,
  zeros,
} from "../../index.js";
import { type Graph, PassManager } from "../../ir/index.js";
import { randomGraph } from "../random-graph.js";

const { checkPlan, planMemory, compareAllocators, fitMemory, buffersOf, ancestorsOf } = compiler;
const KINDS = ["none", "bestFit", "doubleCursor", "somas"];
const optimized = (graph: Graph): Graph => new PassManager({ level: "O2" }).run(graph).graph;
const seeds = fc.integer({ min: 0, max: 1e6 });

function same(found: readonly Tensor[], wanted: readonly Tensor[]): void {
  for (const [i, y] of found.entries()) expect(y.toArray()).toEqual(wanted[i].toArray());
}

/** The most bytes of tensor memory that a run takes, as the heap counts. */
function measuredPeak(executable: Executable, args: readonly Tensor[]): number {
  for (const y of executable.run(args)) y.dispose(); // tables and constants exist now
  const before = heapStats().liveBytes;
  resetPeak();
  const results = executable.run(args);
  const peak = heapStats().peakBytes - before;
  for (const y of results) y.dispose();
  expect(heapStats().liveBytes).toBe(before);
  return peak;
}

describe("memory plans", () => {
  it("never overwrite what is still to be read, by any allocator, on random programs", () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom(1, 16, 64, 256), fc.boolean(), (seed, alignment, weights) => {
        const graph = optimized(randomGraph(seed).graph);
        for (const allocator of KINDS) {
          const plan = planMemory(graph, { allocator, alignment, weights });
          checkPlan(graph, plan);
          expect(plan.peakBytes).toBeGreaterThanOrEqual(plan.lowerBoundBytes);
          expect(plan.peakBytes).toBeLessThanOrEqual(plan.withoutReuseBytes);
        }
        const [none, best, , somas] = compareAllocators(graph, { alignment });
        expect(none.reuse).toBe(1);
        expect(somas.peakBytes).toBeLessThanOrEqual(best.peakBytes);
      }),
      { numRuns: 60 },
    );
  });

  it("for any order hold in random topological orders; those for one order would not", () => {
    let broken = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        const { graph } = randomGraph(seed, 14);
        const any = planMemory(graph, { order: "any" });
        const streams = graph.nodes.map((_, i) => i % 2);
        const two = planMemory(graph, { order: streams });
        const one = planMemory(graph);
        expect(one.peakBytes).toBeLessThanOrEqual(any.peakBytes);
        for (let k = 0; k < 4; k++) {
          const order = randomOrder(graph, seed + k, null);
          checkPlan(graph, any, order);
          checkPlan(graph, two, randomOrder(graph, seed + k, streams));
          try {
            checkPlan(graph, one, order);
          } catch {
            broken++;
          }
        }
      }),
      { numRuns: 40 },
    );
    expect(broken).toBeGreaterThan(0);
  });

  it("are found wrong by the check when two buffers are pushed into each other", () => {
    const graph = capture((x: Tensor) => x.matmul(x).matmul(x).matmul(x), ones([4, 4]));
    const plan = planMemory(graph, { allocator: "none" });
    const moved = { ...plan, buffers: plan.buffers.map((b) => ({ ...b, offset: 0 })) };
    expect(() => checkPlan(graph, moved)).toThrow(/matmul2 writes matmul2 over matmul1, which it reads/);
    const low = { ...plan, peakBytes: 64 };
    expect(() => checkPlan(graph, low)).toThrow(/outside of an arena of 64 bytes/);
  });

  it("keep more tensors in the memory of four without reuse: seven, as the book's figure", () => {
    // a chain of seven products: two live at once, so seven tensors fit where four did, and with room to spare
    const chain = capture(
      (x: Tensor, y: Tensor) => {
        const a = x.matmul(y); // 64 rows
        const b = a.matmul(y);
        const c = b.matmul(y).add(a); // a lives on: three at once
        const d = c.matmul(y);
        return d.matmul(y).matmul(y).add(c).sum();
      },
      ones([64, 16]),
      ones([16, 16]),
    );
    const tensors = buffersOf(chain, { inPlace: false }).filter(({ bytes }) => bytes === 64 * 16 * 4);
    expect(tensors.length).toBeGreaterThanOrEqual(7);
    const memory = 4 * 64 * 16 * 4;
    const apart = planMemory(chain, { allocator: "none", inPlace: false });
    const fitting = apart.buffers.filter(({ bytes, offset }) => bytes > 4 && offset + bytes <= memory);
    expect(fitting).toHaveLength(4);
    const plan = planMemory(chain, { inPlace: false });
    const reused = plan.buffers.filter(({ bytes, offset }) => bytes > 4 && offset + bytes <= memory);
    expect(reused.length).toBeGreaterThanOrEqual(7);
  });

  it("let a later activation take the address of an earlier one: Conv2D, BatchNorm", () => {
    const [x, w, g] = [zeros([1, 4, 8, 8]), zeros([4, 4, 3, 3]), ones([4])];
    const f = (x: Tensor, w: Tensor, g: Tensor): Tensor => {
      const first = conv2d(x, w, { padding: 1 });
      const second = batchNorm(first, { mean: g, variance: g }).relu();
      return conv2d(second, w, { padding: 1 }).sum();
    };
    const graph = optimized(capture(f, x, w, g));
    const plan = planMemory(graph, { allocator: "doubleCursor", weights: true, inPlace: false });
    checkPlan(graph, plan);
    const big = plan.buffers.filter(({ kind, bytes }) => kind === "activation" && bytes === 4 * 64 * 4);
    const addresses = new Set(big.map(({ offset }) => offset));
    expect(addresses.size).toBeLessThan(big.length);
    // weights from the low end, activations from the high end
    const weights = plan.buffers.filter(({ kind }) => kind === "weight");
    const end = Math.max(...weights.map(({ offset, bytes }) => offset + bytes));
    for (const { offset } of plan.buffers.filter(({ kind }) => kind !== "weight"))
      expect(offset).toBeGreaterThanOrEqual(end);
  });

  it("write elementwise results over operands, and save what that saves", () => {
    const graph = capture((x: Tensor) => x.matmul(x).tanh().sin().matmul(x).sum(), ones([32, 32]));
    const [apart, over] = [false, true].map((inPlace) => planMemory(graph, { inPlace }));
    expect(over.buffers[0].values).toHaveLength(3);
    expect(over.peakBytes).toBe(2 * 4096); // the first product and what was written over it, the second product
    expect(apart.peakBytes).toBe(2 * 4096);
    expect(over.withoutReuseBytes).toBe(4 * 4096 + 64);
    const kept = capture(
      (x: Tensor) => {
        const a = x.matmul(x);
        return a.tanh().matmul(a.transpose()).sum();
      },
      ones([8, 8]),
    );
    for (const { values } of planMemory(kept).buffers.slice(0, 2)) expect(values.length).toBeLessThan(3);
    checkPlan(kept, planMemory(kept));
  });

  it("put the buffers of a group side by side", () => {
    const f = (x: Tensor, y: Tensor) => {
      const gradients = [x.matmul(y), x.sum(0, true), y.matmul(y), x.exp().sum(1, true)];
      return gradients.map((g) => g.mul(0.5).sum());
    };
    const graph = capture(f, ones([6, 6]), ones([6, 6]));
    const group = graph.nodes
      .filter(
        ({ op, outputs }) => op.name === "matmul" || (op.name === "sum" && outputs[0].shape.length === 2),
      )
      .map((node) => node.outputs[0]);
    for (const allocator of KINDS) {
      const plan = planMemory(graph, { allocator, groups: [group] });
      checkPlan(graph, plan);
      const members = group.map(({ id }) => plan.buffers.find(({ values }) => values.includes(id))!);
      members.slice(1).forEach((member, k) => {
        const before = members[k];
        expect(member.offset).toBe(before.offset + Math.ceil(before.bytes / 64) * 64);
        expect(member.group).toBe(0);
      });
    }
    expect(() => planMemory(graph, { groups: [[group[0], group[0]]] })).toThrow(/two places of groups/);
    const foreign = capture((x: Tensor) => x.sin(), ones([2])).results[0];
    expect(() => planMemory(graph, { groups: [[foreign]] })).toThrow(/group 0 has no buffer/);
  });

  it("name what cannot be", () => {
    const { graph } = randomGraph(1);
    expect(() => planMemory(graph, { allocator: "worstFit" })).toThrow(
      /unknown allocator "worstFit"; there are none, bestFit, doubleCursor, somas/,
    );
    expect(() => planMemory(graph, { alignment: 48 })).toThrow(/power of two, got 48/);
    expect(() => planMemory(graph, { allocator: "bestFit", order: "any" })).toThrow(/walks through time/);
    expect(() => planMemory(graph, { order: [0] })).toThrow(/1 streams are given for/);
    expect(() => fitMemory(graph, Number.NaN)).toThrow(/number of bytes, got NaN/);
  });

  it("are drawn as rectangles of lifetime and address", () => {
    const plan = planMemory(randomGraph(3).graph, { weights: true });
    const figure = viz.memoryMap(plan);
    const drawn = figure.data.flatMap((trace) => (trace.type === "bar" ? (trace.y as number[]) : []));
    expect(drawn).toHaveLength(plan.buffers.filter(({ bytes }) => bytes > 0).length);
    expect(String(figure)).toContain("somas");
  });

  it("name as many nodes as can be read", () => {
    const long = capture(
      (x: Tensor) => Array.from({ length: 80 }).reduce((y: Tensor) => y.matmul(x), x),
      ones([2, 2]),
    );
    const ticks = (graph: Graph): number =>
      (viz.memoryMap(planMemory(graph)).layout.xaxis as { tickvals: number[] }).tickvals.length;
    expect(ticks(long)).toBe(27);
    expect(ticks(capture((x: Tensor) => x.matmul(x).matmul(x), ones([2, 2])))).toBe(2);
  });
});

describe("what a run takes", () => {
  it("is at most what was planned, on random programs, and the results are right", () => {
    let complete = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        const { graph, args } = randomGraph(seed, 20);
        const executable = compile(graph, { level: "O2" });
        const wanted = tidy(() =>
          graphs.interpret(graph, args).map((y) => Array.from(y.toTypedArray(), Number)),
        );
        const { memory } = executable;
        if (memory.complete) {
          complete++;
          expect(measuredPeak(executable, args)).toBeLessThanOrEqual(memory.peakBytes);
        }
        const found = executable.run(args);
        found.forEach((y, i) => {
          y.toTypedArray().forEach((value, k) => {
            expect(Math.abs(Number(value) - wanted[i][k])).toBeLessThanOrEqual(
              2e-5 * Math.max(1, Math.abs(wanted[i][k])),
            );
          });
          y.dispose();
        });
      }),
      { numRuns: 100 },
    );
    expect(complete).toBeGreaterThan(60);
  });

  it.each(Object.entries(trainingSteps()))(
    "is at most what was planned: a training step of %s",
    (_, make) => {
      const { graph, args } = make();
      const executable = compile(graph);
      const { memory } = executable;
      expect(memory.complete).toBe(true);
      const measured = measuredPeak(executable, args);
      expect(measured).toBeLessThanOrEqual(memory.peakBytes);
      expect(memory.arena.bytes + memory.besideBytes).toBeLessThanOrEqual(measured * 1.3); // a plan that says nothing would be easy
      const plan = planMemory(executable.graph);
      checkPlan(executable.graph, plan);
      expect(plan.peakBytes).toBeLessThan(0.75 * plan.withoutReuseBytes);
    },
  );
});

describe("fitMemory", () => {
  const deep = (): { graph: Graph; args: Tensor[] } => {
    const w = Array.from({ length: 8 }, (_, i) => ones([16, 16]).mul(0.05 + i / 200));
    const f = (x: Tensor): Tensor[] => {
      const [loss, slope] = valueAndGrad((x: Tensor) =>
        w
          .reduce((h, m) => h.matmul(m).tanh(), x)
          .square()
          .sum(),
      )(x);
      return [loss, slope];
    };
    const x = tensor(
      Array.from({ length: 64 * 16 }, (_, i) => Math.sin(i)),
      { shape: [64, 16] },
    );
    return { graph: optimized(capture(f, x)), args: [x] };
  };

  it.each(["recompute", "offload", "both"] as const)("lowers the peak, planned and measured, by %s", (by) => {
    const { graph, args } = deep();
    const before = planMemory(graph).peakBytes;
    const fitted = fitMemory(graph, before * 0.7, { by });
    expect(fitted.fits).toBe(true);
    expect(fitted.plan.peakBytes).toBeLessThanOrEqual(before * 0.7);
    checkPlan(fitted.graph, fitted.plan);
    if (by === "recompute") expect(fitted.recomputed.length).toBeGreaterThan(0);
    if (by === "offload") {
      expect(fitted.offloaded.length).toBeGreaterThan(0);
      expect(fitted.movedBytes).toBeGreaterThan(0);
      expect(fitted.recomputed).toEqual([]);
    }
    const [plain, small] = [graph, fitted.graph].map((g) => compile(g, { passes: [] }));
    expect(measuredPeak(small, args)).toBeLessThan(measuredPeak(plain, args));
    const [wanted, found] = [plain, small].map((executable) => executable.run(args));
    same(found, wanted);
  });

  it("keeps the meaning of random programs as far down as it gets", () => {
    fc.assert(
      fc.property(seeds, fc.constantFrom("recompute", "offload", "both"), (seed, by) => {
        const { graph, args } = randomGraph(seed, 18);
        const { graph: small, plan, fits } = fitMemory(graph, 0, { by: by as "both" });
        expect(fits).toBe(plan.peakBytes === 0);
        checkPlan(small, plan);
        expect(plan.lowerBoundBytes).toBeLessThanOrEqual(planMemory(graph).lowerBoundBytes);
        const [wanted, found] = [graph, small].map((g) => compile(g, { passes: [] }).run(args));
        same(found, wanted);
      }),
      { numRuns: 40 },
    );
  });
});

describe("ancestors", () => {
  it("are what a node needs, and what its stream ran before", () => {
    const graph = capture((x: Tensor, y: Tensor) => x.sin().add(y.cos()), ones([2]), ones([2]));
    const any = ancestorsOf(graph, "any"); // sin, cos, add
    expect([any.has(1, 0), any.has(2, 0), any.has(2, 1), any.has(0, 1)]).toEqual([false, true, true, false]);
    expect(ancestorsOf(graph, [0, 0, 1]).has(1, 0)).toBe(true);
    expect(ancestorsOf(graph, "sequence").has(1, 0)).toBe(true);
  });
});

/** A random order that dependencies (and streams, if given) allow. */
function randomOrder(graph: Graph, seed: number, streams: readonly number[] | null): number[] {
  const dag = graphs.dagOf(graph);
  const index = new Map(dag.nodes.map((name, i) => [name, i]));
  const edges = [...dag.edges];
  if (streams)
    for (const stream of new Set(streams)) {
      const mine = dag.nodes.filter((_, i) => streams[i] === stream);
      for (let i = 1; i < mine.length; i++) edges.push([mine[i - 1], mine[i]]);
    }
  let state = seed;
  const key = new Map(
    dag.nodes.map((name) => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return [name, state];
    }),
  );
  const shuffled = [...dag.nodes].sort((a, b) => key.get(a)! - key.get(b)!);
  const order = topologicalOrder({ nodes: shuffled, edges }).order ?? [];
  return order.map((name) => index.get(name)!);
}

/** The models of the notebooks, each with one step of training. */
function trainingSteps(): Record<string, () => { graph: Graph; args: Tensor[] }> {
  const step = (model: nn.Module, x: Tensor, y: Tensor) => (): { graph: Graph; args: Tensor[] } => {
    const optimizer = new optim.Adam(model, { lr: 1e-3 });
    const f = (x: Tensor, y: Tensor): Tensor => {
      const [loss, gradients] = valueAndGrad((m: typeof model) =>
        nn.crossEntropy((m as nn.Sequential).forward(x), y),
      )(model);
      optimizer.step(gradients);
      return loss;
    };
    const { graph } = captureState({}, f as (...args: never[]) => unknown, [x, y], true);
    return { graph, args: [x, y, ...(graph.origin.captured ?? [])] as Tensor[] };
  };
  manualSeed(3);
  const labels = tensor([1, 0, 2, 1], { dtype: "int32" });
  return {
    "a multilayer perceptron": step(
      new nn.Sequential(new nn.Dense(12, 16), new nn.ReLU(), new nn.Dense(16, 3)),
      ones([4, 12]),
      labels,
    ),
    "a convolutional network": step(
      new nn.Sequential(
        new nn.Conv2d(1, 4, 3, { padding: 1 }),
        new nn.ReLU(),
        new nn.Flatten(),
        new nn.Dense(4 * 64, 3),
      ),
      ones([4, 1, 8, 8]),
      labels,
    ),
  };
}
