import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomGraph } from "../../compiler/random-graph.js";
import { captureState } from "../../graph/capture.js";
import { call, capture, compile, interpret } from "../../graph/index.js";
import { randomProgram } from "../../graph/random-program.js";
import {
  batchNorm,
  compiler,
  conv2d,
  grad,
  heapStats,
  manualSeed,
  nn,
  ones,
  optim,
  random,
  setNumThreads,
  type Tensor,
  tensor,
  toStatic,
  valueAndGrad,
  vmap,
} from "../../index.js";
import { countNodes, type Graph, PassManager, parseGraph, printGraph, runPasses } from "../index.js";

const FUSION = ["cse", "dce", "fuse", "fuse-outputs", "multi-tensor", "epilogue"];
const names = (graph: Graph): string[] => graph.nodes.map(({ op }) => op.name);
const seeds = fc.integer({ min: 0, max: 1e6 });

function close(found: readonly Tensor[], wanted: readonly Tensor[], tolerance: number): void {
  expect(found.length).toBe(wanted.length);
  found.forEach((y, k) => {
    expect(y.type).toBe(wanted[k].type);
    const [a, b] = [y.toTypedArray(), wanted[k].toTypedArray()];
    let worst = 0;
    for (let i = 0; i < a.length; i++) {
      const error = Math.abs(Number(a[i]) - Number(b[i])) / Math.max(1, Math.abs(Number(b[i])));
      if (!(error <= worst)) worst = error; // NaN stays
    }
    expect(worst).toBeLessThanOrEqual(tolerance);
  });
}

describe("fusion with several results", () => {
  it("joins a producer that others read as well, and siblings that read the same", () => {
    const f = (x: Tensor, y: Tensor): Tensor[] => {
      const a = x.mul(y).add(1);
      return [a.sum(), a.tanh(), x.sub(y).sum(0)];
    };
    const args = [ones([4, 8]).mul(0.5), ones([4, 8])];
    const graph = runPasses(capture(f, ...(args as [Tensor, Tensor])), FUSION);
    expect(names(graph).sort()).toEqual(["fused", "sum", "sum"]);
    close(compile(graph, { passes: [] }).run(args), f(args[0], args[1]), 1e-6);
  });

  it("never makes a cycle: what lies between stays between", () => {
    const f = (x: Tensor): Tensor => {
      const a = x.exp();
      return a.add(a.sum(0, true).tanh()); // the sum needs the exponentials, the addition needs the sum
    };
    const graph = runPasses(capture(f, ones([3, 5])), FUSION);
    expect(names(graph)).toEqual(["exp", "sum", "tanh", "add"]);
  });

  it("has integer constants in all lanes of a vector", () => {
    for (const dtype of ["int32", "int16", "uint8"] as const) {
      const x = tensor(Array.from({ length: 11 }, (_, i) => i)).cast(dtype);
      const f = (x: Tensor): Tensor => x.mul(3).add(x).add(7);
      const graph = runPasses(capture(f, x), ["fuse"]);
      expect(names(graph)).toEqual(["fused"]);
      close(compile(graph, { passes: [] }).run([x]), [f(x)], 0);
    }
  });

  it("keeps the meaning of random programs, also in print", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { graph, args } = randomGraph(seed, 24);
        const fused = runPasses(graph, FUSION);
        close(compile(fused, { passes: [] }).run(args), interpret(graph, args), 2e-5);
        expect(printGraph(parseGraph(printGraph(fused)))).toBe(printGraph(fused));
      }),
      { numRuns: 80 },
    );
  });

  it("keeps derivatives and batching", () => {
    // regions of one graph may number their values alike
    const again = randomProgram(763619);
    const joined = runPasses(again.graph, FUSION);
    const slopeOf = (g: Graph) => grad((x: Tensor) => call(g, [x, again.args[1]])[0].sum())(again.args[0]);
    close([slopeOf(joined)], [slopeOf(again.graph)], 1e-9);
    fc.assert(
      fc.property(seeds, (seed) => {
        const { graph, args } = randomProgram(seed);
        const fused = runPasses(graph, FUSION);
        const slope = (g: Graph) => grad((x: Tensor) => call(g, [x, args[1]])[0].sum())(args[0]);
        close([slope(fused)], [slope(graph)], 1e-9);
      }),
      { numRuns: 20 },
    );
    const g = runPasses(
      capture((x: Tensor) => [x.mul(2).tanh(), x.mul(2)], ones([3])),
      FUSION,
    );
    const xs = ones([4, 3]).mul(0.3);
    close([vmap((x: Tensor) => call(g, [x])[0])(xs)], [xs.mul(2).tanh()], 1e-6);
  });
});

