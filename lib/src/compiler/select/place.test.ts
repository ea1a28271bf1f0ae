import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  capture,
  compiler,
  conv2d,
  defineOp,
  getOp,
  grad,
  graph as graphs,
  ones,
  random,
  type Tensor,
  tensor,
  toStatic,
} from "../../index.js";
import { nativeSupport } from "../../runtime/native/library.js";
import { randomGraph } from "../random-graph.js";

const { placeOnDevices } = compiler;
const { compile, interpret } = graphs;
const draw = (seed: number, ...shape: number[]): Tensor => random.normal(random.key(seed), shape);
const native = typeof nativeSupport() !== "string";

function close(found: readonly Tensor[], wanted: readonly Tensor[], tolerance = 1e-5): void {
  expect(found.map(({ type }) => type)).toEqual(wanted.map(({ type }) => type));
  found.forEach((y, k) => {
    const b = wanted[k].cast("float64").toTypedArray();
    y.cast("float64")
      .toTypedArray()
      .forEach((a, i) => {
        expect(Math.abs(Number(a) - Number(b[i]))).toBeLessThanOrEqual(
          tolerance * Math.max(1, Math.abs(Number(b[i]))),
        );
      });
  });
}

/** conv2d over images with the channels last: as a device might have it. */
defineOp<object>({
  ...(getOp("conv2d") as never as Parameters<typeof defineOp<object>>[0]),
  name: "conv2dChannelsLast",
  type: ([x, w], attrs) => {
    const [n, h, wide, c] = x.shape;
    const [y] = getOp("conv2d").type(
      [
        { ...x, shape: [n, c, h, wide] },
        { ...w, shape: [w.shape[0], w.shape[3], w.shape[1], w.shape[2]] },
      ],
      attrs,
    );
    return [{ ...y, shape: [y.shape[0], y.shape[2], y.shape[3], y.shape[1]] }];
  },
  reference: ([x, w], [out], attrs) => {
    const turned = (a: typeof x, order: number[]) => ({
      ...a,
      shape: order.map((i) => a.shape[i]),
      strides: order.map((i) => a.strides[i]),
    });
    const first = [0, 3, 1, 2];
    getOp("conv2d").reference([turned(x, first), turned(w, first)], [turned(out, first)], attrs as never);
  },
  samples: [],
});

