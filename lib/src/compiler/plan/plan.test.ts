import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capture, compiler, concat, graph as graphs, type Tensor, tensor } from "../../index.js";

const { partition, controlEdges, effectGraph, limitConcat } = compiler;

describe("partition", () => {
  // The book's figure: nine kernels on CPU, GPU and NPU become five subgraphs.
  it("cuts nine kernels into five subgraphs: CPU, GPU, CPU, Ascend, CPU", () => {
    const kernels = graphs.dag(
      "k1->k2, k2->k3, k2->k4, k3->k5, k4->k5, k5->k6, k6->k7, k6->k8, k7->k9, k8->k9",
    );
    const devices: Record<string, string> = {
      ...{ k1: "CPU", k2: "CPU", k3: "GPU", k4: "GPU", k5: "CPU" },
      ...{ k6: "CPU", k7: "Ascend", k8: "Ascend", k9: "CPU" },
    };
    const { subgraphs, copies } = partition(kernels, (name) => devices[name]);
    expect(subgraphs.map(({ device }) => device)).toEqual(["CPU", "GPU", "CPU", "Ascend", "CPU"]);
    expect(subgraphs.map(({ nodes }) => nodes.length)).toEqual([2, 2, 2, 2, 1]);
    expect(copies).toHaveLength(8);
  });

  it("waits with a device until more of its nodes can run: fewer subgraphs than taking what comes first", () => {
    // a (cpu) first would leave c for a second cpu subgraph; after b (gpu) both run in one
    const found = partition(graphs.dag("a, b->c"), (name) => (name === "b" ? "gpu" : "cpu"));
    expect(found.subgraphs).toEqual([
      { device: "gpu", nodes: ["b"] },
      { device: "cpu", nodes: ["a", "c"] },
    ]);
  });

  it("finds the fewest, as trying all orders does, and keeps dependencies", () => {
    const random = fc.record({
      devices: fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1, maxLength: 6 }),
      edges: fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 8 }),
    });
    fc.assert(
      fc.property(random, ({ devices, edges }) => {
        const name = (i: number): string => `n${i}`;
        const kept = edges.filter(([i, j]) => i < j && j < devices.length);
        const dag = {
          nodes: devices.map((_, i) => name(i)),
          edges: kept.map(([i, j]) => [name(i), name(j)] as const),
        };
        const deviceOf = (node: string): string => devices[Number(node.slice(1))];
        const { subgraphs } = partition(dag, deviceOf);
        const order = subgraphs.flatMap(({ nodes }) => nodes);
        expect([...order].sort()).toEqual([...dag.nodes].sort());
        for (const [from, to] of dag.edges) expect(order.indexOf(from)).toBeLessThan(order.indexOf(to));
        for (const { device, nodes } of subgraphs)
          for (const node of nodes) expect(deviceOf(node)).toBe(device);
        expect(subgraphs.length).toBe(fewest(devices, kept));
      }),
      { numRuns: 60 },
    );
  });

  it("names what has no device, and cycles", () => {
    expect(() => partition(graphs.dag("a->b"), () => "")).toThrow(/a has no device/);
    const cyclic = {
      nodes: ["a", "b"],
      edges: [
        ["a", "b"],
        ["b", "a"],
      ] as const,
    };
    expect(() => partition(cyclic, () => "cpu")).toThrow(/circular dependency/);
  });
});