describe("scales behind convolutions", () => {
  const draw = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);
  const fast = (graph: Graph): Graph =>
    new PassManager({ level: "O3", fastMath: ["reassoc"] }).run(graph).graph;

  it("Conv + BatchNorm + ReLU becomes one pass over the activations", () => {
    const f = (x: Tensor, w: Tensor, m: Tensor, v: Tensor, g: Tensor, b: Tensor): Tensor =>
      batchNorm(conv2d(x, w, { padding: 1 }), { mean: m, variance: v.square(), weight: g, bias: b }).relu();
    const args = [
      draw(1, 2, 3, 10, 10),
      draw(2, 4, 3, 3, 3),
      draw(3, 4),
      draw(4, 4).add(3),
      draw(5, 4),
      draw(6, 4),
    ];
    const graph = capture(f as never, ...args);
    const folded = fast(graph);
    const large = ({ nodes }: Graph): string[] =>
      nodes.filter(({ outputs }) => outputs[0].shape.join() === "2,4,10,10").map(({ op }) => op.name);
    expect(large(graph)).toEqual(["conv2d", "sub", "mul", "mul", "add", "relu"]);
    expect(large(folded)).toEqual(["fusedContraction"]);
    const wanted = (f as (...args: Tensor[]) => Tensor)(...args);
    close(compile(folded, { passes: [] }).run(args), [wanted], 2e-5);
    const strict = new PassManager({ level: "O3" }).run(graph).graph; // without the licence sums stay as they are
    close(compile(strict, { passes: [] }).run(args), [wanted], 1e-6);
    expect(countNodes(strict)).not.toBe(countNodes(folded));
  });

  it("with constants only, a convolution with other filters and a bias is left", () => {
    const [w, m, v] = [draw(2, 4, 3, 3, 3), draw(3, 4), draw(4, 4).square().add(0.5)];
    const f = (x: Tensor): Tensor => batchNorm(conv2d(x, w), { mean: m, variance: v });
    const x = draw(1, 2, 3, 8, 8);
    const folded = fast(capture(f, x));
    expect(names(folded)).toEqual(["fusedContraction"]);
    close(compile(folded, { passes: [] }).run([x]), [f(x)], 2e-5);
  });

  it.each([
    ["a difference the other way round", (y: Tensor, c: Tensor) => c.sub(y).mul(c)],
    ["a quotient", (y: Tensor, c: Tensor) => y.add(c).div(c.square().add(1))],
    ["a number", (y: Tensor) => y.mul(3).sub(1).mul(0.5)],
  ])("folds %s", (_, then) => {
    const f = (x: Tensor, w: Tensor, c: Tensor): Tensor => then(conv2d(x, w), c);
    const args = [draw(1, 2, 3, 6, 6), draw(2, 4, 3, 3, 3), draw(3, 4, 1, 1)] as [Tensor, Tensor, Tensor];
    close(compile(fast(capture(f, ...args)), { passes: [] }).run(args), [f(...args)], 2e-5);
  });

  it("folds nothing that differs from pixel to pixel or image to image, and nothing that others read", () => {
    const [x, w] = [draw(1, 2, 3, 6, 6), draw(2, 4, 3, 3, 3)];
    for (const c of [draw(3, 4, 4), draw(3, 2, 1, 1, 1), draw(3, 4)]) {
      const f = (x: Tensor): Tensor => conv2d(x, w).mul(c);
      close(compile(fast(capture(f, x)), { passes: [] }).run([x]), [f(x)], 2e-5);
    }
    const both = (x: Tensor): Tensor[] => {
      const y = conv2d(x, w);
      return [y.mul(2), y];
    };
    close(compile(fast(capture(both, x)), { passes: [] }).run([x]), both(x), 2e-5);
  });
});

