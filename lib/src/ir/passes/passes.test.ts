import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { capture } from "../../graph/capture.js";
import { cond, scan, switchCase, whileLoop } from "../../graph/control/index.js";
import { randomProgram } from "../../graph/random-program.js";
import { type Tensor, tensor } from "../../index.js";
import { call } from "../call.js";
import { vjpGraph } from "../derive.js";
import { countNodes, type Graph, regionsOf } from "../graph.js";
import { interpret } from "../interpret.js";
import { passes, runPasses } from "./index.js";
import { LEVELS, type OptimizationLevel, PassManager } from "./manager.js";

const f64 = (values: number[]): Tensor => tensor(values, { dtype: "float64" });
const values = (graph: Graph, args: readonly Tensor[]): number[] =>
  interpret(graph, args).flatMap((y) => Array.from(y.toTypedArray()));
const names = (graph: Graph): string[] => graph.nodes.map(({ op }) => op.name);
const regions = (graph: Graph, op: string): Graph[] => {
  const node = graph.nodes.find((each) => each.op.name === op);
  return node ? regionsOf(node.attrs).map(([, region]) => region) : [];
};

function expectClose(a: readonly number[], b: readonly number[], tolerance = 1e-9): void {
  expect(a).toHaveLength(b.length);
  a.forEach((x, i) => {
    const far = Math.abs(x - b[i]) > tolerance * Math.max(1, Math.abs(x));
    if (far) expect(b[i]).toBe(x);
  });
}

/** Gradients of the sum of all results. */
function gradients(graph: Graph, args: readonly Tensor[]): number[] {
  const ones = graph.results.map((r) => tensor(1, { dtype: r.dtype }).broadcastTo(r.shape));
  return values(vjpGraph(graph), [...args, ...ones]);
}

describe("each pass", () => {
  const list = passes().map(({ name }) => name);

  it.each(list)("%s keeps values and derivatives of random programs with control flow", (name) => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const { graph, args } = randomProgram(seed);
        const after = runPasses(graph, [name]);
        expectClose(values(graph, args), values(after, args));
        if (name !== "fuse") expectClose(gradients(graph, args), gradients(after, args), 1e-7);
      }),
      { numRuns: 5 },
    );
  });

  it.each(Object.keys(LEVELS) as OptimizationLevel[])("%s keeps them too, and settles", (level) => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), (seed) => {
        const { graph, args } = randomProgram(seed);
        for (const fastMath of [false, true]) {
          const { graph: after, settled } = new PassManager({ level, fastMath }).run(graph);
          expect(settled).toBe(true);
          expectClose(values(graph, args), values(after, args), 1e-7);
          expectClose(gradients(graph, args), gradients(after, args), 1e-6);
        }
      }),
      { numRuns: 3 },
    );
  });
});

describe("fold", () => {
  it("computes what depends on constants only, up to its limit", () => {
    const inner = capture((c: Tensor, x: Tensor) => x.mul(c.exp().sum()), f64([1, 2]), f64([3, 4]));
    const graph = capture((x: Tensor) => call(inner, [f64([1, 2]), x]), f64([3, 4]));
    const after = runPasses(graph, ["inline", "fold", "dce"]);
    expect(names(after)).toEqual(["mul"]);
    expectClose(values(after, [f64([3, 4])]), values(graph, [f64([3, 4])]));
    const small = new PassManager({ stages: ["inline", "fold"], foldLimit: 0 }).run(graph).graph;
    expect(names(small)).toEqual(["exp", "sum", "mul"]);
  });
});

describe("constants and unreachable code", () => {
  const x = f64([1, -2]);
  const choose = (flag: boolean) =>
    capture((x: Tensor) => {
      const inner = capture(
        (p: Tensor, x: Tensor) =>
          cond(
            p,
            () => x.exp(),
            () => x.neg(),
          ),
        tensor(true),
        x,
      );
      return call(inner, [tensor(flag), x])[0];
    }, x);

  it("a branch that is never taken goes, with the call around it", () => {
    for (const flag of [true, false]) {
      const graph = choose(flag);
      const after = runPasses(graph, ["propagate", "branches", "inline", "dce"]);
      expect(names(after)).toEqual([flag ? "exp" : "neg"]);
      expectClose(values(graph, [x]), values(after, [x]));
    }
  });

  it("chooses a case, drops a loop that never runs, and opens a scan of one entry", () => {
    const graph = capture(
      (i: Tensor, x: Tensor, xs: Tensor) => {
        const chosen = switchCase(i, [(x: Tensor) => x.sin(), (x: Tensor) => x.cos()], x);
        const [looped] = whileLoop(
          (k: Tensor, _x: Tensor) => k.less(i),
          (k: Tensor, x: Tensor) => [k.add(1), x.exp()],
          [i.add(3), chosen] as [Tensor, Tensor],
        ).slice(1) as [Tensor];
        return scan((s: Tensor, row: Tensor) => [s.add(row), s], looped, xs);
      },
      tensor(0, { dtype: "int32" }),
      x,
      f64([1, 2]).reshape([1, 2]),
    );
    const known = capture(
      (x: Tensor, xs: Tensor) => call(graph, [tensor(7, { dtype: "int32" }), x, xs]),
      x,
      f64([1, 2]).reshape([1, 2]),
    );
    const after = new PassManager({
      stages: [{ fixpoint: ["inline", "propagate", "fold", "branches", "layout", "cse", "dce"] }],
    }).run(known).graph;
    expect(names(after).sort()).toEqual(["add", "cos", "reshape", "reshape"]);
    const args = [x, f64([1, 2]).reshape([1, 2])];
    expectClose(values(known, args), values(after, args));
  });

  it("tells a loop what never changes in it", () => {
    const graph = capture((x: Tensor) => {
      const [, , y] = whileLoop(
        (k: Tensor, _step: Tensor, _y: Tensor) => k.less(3),
        (k: Tensor, step: Tensor, y: Tensor) => [k.add(1), step, y.add(step)],
        [tensor(0, { dtype: "int32" }), tensor(2, { dtype: "float64" }), x] as [Tensor, Tensor, Tensor],
      );
      return y;
    }, x);
    const after = runPasses(graph, ["propagate", "prune", "dce"]);
    const [, body] = regions(after, "while");
    expect(body.params).toHaveLength(2);
    expect(body.constants.map(({ data }) => data.item())).toContain(2);
    expectClose(values(graph, [x]), values(after, [x]));
  });
});