describe("placement on devices", () => {
  const f = (x: Tensor, y: Tensor, z: Tensor): Tensor => x.add(y).sub(z);
  const args = [draw(1, 4), draw(2, 4), draw(3, 4)] as [Tensor, Tensor, Tensor];

  it("by tags: x + y on one device, − z on another, in two subgraphs", () => {
    const graph = capture(f, ...args);
    const tags = (node: { op: { name: string } }): string => (node.op.name === "add" ? "cpu" : "wasm");
    const placed = placeOnDevices(graph, tags);
    expect(placed.partition.subgraphs).toEqual([
      { device: "cpu", nodes: ["add1"] },
      { device: "wasm", nodes: ["sub1"] },
    ]);
    expect(
      placed.graph.nodes.map(({ op, attrs }) => [op.name, (attrs as { device: string }).device]),
    ).toEqual([
      ["deviceCall", "cpu"],
      ["deviceCall", "wasm"],
    ]);
    const executable = compile(graph, { placement: tags });
    close(executable.run(args), [f(...args)]);
    expect(compile(graph, { placement: tags })).toBe(executable);
    expect(compile(graph)).not.toBe(executable);
    close(interpret(placed.graph, args), [f(...args)]);
    const again = graphs.parseGraph(graphs.printGraph(placed.graph));
    close(compile(again, { passes: [] }).run(args), [f(...args)]);
    expect(() => placeOnDevices(graph, (_, name) => (name === "sub1" ? "npu" : "cpu"))).toThrow(
      /sub1 is placed on "npu", which is not available; there are cpu, wasm/,
    );
  });

  it("gives what one device gives, whatever the tags", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e6 }), fc.nat(), (seed, mix) => {
        const { graph, args } = randomGraph(seed, 14);
        const places = ["cpu", "wasm", ...(native ? ["native"] : [])];
        let at = mix;
        const placement = (): string => {
          at = (Math.imul(at, 1664525) + 1013904223) >>> 0;
          return places[(at >>> 8) % places.length];
        };
        close(compile(graph, { placement, level: "O3" }).run(args), interpret(graph, args), 2e-5);
        const { partition, conversions } = placeOnDevices(graph, placement);
        expect(conversions).toBe(0);
        expect(partition.subgraphs.flatMap(({ nodes }) => nodes).length).toBe(
          graphs.runPasses(graph, ["dce"]).nodes.length,
        );
      }),
      { numRuns: 25 },
    );
  });

  it("by cost: large products where they are fastest, all on one device where a hand-over costs more", () => {
    const small = capture((x: Tensor) => x.matmul(x).tanh(), draw(1, 4, 4));
    expect(placeOnDevices(small, { devices: ["cpu", "wasm"] }).partition.subgraphs).toHaveLength(1);
    const large = capture((x: Tensor) => x.matmul(x).tanh().matmul(x), draw(1, 128, 128));
    const { kernels } = placeOnDevices(large, { devices: ["cpu", "wasm"] });
    expect(kernels.get("matmul1")?.device).toBe("wasm");
    close(compile(large, { placement: "cost" }).run([draw(1, 128, 128)]), [
      interpret(large, [draw(1, 128, 128)])[0],
    ]);
  });

  it("computes in a dtype that there is a kernel for: bfloat16 products go through float32", () => {
    const [x, w] = [draw(1, 48, 48).cast("bfloat16"), draw(2, 48, 48).cast("bfloat16")];
    const graph = capture((x: Tensor, w: Tensor) => x.matmul(w).relu().matmul(w), x, w);
    const placed = placeOnDevices(graph, "cost");
    expect([...placed.kernels.values()].map(({ dtype }) => dtype)).toEqual(["float32", "float32", "float32"]);
    expect(placed.conversions).toBe(3); // two operands and the result, not what lies between
    // one rounding in place of three
    const [exact] = [x, w].map((a) => a.cast("float64")).map((a, _, [, b]) => a.matmul(b).relu().matmul(b));
    const off = (y: Tensor): number => y.cast("float64").sub(exact).abs().max().item();
    const [found] = compile(graph, { placement: "cost" }).run([x, w]);
    expect(found.dtype).toBe("bfloat16");
    expect(off(found)).toBeLessThanOrEqual(off(interpret(graph, [x, w])[0]));
    const light = capture((x: Tensor) => x.neg(), ones([2]).cast("bfloat16"));
    expect(placeOnDevices(light).conversions).toBe(0); // near the program's own precision, where nothing is gained
  });

  it("changes layouts where a kernel wants another one, and not between two that want the same", () => {
    const [x, w, v] = [draw(1, 2, 3, 6, 6), draw(2, 4, 3, 3, 3), draw(3, 4, 4, 3, 3)];
    const model = (x: Tensor, w: Tensor, v: Tensor): Tensor =>
      conv2d(conv2d(x, w, { padding: 1 }).relu(), v, { padding: 1 }).sum();
    const graph = capture(model, x, w, v);
    const kernels = [
      { op: "conv2d", device: "cpu", dtype: "float32", layout: "NHWC", cost: 0.1, as: "conv2dChannelsLast" },
    ];
    const placed = placeOnDevices(graph, { devices: ["cpu"], kernels });
    expect(placed.kernels.get("relu1")?.layout).toBe("NHWC");
    expect(placed.conversions).toBe(4); // the image, both filters, and the sum's operand
    close(compile(graph, { placement: { devices: ["cpu"], kernels } }).run([x, w, v]), [model(x, w, v)]);
  });

  it("is an option of toStatic, and derivatives pass through", () => {
    const s = toStatic((x: Tensor) => x.matmul(x).tanh().sum(), {
      placement: (node) => (node.op.name === "matmul" ? "wasm" : "cpu"),
    });
    const x = draw(4, 5, 5);
    close([s(x)], [x.matmul(x).tanh().sum()]);
    close([grad(s)(x)], [grad((x: Tensor) => x.matmul(x).tanh().sum())(x)]);
    const placed = placeOnDevices(
      capture((x: Tensor) => x.sin().cos(), tensor([1, 2])),
      (node) => (node.op.name === "sin" ? "cpu" : "wasm"),
    ).graph;
    close(
      [grad((x: Tensor) => graphs.call(placed, [x])[0].sum())(tensor([1, 2]))],
      [grad((x: Tensor) => x.sin().cos().sum())(tensor([1, 2]))],
    );
  });
});