describe("epilogues", () => {
  const draw = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);
  const check = (
    f: (...args: Tensor[]) => Tensor,
    args: readonly Tensor[],
    wanted: readonly string[],
  ): void => {
    const graph = runPasses(capture(f, ...args), FUSION);
    expect(names(graph)).toEqual(wanted);
    for (const threads of [1, 2]) {
      setNumThreads(threads);
      close(compile(graph, { passes: [] }).run(args), [f(...args)], 2e-5);
    }
    setNumThreads(2);
    close(compile(graph, { passes: [], streams: 2 }).run(args), [f(...args)], 2e-5);
    expect(printGraph(parseGraph(printGraph(graph)))).toBe(printGraph(graph));
  };

  it.each([
    ["one block", [9, 7, 5]],
    ["many blocks", [600, 130, 300]],
    ["a column", [40, 30, 1]],
    ["a row", [1, 30, 40]],
    ["nothing to sum", [4, 0, 5]],
  ])("matmul + bias + activation: %s", (_, [m, k, n]) => {
    const f = (a: Tensor, b: Tensor, c: Tensor) => a.matmul(b).add(c).sigmoid().mul(2);
    check(f as never, [draw(1, m, k), draw(2, k, n), draw(3, n)], ["fusedContraction"]);
    check(f as never, [draw(1, m, k), draw(2, k, n), draw(3, m, 1)], ["fusedContraction"]);
    check(f as never, [draw(1, m, k), draw(2, k, n), draw(3, m, n)], ["fusedContraction"]);
    check(f as never, [draw(1, m, k), draw(2, k, n), draw(3, n, m).transpose()], ["fusedContraction"]);
  });

  it("batches of products, with what each batch, each row or all share", () => {
    const f = (a: Tensor, b: Tensor, c: Tensor) => a.matmul(b).add(c).tanh();
    for (const shape of [
      [3, 1, 1],
      [8, 6],
      [3, 8, 1],
      [1, 1, 6],
      [3, 8, 6],
    ])
      for (const b of [draw(2, 5, 6), draw(2, 3, 5, 6)])
        check(f as never, [draw(1, 3, 8, 5), b, draw(3, ...shape)], ["fusedContraction"]);
  });

  it("Conv + bias + ReLU, of many images", () => {
    const f = (x: Tensor, w: Tensor, b: Tensor) => conv2d(x, w, { padding: 1 }).add(b).relu();
    check(f as never, [draw(1, 3, 4, 9, 9), draw(2, 5, 4, 3, 3), draw(3, 5, 1, 1)], ["fusedContraction"]);
    check(f as never, [draw(1, 90, 8, 24, 24), draw(2, 8, 8, 3, 3), draw(3, 8, 1, 1)], ["fusedContraction"]);
  });

  it("Conv + Conv + Sum + ReLU: two reads and two writes of the activations less, as in the book", () => {
    const f = (x: Tensor, v: Tensor, w: Tensor) => conv2d(x, v, { padding: 1 }).add(conv2d(x, w)).relu();
    const args = [draw(1, 2, 3, 12, 12), draw(2, 4, 3, 3, 3), draw(3, 4, 3, 1, 1)];
    check(f as never, args, ["conv2d", "fusedContraction"]);
    const graph = capture(f as never, ...args);
    const traffic = (g: Graph): number =>
      [...compiler.costsOf(g).values()].reduce((sum, { bytes }) => sum + bytes, 0);
    const activation = 2 * 4 * 12 * 12 * 4;
    // without fusion: the second convolution and the sum are written, then read
    expect(traffic(graph) - traffic(runPasses(graph, FUSION))).toBe(4 * activation);
  });

  it("leaves a product alone that others read, too", () => {
    const f = (a: Tensor): Tensor => {
      const p = a.matmul(a);
      return p.tanh().add(p.transpose()).sum();
    };
    const graph = runPasses(capture(f, draw(1, 4, 4)), FUSION);
    expect(names(graph)).toContain("matmul");
    close(compile(graph, { passes: [] }).run([draw(1, 4, 4)]), [f(draw(1, 4, 4))], 1e-5);
  });

  it("can be differentiated and mapped", () => {
    const f = (a: Tensor, b: Tensor): Tensor => a.matmul(b).add(1).tanh();
    const args = [draw(1, 3, 4), draw(2, 4, 2)] as const;
    const graph = runPasses(capture(f, ...args), FUSION);
    const slope = (g: (a: Tensor, b: Tensor) => Tensor) =>
      grad((a: Tensor) => g(a, args[1]).square().sum())(args[0]);
    close([slope((a, b) => call(graph, [a, b])[0])], [slope(f)], 1e-5);
    const many = draw(3, 5, 3, 4);
    close(
      [vmap((a: Tensor) => call(graph, [a, args[1]])[0])(many)],
      [vmap((a: Tensor) => f(a, args[1]))(many)],
      1e-5,
    );
  });
});