describe("inline", () => {
  it("copies small graphs, and large ones that are called once", () => {
    const big = capture((x: Tensor) => x.sin().cos().exp().tanh().neg(), f64([1]));
    const calls = (n: number) =>
      capture(
        (x: Tensor) => Array.from({ length: n }, () => 0).reduce<Tensor>((y) => call(big, [y])[0], x),
        f64([1]),
      );
    const options = { stages: ["inline"], inlineLimit: 3 } as const;
    expect(names(new PassManager(options).run(calls(1)).graph)).toHaveLength(5);
    expect(names(new PassManager(options).run(calls(2)).graph)).toEqual(["call", "call"]);
    expect(names(new PassManager({ stages: ["inline"] }).run(calls(2)).graph)).toHaveLength(10);
  });
});

describe("licm", () => {
  it("computes in front of a loop what no iteration changes", () => {
    const w = f64([0.5, 2]);
    const graph = capture(
      (w: Tensor, x: Tensor) =>
        scan((s: Tensor, row: Tensor) => [s.mul(w.exp().add(1)).add(row), s], x.at(0), x)[0],
      w,
      f64([1, 2, 3, 4]).reshape([2, 2]),
    );
    const after = runPasses(graph, ["licm"]);
    expect(names(after).slice(-3)).toEqual(["exp", "add", "scan"]);
    expect(names(regions(after, "scan")[0])).toEqual(["mul", "add"]);
    const args = [w, f64([1, 2, 3, 4]).reshape([2, 2])];
    expectClose(values(graph, args), values(after, args));
    expectClose(gradients(graph, args), gradients(after, args));
  });

  it("leaves ops that may fail in a loop that may not run, but not in its test", () => {
    const graph = capture(
      (m: Tensor, x: Tensor) =>
        whileLoop(
          (x: Tensor) => x.sum().less(m.exp().sum()),
          (x: Tensor) => [x.add(m.matmul(m)).add(m.sin())],
          [x] as [Tensor],
        ),
      f64([1, 0, 0, 1]).reshape([2, 2]),
      f64([1, 0, 0, 1]).reshape([2, 2]),
    );
    const after = runPasses(graph, ["licm"]);
    expect(names(after)).toEqual(["matmul", "sin", "exp", "sum", "while"]);
  });
});

describe("cse and prune in regions", () => {
  const x = f64([1, -2]);

  it("computes once in a branch what stands there twice, from operands that are the same", () => {
    const graph = capture(
      (p: Tensor, x: Tensor) =>
        cond(
          p,
          (a: Tensor, b: Tensor) => a.exp().add(b.exp()),
          (a: Tensor, b: Tensor) => a.mul(b),
          x,
          x,
        ),
      tensor(true),
      x,
    );
    const after = runPasses(graph, ["propagate", "cse", "prune"]);
    expect(names(regions(after, "cond")[0])).toEqual(["exp", "add"]);
    expect(after.nodes[0].inputs).toHaveLength(2);
    expectClose(values(graph, [tensor(true), x]), values(after, [tensor(true), x]));
  });

  it("finds equal nodes with regions", () => {
    const branch = (p: Tensor, x: Tensor) =>
      cond(
        p,
        (x: Tensor) => x.exp(),
        (x: Tensor) => x.neg(),
        x,
      );
    const graph = capture((p: Tensor, x: Tensor) => branch(p, x).add(branch(p, x)), tensor(true), x);
    expect(names(runPasses(graph, ["cse"]))).toEqual(["cond", "add"]);
  });

  it("drops a loop's state that nobody reads, with what computes it", () => {
    const graph = capture(
      (x: Tensor) =>
        scan(
          (s: { a: Tensor; b: Tensor }, row: Tensor) => [
            { a: s.a.add(row), b: s.b.exp().mul(row) },
            { all: s.a, lost: s.b.sin() },
          ],
          { a: x.at(0), b: x.at(1) },
          x,
        )[1].all,
      f64([1, 2, 3, 4]).reshape([2, 2]),
    );
    const after = runPasses(graph, ["prune", "dce"]);
    expect(names(regions(after, "scan")[0])).toEqual(["add"]);
    expect(countNodes(after)).toBeLessThan(countNodes(graph) - 3);
    const args = [f64([1, 2, 3, 4]).reshape([2, 2])];
    expectClose(values(graph, args), values(after, args));
  });
});
