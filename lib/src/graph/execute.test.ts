import { describe, expect, it } from "vitest";
import { grad, heapStats, inv, random, setDevice, type Tensor, tensor, tidy } from "../index.js";
import { call, capture, compile, cond, whileLoop } from "./index.js";

const draw = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);
const inputs = (): Tensor[] => [draw(1, 64, 48), draw(2, 48, 40), draw(3, 64, 32), draw(4, 32, 40)];
const twoProducts = (x1: Tensor, w1: Tensor, x2: Tensor, w2: Tensor): Tensor =>
  x1.matmul(w1).add(x2.matmul(w2)).relu();
const close = (a: Tensor, b: Tensor): void => {
  const [x, y] = [a.toTypedArray(), b.toTypedArray()];
  expect(x.length).toBe(y.length);
  x.forEach((value, i) => {
    expect(Math.abs(Number(value) - Number(y[i]))).toBeLessThanOrEqual(
      1e-5 * Math.max(1, Math.abs(Number(y[i]))),
    );
  });
};

describe("compiled graphs", () => {
  it("fuse elementwise ops and give what eager execution gives", () => {
    const args = inputs();
    const executable = compile(capture(twoProducts, ...(args as [Tensor, Tensor, Tensor, Tensor])));
    expect(executable.graph.nodes.map((node) => node.op.name)).toEqual(["matmul", "matmul", "fused"]);
    close(executable.run(args)[0], twoProducts(...(args as [Tensor, Tensor, Tensor, Tensor])));
  });

  it("run independent nodes on streams at the same time, in an order that respects dependencies", () => {
    const args = inputs() as [Tensor, Tensor, Tensor, Tensor];
    const executable = compile(capture(twoProducts, ...args), { streams: 2 });
    for (let i = 0; i < 50; i++) tidy(() => close(executable.run(args)[0], twoProducts(...args)));
    const { results, spans } = executable.timeline(args);
    close(results[0], twoProducts(...args));
    const span = (name: string) => spans.find(({ node }) => node === name)!;
    expect(span("matmul1").stream).not.toBe(span("matmul2").stream);
    for (const name of ["matmul1", "matmul2"])
      expect(span(name).end).toBeLessThanOrEqual(span("fused1").start);
    for (const { start, end } of spans) expect(end).toBeGreaterThanOrEqual(start);
  });

  it("give streams more work than a ring of records holds", () => {
    const x = draw(5, 40, 40).mul(0.01);
    const f = (a: Tensor): Tensor => {
      let [p, q] = [a, a];
      for (let i = 0; i < 100; i++) [p, q] = [p.matmul(a).add(q), q.matmul(a).sub(p)];
      return p.add(q);
    };
    const executable = compile(capture(f, x), { streams: 3, passes: ["dce"] });
    close(executable.run([x])[0], f(x));
    const { spans } = executable.timeline([x]);
    expect(spans).toHaveLength(executable.graph.nodes.length);
    const ends = new Map(spans.map(({ node, end }) => [node, end]));
    expect(ends.size).toBe(spans.length);
  });

  it("wait for streams before ops that run on the host, and before copies of views", () => {
    const x = draw(6, 30, 20);
    const f = (a: Tensor): Tensor => a.mul(2).transpose().reshape([-1]).cumsum(0).add(a.exp().sum());
    const executable = compile(capture(f, x), { streams: 2 });
    for (let i = 0; i < 20; i++) tidy(() => close(executable.run([x])[0], f(x)));
  });

  it("return handles of the caller's own, and leave nothing behind", () => {
    const x = draw(7, 8, 8);
    const graph = capture((a: Tensor) => [a, a.transpose(), a.add(1), tensor([1, 2])], x);
    for (const streams of [1, 2]) {
      const executable = compile(graph, { streams });
      for (const y of executable.run([x])) y.dispose(); // constants and caches exist now
      const before = heapStats().liveStorages;
      const results = executable.run([x]);
      for (const y of results) y.dispose();
      expect(heapStats().liveStorages).toBe(before);
      expect(x.isDisposed).toBe(false);
      expect(executable.run([x])[3].toArray()).toEqual([1, 2]);
    }
  });

  it("give back everything when a node fails", () => {
    const graph = capture(
      (a: Tensor) => inv(a.mul(2)).add(a.exp()),
      tensor([
        [1, 0],
        [0, 1],
      ]),
    );
    const executable = compile(graph);
    const bad = tensor([
      [0, 0],
      [0, 0],
    ]);
    expect(() => executable.run([bad])).toThrow(/inv: .*singular/);
    const before = heapStats().liveStorages;
    for (let i = 0; i < 5; i++) expect(() => executable.run([bad])).toThrow(/singular/);
    expect(heapStats().liveStorages).toBe(before);
  });

  it("run control flow, and its regions as compiled graphs", () => {
    const f = (x: Tensor): Tensor =>
      whileLoop(
        (_: Tensor, y: Tensor) => y.sum().less(100),
        (i: Tensor, y: Tensor): [Tensor, Tensor] => [
          i.add(1),
          cond(
            i.remainder(2).equal(0),
            (a: Tensor) => a.mul(2).add(1),
            (a: Tensor) => a.mul(3).sub(1),
            y,
          ),
        ],
        [tensor(0), x] as [Tensor, Tensor],
      )[1];
    const x = tensor([0.5, 1, 1.5]);
    const executable = compile(capture(f, x));
    for (const start of [x, tensor([10, 20, 30]), tensor([100, 1, 1])])
      close(executable.run([start])[0], f(start));
  });

  it("name a wrong argument, and values that only transformations have", () => {
    const x = draw(8, 2, 3);
    const graph = capture((a: Tensor) => a.add(1), x);
    expect(() => compile(graph).run([tensor([1, 2])])).toThrow(
      /argument 0 \(a\) is float32\(2,\), float32\(2, 3\) was expected/,
    );
    expect(() => compile(graph).run([])).toThrow(/1 argument\(s\) expected, 0 given/);
    expect(() => grad((a: Tensor) => compile(graph).run([a])[0].sum())(x)).toThrow(/use call\(graph, args\)/);
    close(grad((a: Tensor) => call(graph, [a])[0].square().sum())(x), x.add(1).mul(2));
  });

  it("agree with the reference device, where nothing is compiled", () => {
    const args = inputs() as [Tensor, Tensor, Tensor, Tensor];
    const wanted = compile(capture(twoProducts, ...args)).run(args)[0];
    setDevice("cpu");
    try {
      close(compile(capture(twoProducts, ...args), { streams: 2 }).run(args)[0], wanted);
    } finally {
      setDevice("wasm");
    }
  });
});
