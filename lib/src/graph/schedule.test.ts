import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Tensor } from "../core/tensor.js";
import { runPasses } from "../ir/passes/index.js";
import { add, matmul, ones, relu } from "../ops/index.js";
import { capture } from "./capture.js";
import { type Dag, dag, dagOf, predecessors } from "./dag.js";
import {
  checkAcyclic,
  dependency,
  findCycle,
  independentPairs,
  lifetimes,
  memoryUse,
  unroll,
} from "./dependencies.js";
import { criticalPath, levels, listSchedule, topologicalOrder, workOf } from "./schedule.js";

const book = dag("a->d, b->c, c->d, d->e");

/** Random graphs without cycles: edges go from lower to higher numbers. */
const random = fc
  .record({
    count: fc.integer({ min: 1, max: 12 }),
    seed: fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 30 }),
  })
  .map(({ count, seed }): Dag => {
    const nodes = Array.from({ length: count }, (_, i) => `n${i}`);
    const pairs = seed.map(([a, b]) => [a % count, b % count]).filter(([a, b]) => a < b);
    return {
      nodes,
      edges: [...new Set(pairs.map(String))].map((p) => p.split(",").map((i) => `n${i}`) as [string, string]),
    };
  });

describe("topological order", () => {
  it("keeps the book's in-degree table", () => {
    const { order, steps } = topologicalOrder(book);
    expect(order).toEqual(["a", "b", "c", "d", "e"]);
    expect(steps[0].inDegrees).toEqual({ a: 0, b: 0, c: 1, d: 2, e: 1 });
    expect(steps[2].taken).toBe("b");
    expect(steps[2].inDegrees).toEqual({ c: 0, d: 1, e: 1 });
    expect(steps[2].ready).toEqual(["c"]);
  });

  it("puts every node after what it needs", () => {
    fc.assert(
      fc.property(random, (d) => {
        const { order } = topologicalOrder(d);
        expect([...order].sort()).toEqual([...d.nodes].sort());
        for (const [from, to] of d.edges) expect(order.indexOf(from)).toBeLessThan(order.indexOf(to));
        expect(levels(d).flat().length).toBe(d.nodes.length);
      }),
    );
  });

  it("names the cycle", () => {
    const circular = dag("a->b, b->c, c->b, c->d");
    expect(findCycle(circular)).toEqual(["b", "c"]);
    expect(() => topologicalOrder(circular)).toThrow(
      "circular dependency: b -> c -> b; none of these can run first",
    );
    expect(() => checkAcyclic(dag("a->a"))).toThrow("circular dependency: a -> a;");
    expect(findCycle(book)).toBeNull();
  });
});

describe("dependencies", () => {
  it("tells direct, indirect and independent nodes apart", () => {
    const d = dag("matmul1->relu1, relu1->add, matmul2->add");
    expect(dependency(d, "matmul1", "relu1")).toBe("direct");
    expect(dependency(d, "matmul1", "add")).toBe("indirect");
    expect(dependency(d, "matmul1", "matmul2")).toBe("independent");
    expect(independentPairs(d)).toEqual([
      ["matmul1", "matmul2"],
      ["matmul2", "relu1"],
    ]);
    expect(() => dependency(d, "matmul1", "conv")).toThrow(/no node "conv"; there are/);
    expect(() => dag("a->")).toThrow(/"a->" is no edge/);
  });

  it("unrolls a legal loop into copies with fresh names", () => {
    const copies = unroll(dag("mul->relu"), [["relu", "mul"]], 3);
    expect(copies.nodes).toEqual(["mul#1", "relu#1", "mul#2", "relu#2", "mul#3", "relu#3"]);
    expect(copies.edges).toContainEqual(["relu#1", "mul#2"]);
    expect(findCycle(copies)).toBeNull();
    expect(topologicalOrder(copies).order).toEqual(copies.nodes);
  });

  it("knows how long values live", () => {
    const x = ones([8, 8]);
    const graph = capture((x: Tensor) => x.exp().sin().add(x).tanh(), x);
    expect(lifetimes(graph).map(({ first, last }) => [first, last])).toEqual([
      [-1, 2],
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    expect(memoryUse(graph)).toEqual({ perNode: [256, 512, 512, 512], peakBytes: 512, totalBytes: 1024 });
  });
});

describe("list scheduling", () => {
  it("respects dependencies, streams and the bounds of any schedule", () => {
    fc.assert(
      fc.property(
        random,
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.nat(9), { minLength: 12, maxLength: 12 }),
        (d, streams, costs) => {
          const cost = (name: string): number => costs[Number(name.slice(1))];
          const { tasks, makespan } = listSchedule(d, streams, cost);
          const by = new Map(tasks.map((task) => [task.node, task]));
          expect(by.size).toBe(d.nodes.length);
          for (const [from, to] of d.edges) expect(by.get(from)!.end).toBeLessThanOrEqual(by.get(to)!.start);
          for (const a of tasks)
            for (const b of tasks)
              if (a !== b && a.stream === b.stream && a.end > a.start && b.end > b.start)
                expect(a.end <= b.start || b.end <= a.start).toBe(true);
          const total = d.nodes.reduce((sum, name) => sum + cost(name), 0);
          const lower = Math.max(criticalPath(d, cost).length, total / streams);
          expect(makespan).toBeGreaterThanOrEqual(lower - 1e-9);
          expect(makespan).toBeLessThanOrEqual(total / streams + criticalPath(d, cost).length + 1e-9);
          if (streams === 1) expect(makespan).toBe(total);
        },
      ),
    );
  });

  it("refuses what makes no sense", () => {
    expect(() => listSchedule(book, 0)).toThrow(/0 is no number of streams/);
    expect(() => listSchedule(book, 1, () => -1)).toThrow(/cost of a is -1/);
  });

  it("finds the longest chain", () => {
    expect(criticalPath(book)).toEqual({ path: ["b", "c", "d", "e"], length: 4 });
    expect(criticalPath(book, (n) => (n === "a" ? 9 : 1)).path).toEqual(["a", "d", "e"]);
    expect(predecessors(book).get("d")).toEqual(["a", "c"]);
  });

  it("runs the book's two products side by side and its Add + ReLU as one kernel", () => {
    const x = ones([64, 64]);
    const model = (x1: Tensor, w1: Tensor, x2: Tensor, w2: Tensor): Tensor =>
      relu(add(matmul(x1, w1), matmul(x2, w2)));
    const graph = runPasses(capture(model, x, x, x, x), ["fuse"]);
    expect(graph.nodes.map((node) => node.op.name)).toEqual(["matmul", "matmul", "fused"]);
    const d = dagOf(graph);
    const cost = (name: string): number => workOf(d.nodeOf.get(name)!);
    expect(cost("matmul1")).toBe(2 * 64 ** 3);
    const serial = listSchedule(d, 1, cost);
    const parallel = listSchedule(d, 2, cost);
    expect(parallel.tasks.slice(0, 2).map((task) => [task.node, task.start])).toEqual([
      ["matmul1", 0],
      ["matmul2", 0],
    ]);
    expect(serial.makespan - parallel.makespan).toBe(2 * 64 ** 3);
    expect(levels(d)).toEqual([["matmul1", "matmul2"], ["fused1"]]);
  });
});