describe("control edges", () => {
  it("x = y; x = z; x = x − y needs Assign1 → Assign2 → Sub1", () => {
    const program = [
      { name: "Assign1", reads: ["y"], writes: ["x"] },
      { name: "Assign2", reads: ["z"], writes: ["x"] },
      { name: "Sub1", reads: ["x", "y"], writes: ["x"] },
    ];
    expect(controlEdges(program)).toEqual([
      { from: "Assign1", to: "Assign2", hazard: "write after write", variable: "x" },
      { from: "Assign2", to: "Sub1", hazard: "read after write", variable: "x" },
    ]);
    expect(graphs.topologicalOrder(effectGraph(program)).order).toEqual(["Assign1", "Assign2", "Sub1"]);
  });

  it("leave reads of one variable free, and make a write wait for all of them", () => {
    const program = [
      { name: "w1", reads: [], writes: ["x"] },
      { name: "r1", reads: ["x"], writes: [] },
      { name: "r2", reads: ["x"], writes: [] },
      { name: "w2", reads: [], writes: ["x"] },
    ];
    const edges = controlEdges(program).map(({ from, to }) => `${from} ${to}`);
    expect(edges.sort()).toEqual(["r1 w2", "r2 w2", "w1 r1", "w1 r2"]);
    expect(() => controlEdges([program[0], program[0]])).toThrow(/stands twice/);
  });

  it("give every order the same end, whatever the program", () => {
    const variables = fc.uniqueArray(fc.constantFrom("x", "y", "z"), { maxLength: 2 });
    fc.assert(
      fc.property(
        fc.array(fc.record({ reads: variables, writes: variables }), { maxLength: 7 }),
        fc.nat(),
        (ops, seed) => {
          const program = ops.map((op, i) => ({ ...op, name: `op${i}` }));
          const run = (order: readonly string[]): string => {
            const state: Record<string, string> = { x: "x", y: "y", z: "z" };
            for (const name of order) {
              const op = program.find((one) => one.name === name)!;
              const seen = op.reads.map((v) => state[v]).join();
              for (const v of op.writes) state[v] = `${name}(${seen})`;
            }
            return JSON.stringify(state);
          };
          const dag = effectGraph(program);
          const turned = [
            ...dag.nodes.slice(seed % (ops.length + 1)),
            ...dag.nodes.slice(0, seed % (ops.length + 1)),
          ].reverse();
          const other = graphs.topologicalOrder({ nodes: turned, edges: dag.edges }).order;
          expect(run(other)).toBe(run(program.map(({ name }) => name)));
        },
      ),
    );
  });
});

describe("limits of hardware", () => {
  it("a Concat of 100 becomes 63 + 37 and one that joins them", () => {
    const xs = Array.from({ length: 100 }, (_, i) => tensor([[i, -i]]));
    const f = (...xs: Tensor[]): Tensor => concat(xs, 0).mul(2);
    const graph = capture(f, ...xs);
    const limited = limitConcat(graph, 63);
    expect(limited.nodes.map((node) => node.inputs.length)).toEqual([63, 37, 2, 2]);
    expect(graphs.interpret(limited, xs)[0].toArray()).toEqual(f(...xs).toArray());
    expect(limitConcat(graph, 100)).toBe(graph);
  });

  it("and of more than the limit's square, a deeper tree; single leftovers stay as they are", () => {
    const xs = Array.from({ length: 10 }, (_, i) => tensor([i]));
    const f = (...xs: Tensor[]): Tensor => concat(xs, 0);
    const limited = limitConcat(capture(f, ...xs), 3);
    for (const node of limited.nodes) expect(node.inputs.length).toBeLessThanOrEqual(3);
    expect(graphs.interpret(limited, xs)[0].toArray()).toEqual(f(...xs).toArray());
    expect(() => limitConcat(capture(f, ...xs), 1)).toThrow(/at least 2 tensors, the limit given is 1/);
  });
});

/** By every order that dependencies allow. */
function fewest(devices: readonly string[], edges: readonly (readonly [number, number])[]): number {
  let best = Number.POSITIVE_INFINITY;
  const go = (done: readonly number[], changes: number): void => {
    if (changes >= best) return;
    if (done.length === devices.length) {
      best = changes;
      return;
    }
    for (let i = 0; i < devices.length; i++) {
      if (done.includes(i) || edges.some(([from, to]) => to === i && !done.includes(from))) continue;
      const last = done.length > 0 ? devices[done[done.length - 1]] : null;
      go([...done, i], changes + Number(last !== devices[i]));
    }
  };
  go([], 0);
  return best;
}