describe("multi-tensor apply", () => {
  const step = (sizes: readonly number[]) => {
    manualSeed(5);
    const model = new nn.Sequential(...sizes.slice(1).map((size, i) => new nn.Dense(sizes[i], size)));
    const optimizer = new optim.Adam(model, { lr: 1e-2 });
    return {
      model,
      run: (x: Tensor, y: Tensor): Tensor => {
        const [loss, gradients] = valueAndGrad((m: typeof model) => m.forward(x).sub(y).square().mean())(
          model,
        );
        optimizer.step(gradients);
        return loss;
      },
    };
  };
  const data = (): [Tensor, Tensor] => [
    tensor(
      Array.from({ length: 6 * 5 }, (_, i) => Math.cos(i)),
      { shape: [6, 5] },
    ),
    ones([6, 2]),
  ];

  it("makes one node of an optimizer's updates, and one of what has another program", () => {
    const { run } = step([5, 4, 3, 2]);
    const { graph } = captureState({}, run as (...args: never[]) => unknown, data(), true);
    const joined = runPasses(graph, FUSION);
    expect(names(joined).filter((name) => name === "fusedMany")).toHaveLength(1);
    const many = joined.nodes.find(({ op }) => op.name === "fusedMany");
    expect(many?.outputs).toHaveLength(6 * 3); // parameter and two moments of three layers' weights and biases
  });

  it.each([1, 2])("trains as eager execution does, on %i thread(s)", (threads) => {
    setNumThreads(threads);
    try {
      const [x, y] = data();
      const [eager, graph] = [step([5, 400, 300, 2]), step([5, 400, 300, 2])];
      const compiled = toStatic(graph.run);
      for (let i = 0; i < 5; i++) close([compiled(x, y)], [eager.run(x, y)], 1e-4);
      const before = heapStats().liveStorages;
      for (let i = 0; i < 3; i++) compiled(x, y).dispose();
      expect(heapStats().liveStorages).toBe(before);
      const values = (model: nn.Module) => model.parameters().map((p) => p.value as Tensor);
      for (let i = 0; i < 3; i++) eager.run(x, y);
      close(values(graph.model), values(eager.model), 1e-3);
    } finally {
      setNumThreads(2);
    }
  });

  it("can be differentiated and mapped like any other op", () => {
    const f = (x: Tensor, y: Tensor): Tensor[] => [x.mul(2).tanh(), y.mul(2).tanh()];
    const [x, y] = [ones([2, 2]).mul(0.1), ones([3]).mul(0.2)];
    const graph = capture(f, x, y);
    const joined = runPasses(graph, FUSION);
    expect(names(joined)).toEqual(["fusedMany"]);
    const slopes = (g: Graph) =>
      grad(
        (x: Tensor, y: Tensor) => {
          const [a, b] = call(g, [x, y]);
          return a.square().sum().add(b.sum());
        },
        { argnums: [0, 1] },
      )(x, y) as unknown as Tensor[];
    close(slopes(joined), slopes(graph), 1e-6);
    close(call(joined, [x, y]), f(x, y), 1e-6);
    const mapped = vmap((x: Tensor) => call(joined, [x, y])[0])(ones([4, 2, 2]).mul(0.1));
    expect(mapped.shape).toEqual([4, 2, 2]);
  });
});

