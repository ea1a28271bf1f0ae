import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  arange,
  capture,
  concat,
  grad,
  graph,
  manualSeed,
  nn,
  optim,
  random,
  softmax,
  type Tensor,
  tensor,
  toStatic,
  valueAndGrad,
  zeros,
} from "../index.js";

const { captureSymbolic, parseSymbolicGraph } = graph;
const normal = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);

function expectClose(found: Tensor, wanted: Tensor): void {
  expect(found.shape).toEqual(wanted.shape);
  const [a, b] = [found.toTypedArray(), wanted.toTypedArray()];
  a.forEach((x, i) => {
    expect(Math.abs(Number(x) - Number(b[i]))).toBeLessThanOrEqual(1e-5 * (1 + Math.abs(Number(b[i]))));
  });
}

/** A layer, its loss as a mean over the batch, one gradient. */
function step(x: Tensor, w: Tensor, y: Tensor): Tensor[] {
  const loss = (w: Tensor) => x.matmul(w).tanh().sub(y).square().mean();
  return [loss(w), grad(loss)(w)];
}

describe("graphs for any size", () => {
  it("print with symbols and guards", () => {
    const g = captureSymbolic(
      function f(x: Tensor, w: Tensor) {
        return x.matmul(w).relu().mean(0);
      },
      "float32(n, 3)",
      "float32(3, 4)",
    );
    expect(g.text({ locations: false })).toBe(`graph @f<n >= 2>(%0 x: float32(n, 3), %1 w: float32(3, 4)) {
  %5 = dimension() {value: n, reciprocal: true, dtype: "float32"} : float32()
  %2 = matmul(%0, %1) : float32(n, 4)
  %3 = relu(%2) : float32(n, 4)
  %4 = sum(%3) {axes: [0], keepDims: false} : float32(4,)
  %6 = mul(%4, %5) : float32(4,)
  return %6
}`);
  });

  it("compute what the function computes, at sizes that were never tried", () => {
    const g = captureSymbolic(step as never, "float32(n, 6)", "float32(6, k)", "float32(n, k)");
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 70 }), fc.integer({ min: 2, max: 9 }), (n, k) => {
        const args = [normal(n, n, 6), normal(k, 6, k), normal(n + k, n, k)] as const;
        const wanted = step(...args);
        g.call(args).forEach((y, i) => {
          expectClose(y, wanted[i]);
        });
      }),
      { numRuns: 25 },
    );
  });

  it("the same graph as one captured at that size", () => {
    const f = (x: Tensor): Tensor =>
      softmax(x.reshape([x.size]))
        .reshape(x.shape)
        .sum(1, true);
    const g = captureSymbolic(f as never, "float64(rows, columns)");
    expect(g.text()).toContain("{shape: [columns*rows]} : float64(columns*rows,)");
    const plain = capture(f, zeros([6, 8], { dtype: "float64" }));
    expect(graph.equalGraphs(g.at({ rows: 6, columns: 8 }), plain)).toBe(true);
    expect(g.at({ rows: 6, columns: 8 })).toBe(g.at({ rows: 6, columns: 8 }));
    expect(g.instances).toBe(1);
  });

  it("sums, products and squares of sizes", () => {
    const f = (x: Tensor, y: Tensor): Tensor[] => [
      concat([x, y, x], 0),
      x
        .reshape([x.shape[0], 1, 4])
        .broadcastTo([x.shape[0], x.shape[0], 4])
        .reshape([x.shape[0] ** 2 * 4]),
      x.mul(1 / (3 * x.shape[0])).mul(y.shape[0]),
    ];
    const g = captureSymbolic(f as never, "float32(n, 4)", "float32(m, 4)");
    expect(g.template.results.map(({ shape }) => shape.join(", "))).toEqual(["m + 2*n, 4", "4*n*n", "n, 4"]);
    const args = [normal(1, 3, 4), normal(2, 9, 4)] as const;
    g.call(args).forEach((y, i) => {
      expectClose(y, f(...args)[i]);
    });
  });

  it("text reads back to the same graph, also with regions and large constants", () => {
    const table = normal(9, 3, 5);
    const g = captureSymbolic(
      ((x: Tensor) =>
        graph
          .scan((s: Tensor, row: Tensor) => [s.add(row), s], zeros([5]), x.matmul(table).mean(0, true))[0]
          .div(x.shape[0])) as never,
      "float32(n, 3)",
    );
    const again = parseSymbolicGraph(g.text());
    expect(again.text()).toBe(g.text());
    expect(again.guards).toEqual([{ symbol: "n", least: 2 }]);
    expectClose(again.call([normal(4, 11, 3)])[0], g.call([normal(4, 11, 3)])[0]);
    const text = (body: string) => `graph @f<n >= 2>(%0: float32(n, 3)) {\n${body}\nreturn %1 }`;
    expect(() => parseSymbolicGraph(text("%1 = sin(%0) : float32(m, 3)"))).toThrow(
      'line 2, column 24: a size was expected, "m" found',
    );
    expect(() => graph.parseGraph(g.text())).toThrow(
      "sizes of this graph are symbols (n): parseSymbolicGraph reads it",
    );
    expect(() => parseSymbolicGraph(text("%1 = sin(%0) : float32(2*n, 3)"))).toThrow(
      "output 0 is declared float32(4, 3), its type rule gives float32(2, 3)",
    );
  });

  it("guards and sizes are checked at the call, with the argument that gave the size", () => {
    const g = captureSymbolic((x: Tensor, y: Tensor) => x.add(y), "float32(n, 3)", "float32(n, 3)");
    expect(() => g.call([normal(1, 1, 3), normal(1, 1, 3)])).toThrow(
      "it was made for n >= 2, and n is 1; capture one for that size",
    );
    expect(() => g.call([normal(1, 4, 3), normal(1, 5, 3)])).toThrow(
      "argument 1 (y) is float32(5, 3), float32(n, 3) was expected: axis 0 is 5, not n = 4, with n = 4 by axis 0 of argument 0 (x)",
    );
    expect(() => g.call([normal(1, 4, 2), normal(1, 4, 2)])).toThrow(
      "argument 0 (x) is float32(4, 2), float32(n, 3) was expected: axis 1 is 2, not 3",
    );
    expect(() => g.call([normal(1, 4), normal(1, 4)])).toThrow(
      "argument 0 (x) is float32(4,), float32(n, 3) was expected",
    );
    expect(() => g.call([normal(1, 4, 3)])).toThrow("2 argument(s) expected, 1 given");
    expect(() => captureSymbolic((x: Tensor) => x, "float33(n)")).toThrow('argument 0 is "float33(n)"');
    expect(() => captureSymbolic((x: Tensor) => x, "float32(3)")).toThrow("no size has a name");
  });

  it("programs whose structure depends on the size are refused, with the place", () => {
    const loop = (x: Tensor): Tensor => {
      let sum = x.at(0);
      for (let i = 1; i < x.shape[0]; i++) sum = sum.add(x.at(i));
      return sum;
    };
    expect(() => captureSymbolic(loop, "float32(n, 3)")).toThrow(
      /does not generalize: the number of nodes is \d+ at \{n:5\}/,
    );
    const branch = (x: Tensor): Tensor => (x.shape[0] > 10 ? x.sin() : x.cos());
    expect(() => captureSymbolic(branch, "float32(n)")).toThrow(/the op of cos \(%1\) at .*dynamic.test/);
    const positions = (x: Tensor): Tensor => x.add(arange(x.shape[0]));
    expect(() => captureSymbolic(positions, "float32(n)")).toThrow(
      /does not generalize: constant %\d+ is \[0, 1, 2, 3/,
    );
    const half = (x: Tensor): Tensor => x.slice(`0:${Math.floor(x.shape[0] / 2)}`);
    expect(() => captureSymbolic(half, "float32(n)")).toThrow("does not generalize");
  });

  it("derivatives pass through", () => {
    const g = captureSymbolic((x: Tensor) => x.square().mean(), "float32(n, 2)");
    expectClose(grad((x: Tensor) => g.call([x])[0])(normal(3, 5, 2)), normal(3, 5, 2).mul(0.2));
  });
});

