import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { randomGraph } from "../../compiler/random-graph.js";
import { call, capture, compile, interpret } from "../../graph/index.js";
import { randomProgram } from "../../graph/random-program.js";
import {
  compiler,
  getDevice,
  getNumThreads,
  grad,
  random,
  setDevice,
  setNumThreads,
  type Tensor,
  tensor,
  tidy,
  vmap,
} from "../../index.js";
import { nativeSupport } from "../../runtime/native/library.js";
import { type Graph, PassManager, parseGraph, printGraph } from "../index.js";

const names = (graph: Graph): string[] => graph.nodes.map(({ op }) => op.name);
const seeds = fc.integer({ min: 0, max: 1e6 });
const draw = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);

const fused = (graph: Graph, reduceLimit = 1): Graph =>
  new PassManager({ stages: ["cse", "dce", "fuse-reduce", "fuse", "epilogue"], reduceLimit }).run(graph)
    .graph;

const [device, threads] = [getDevice(), getNumThreads()];
afterEach(() => {
  setDevice(device);
  setNumThreads(threads);
});

/** By the reference kernels. */
function reference(graph: Graph, args: readonly Tensor[]): readonly Tensor[] {
  const here = getDevice();
  setDevice("cpu");
  try {
    return interpret(graph, args);
  } finally {
    setDevice(here);
  }
}

/** The largest difference relative to the larger of 1 and `scale`; what is not a number must be so in both. */
function close(found: readonly Tensor[], wanted: readonly Tensor[], tolerance: number, scale = 1): void {
  expect(found.map(({ type }) => type)).toEqual(wanted.map(({ type }) => type));
  found.forEach((y, k) => {
    const [a, b] = [y.toTypedArray(), wanted[k].toTypedArray()];
    let worst = 0;
    for (let i = 0; i < a.length; i++) {
      if (Object.is(a[i], b[i])) continue;
      const error = Math.abs(Number(a[i]) - Number(b[i])) / Math.max(scale, Math.abs(Number(b[i])));
      worst = Math.max(worst, Number.isNaN(error) ? Number.POSITIVE_INFINITY : error);
    }
    expect(worst).toBeLessThanOrEqual(tolerance);
  });
}

/** Becomes `wanted`, and computes the same on any number of threads, on streams, and after printing and parsing. */
function check(
  f: (...args: Tensor[]) => Tensor | Tensor[],
  args: readonly Tensor[],
  wanted: readonly string[],
  tolerance = 2e-6,
): void {
  tidy(() => {
    const plain = capture(f, ...args);
    const graph = fused(plain);
    expect(names(graph)).toEqual(wanted);
    const right = reference(plain, args);
    const runs = [1, 2].map((count) => {
      setNumThreads(count);
      return compile(graph, { passes: [] }).run(args);
    });
    const scale = args.reduce((most, { size }) => Math.max(most, Math.sqrt(size)), 1);
    for (const run of runs) close(run, right, tolerance, scale);
    // the order of summation does not depend on the threads
    expect(runs[1].map((y) => y.toArray())).toEqual(runs[0].map((y) => y.toArray()));
    close(compile(graph, { passes: [], streams: 2 }).run(args), right, tolerance, scale);
    const text = printGraph(graph);
    expect(printGraph(parseGraph(text))).toBe(text);
  });
}