describe("reconstruction", () => {
  it("takes a reshape out from between elementwise ops, which then are one kernel", () => {
    const f = (x: Tensor, y: Tensor): Tensor[] => {
      const row = x.sum(0, true).mul(2).tanh().reshape([5]);
      return [row.add(y).square(), row.mul(y)];
    };
    const args = [ones([3, 5]).mul(0.3), ones([5])] as [Tensor, Tensor];
    const graph = runPasses(capture(f, ...args), ["reconstruct", "fuse", "fuse-outputs"]);
    expect(names(graph)).toEqual(["sum", "reshape", "fused"]);
    close(compile(graph, { passes: [] }).run(args), f(...args), 1e-6);
  });

  it("leaves what is the epilogue of a product, what others read in the old shape, and views", () => {
    const [x, w] = [ones([4, 6]).mul(0.5), ones([6, 6]).mul(0.25)];
    const kept = (f: (x: Tensor, w: Tensor) => unknown): void => {
      const graph = capture(f, x, w);
      expect(runPasses(graph, ["reconstruct"])).toBe(graph);
    };
    kept((x, w) => x.matmul(w).relu().reshape([24]).mul(2));
    kept((x) => {
      const y = x.sum(1, true).tanh();
      return [y.reshape([4]).mul(2), y.mul(x)];
    });
    kept((x) => x.transpose().tanh().reshape([24]).mul(2));
    kept((x) => x.sum(1, true).tanh().reshape([4]));
    kept((x) => x.sum().tanh().reshape([1]).mul(2));
  });
});

describe("groups over many tensors", () => {
  it("the accumulation of all gradients is one kernel", () => {
    const shapes = [[3, 4], [4], [4, 2], [2]];
    const sums = shapes.map((shape, i) => ones(shape).mul(i));
    const found = shapes.map((shape, i) => ones(shape).mul(i + 0.5));
    const f = (...xs: Tensor[]): Tensor[] => xs.slice(0, 4).map((sum, i) => sum.add(xs[4 + i].mul(0.5)));
    const plain = (...xs: Tensor[]): Tensor[] => xs.slice(0, 4).map((sum, i) => sum.add(xs[4 + i]));
    for (const step of [f, plain]) {
      const graph = runPasses(capture(step, ...sums, ...found), FUSION);
      expect(names(graph)).toEqual(["fusedMany"]);
      expect(graph.nodes[0].outputs).toHaveLength(4);
      close(compile(graph, { passes: [] }).run([...sums, ...found]), step(...sums, ...found), 1e-6);
    }
  });

  it("repetition goes into the kernels that read it", () => {
    const f = (x: Tensor, y: Tensor): Tensor =>
      x.mul(y.broadcastTo([3, 5])).add(y.tanh().broadcastTo([3, 5]));
    const args = [ones([3, 5]), ones([5]).mul(0.5)] as [Tensor, Tensor];
    const { graph } = new PassManager({ level: "O2" }).run(capture(f, ...args));
    expect(names(graph)).toEqual(["tanh", "fused"]);
    close(compile(graph, { passes: [] }).run(args), [f(...args)], 1e-6);
    const both = capture((y: Tensor) => y.broadcastTo([3, 5]).add(y.broadcastTo([3, 5])), ones([5]));
    expect(names(new PassManager({ level: "O2" }).run(both).graph)).toContain("broadcastTo"); // somebody has to
  });
});