describe("toStatic for any size", () => {
  it("generalizes at the second size and captures no more", () => {
    let runs = 0;
    const f = toStatic(
      (x: Tensor, w: Tensor) => {
        runs++;
        return x.matmul(w).tanh().mean(0);
      },
      { dynamic: true },
    );
    const w = normal(1, 3, 4);
    const eager = (x: Tensor): Tensor => x.matmul(w).tanh().mean(0);
    expectClose(f(normal(2, 5, 3), w), eager(normal(2, 5, 3)));
    expect([runs, f.captures]).toEqual([1, 1]);
    expectClose(f(normal(2, 8, 3), w), eager(normal(2, 8, 3)));
    const after = runs;
    for (const n of [9, 16, 33, 100]) expectClose(f(normal(n, n, 3), w), eager(normal(n, n, 3)));
    expect(runs).toBe(after);
    expectClose(f(normal(2, 1, 3), w), eager(normal(2, 1, 3))); // a guard: size 1 has a graph of its own
    expect(runs).toBe(after + 1);
    expect(() => f(normal(2, 4, 2), w)).toThrow();
  });

  it("what does not generalize is captured for each size", () => {
    const f = toStatic((x: Tensor) => (x.shape[0] > 6 ? x.sin() : x.cos()), { dynamic: true });
    for (const n of [3, 4, 9, 12]) {
      const x = normal(n, n);
      expectClose(f(x), n > 6 ? x.sin() : x.cos());
    }
    expect(f.captures).toBe(4);
  });

  it("a training step whose last batch is smaller: the same weights as eagerly, captured for two sizes", () => {
    const run = (dynamic: boolean | null) => {
      manualSeed(3);
      const net = new nn.Sequential(new nn.Dense(4, 8), new nn.ReLU(), new nn.Dense(8, 1));
      const optimizer = new optim.Adam(net, { lr: 0.01 });
      const step = (x: Tensor, y: Tensor): Tensor => {
        const [loss, grads] = valueAndGrad((m: typeof net) => m.forward(x).sub(y).square().mean())(net);
        optimizer.step(grads);
        return loss;
      };
      const fast = toStatic(step, { dynamic: dynamic ?? false });
      const losses = [32, 20, 7, 15, 1, 64].map((n) =>
        (dynamic === null ? step : fast)(normal(n, n, 4), normal(n + 1, n, 1)).item(),
      );
      return { losses, weights: net.parameters().map((p) => p.toArray()), captures: fast.captures };
    };
    const [eager, dynamic, each] = [run(null), run(true), run(false)];
    expectClose(tensor(dynamic.losses), tensor(eager.losses));
    expect(dynamic.captures).toBe(3); // the first size, all sizes, and size 1
    expect(each.captures).toBe(6);
    dynamic.weights.forEach((w, i) => {
      expectClose(tensor(w as number[]), tensor(eager.weights[i] as number[]));
    });
  });

  it("without the option every size is captured", () => {
    const f = toStatic((x: Tensor) => x.sin());
    for (const n of [3, 4, 5]) f(tensor(new Array<number>(n).fill(1)));
    expect(f.captures).toBe(3);
  });
});