describe("reductions with what is in front of them", () => {
  it.each([
    ["within rows", 1],
    ["across rows", 0],
    ["of everything", null],
  ])("sums products %s, of any size", (_, axis) => {
    for (const [m, n] of [
      [2, 7],
      [3, 4],
      [5, 17],
      [130, 67],
      [9, 4111],
      [4111, 9],
      [300, 515],
    ])
      check((x, y) => x.mul(y).sum(axis), [draw(1, m, n), draw(2, m, n)], ["fusedReduction"]);
  });

  it("cuts a long reduction, also one that does not come out even, into parts for the threads", () => {
    check((x) => x.square().sum(), [draw(1, 300_007)], ["fusedReduction"]);
    check((x) => x.square().sum(0), [draw(1, 40_009, 3)], ["fusedReduction"]);
    check((x, y) => x.sub(y).abs().sum([0, 2]), [draw(1, 40, 3, 2003), draw(2, 2003)], ["fusedReduction"]);
  });

  it("takes operands as they lie: shared by rows or columns, transposed, images", () => {
    const f = (axis: number | number[]) => (x: Tensor, y: Tensor) => x.sub(y).square().sum(axis, true);
    for (const axis of [0, 1])
      for (const y of [draw(2, 60, 1), draw(2, 70), draw(2, 1, 1), draw(2, 70, 60).transpose()])
        check(f(axis), [draw(1, 60, 70), y], ["fusedReduction"]);
    check(f(1), [draw(1, 70, 60).transpose(), draw(2, 70, 60).transpose()], ["fusedReduction"]);
    check(f([0, 2, 3]), [draw(1, 6, 5, 9, 8), draw(2, 5, 1, 1)], ["fusedReduction"]);
    check(f([1, 3]), [draw(1, 6, 5, 9, 8), draw(2, 9, 1)], ["fusedReduction"]);
    check(f([0, 2]), [draw(1, 3, 4, 5, 6).transpose([3, 1, 0, 2]), draw(2, 3, 1)], ["fusedReduction"]);
  });

  it("has long programs, other reductions, other dtypes", () => {
    const long = (x: Tensor, y: Tensor) =>
      x.tanh().mul(y).add(1).exp().mul(x.sigmoid()).sub(y.square()).mul(0.5).add(x).sum(1);
    check(long, [draw(1, 33, 41), draw(2, 33, 41)], ["fusedReduction"], 1e-5);
    for (const axis of [0, 1]) {
      check((x) => x.mul(3).max(axis), [draw(1, 37, 45)], ["fusedReduction"]);
      check((x) => x.mul(3).min(axis), [draw(1, 37, 45)], ["fusedReduction"]);
      check((x) => x.mul(0.1).add(1).prod(axis), [draw(1, 37, 45)], ["fusedReduction"]);
      check((x) => x.exp().sum(axis), [draw(1, 37, 45).cast("float64")], ["fusedReduction"], 1e-13);
      const whole = draw(1, 37, 45).mul(100).cast("int32");
      check((x) => x.mul(3).sum(axis), [whole], ["fusedReduction"], 0);
      check((x) => x.greater(0).cast("float32").sum(axis), [draw(1, 37, 45)], ["fusedReduction"], 0);
    }
  });

  it("finds NaN and infinities where they are", () => {
    const values = [
      1,
      Number.NaN,
      3,
      4,
      5,
      6,
      Number.POSITIVE_INFINITY,
      2,
      0,
      -1,
      -2,
      Number.NEGATIVE_INFINITY,
    ];
    for (const axis of [0, 1, null])
      for (const op of ["sum", "max", "min"] as const)
        check((x) => x.mul(2)[op](axis), [tensor(values).reshape([3, 4])], ["fusedReduction"]);
  });

  it("computes again what is cheap and reads no more, as in layer normalization: no difference is stored", () => {
    const f = (x: Tensor): Tensor => {
      const d = x.sub(x.mean(1, true));
      return d.mul(d.square().mean(1, true).add(1e-5).rsqrt());
    };
    check(f, [draw(1, 20, 30)], ["sum", "mul", "fusedReduction", "fused", "fused"]);
  });

  it("leaves alone what others want and costs more than to read it", () => {
    const graph = (f: (...args: Tensor[]) => Tensor | Tensor[], ...args: Tensor[]) =>
      names(fused(capture(f, ...args)));
    const x = draw(1, 8, 9);
    const expensive = (x: Tensor) => {
      const e = x.exp();
      return e.div(e.sum(1, true));
    };
    expect(graph(expensive, x)).toEqual(["exp", "sum", "div"]);
    const twoOperands = (x: Tensor, y: Tensor) => {
      const p = x.mul(y);
      return [p, p.sum(0)];
    };
    expect(graph(twoOperands, x, x)).toEqual(["mul", "sum"]);
    // the product keeps its epilogue
    const bias = (x: Tensor, w: Tensor, b: Tensor) => {
      const y = x.matmul(w).add(b);
      return [y.tanh(), y.sum(0)];
    };
    expect(graph(bias, x, draw(2, 9, 4), draw(3, 4))).toEqual(["fusedContraction", "tanh", "sum"]);
    expect(
      names(
        fused(
          capture((x: Tensor) => x.square().sum(), x),
          73,
        ),
      ),
    ).toEqual(["square", "sum"]);
  });

  it("writes nothing of the size of its operands", () => {
    const f = (x: Tensor, y: Tensor) => x.sub(y).square().mean();
    const graph = fused(capture(f, draw(1, 50, 60), draw(2, 50, 60)));
    const bytes = [...compiler.costsOf(graph).values()].reduce((sum, cost) => sum + cost.bytes, 0);
    expect(bytes).toBeLessThan(2 * 50 * 60 * 4 + 64);
  });

  it("keeps the meaning of random programs, also in print", () => {
    let found = 0;
    fc.assert(
      fc.property(seeds, (seed) => {
        tidy(() => {
          const { graph, args } = randomGraph(seed, 24);
          const after = fused(graph);
          found += Number(names(after).includes("fusedReduction"));
          close(compile(after, { passes: [] }).run(args), interpret(graph, args), 2e-5);
          expect(printGraph(parseGraph(printGraph(after)))).toBe(printGraph(after));
        });
      }),
      { numRuns: 80 },
    );
    expect(found).toBeGreaterThan(0);
  });

  it("can be differentiated, forward and in reverse, and mapped", () => {
    const f = (x: Tensor, y: Tensor): Tensor => x.mul(y).tanh().sum(1);
    const args = [draw(1, 3, 4).cast("float64"), draw(2, 3, 4).cast("float64")] as const;
    const graph = fused(capture(f, ...args));
    expect(names(graph)).toEqual(["fusedReduction"]);
    const slope = (g: (x: Tensor) => Tensor) => grad((x: Tensor) => g(x).square().sum())(args[0]);
    const g = (x: Tensor) => call(graph, [x, args[1]])[0];
    close([slope(g)], [slope((x) => f(x, args[1]))], 1e-12);
    const many = draw(3, 5, 3, 4).cast("float64");
    close([vmap(g)(many)], [vmap((x: Tensor) => f(x, args[1]))(many)], 1e-12);
    fc.assert(
      fc.property(seeds, (seed) => {
        tidy(() => {
          const { graph, args } = randomProgram(seed);
          const slope = (g: Graph) => grad((x: Tensor) => call(g, [x, args[1]])[0].sum())(args[0]);
          close([slope(fused(graph))], [slope(graph)], 1e-9);
        });
      }),
      { numRuns: 20 },
    );
  });

  it.skipIf(typeof nativeSupport() === "string")(
    "agrees on the native device, before and after its kernels are there",
    async () => {
      const args = [draw(1, 120, 130), draw(2, 130)];
      const graphs = [0, 1].map((axis) =>
        fused(capture((x: Tensor, y: Tensor) => x.sub(y).square().sum(axis), ...(args as [Tensor, Tensor]))),
      );
      const wanted = graphs.map((graph) => reference(graph, args));
      setDevice("native");
      const both = () =>
        graphs.forEach((graph, i) => {
          close(compile(graph, { passes: [] }).run(args), wanted[i], 2e-5);
        });
      both();
      await compiler.nativeKernels().ready;
      both();
    },
  );
});
