/** An op, a WebAssembly kernel and a device added from outside, by what `extend` exports alone. */
import { describe, expect, it } from "vitest";
import {
  capture,
  defineOp,
  extend,
  getDevice,
  grad,
  jvp,
  NOT_DIFFERENTIABLE,
  setDevice,
  type Tensor,
  tensor,
  vmap,
} from "./index.js";

const { apply, elementwiseBatch, isContiguous, launch, mapReference, registerDevice, registerKernel } =
  extend;
const { ModuleBuilder, load, op } = extend.wasm;

type None = Record<string, never>;
const halfSum: extend.OpDef<None> = defineOp<None>({
  name: "testHalfSum",
  kind: "elementwise",
  type: ([a]) => [{ shape: a.shape, dtype: a.dtype }],
  reference: mapReference((a, b) => (a + b) / 2),
  vjp: ([g]) => [g && g.mul(0.5), g && g.mul(0.5)],
  jvp: (_p, [a, b]) => [a && b ? a.add(b).mul(0.5) : (a ?? b)!.mul(0.5)],
  batch: elementwiseBatch(() => halfSum),
  samples: [
    {
      shapes: [
        [2, 3],
        [2, 3],
      ],
    },
  ],
});
const f = (a: Tensor, b: Tensor): Tensor => apply(halfSum, [a, b], {});

describe("an op from outside", () => {
  const [a, b] = [tensor([1, 2, 3]), tensor([5, 5, 5])];

  it("goes through every transformation", () => {
    expect(f(a, b).toArray()).toEqual([3, 3.5, 4]);
    expect(grad((x: Tensor) => f(x, b).sum())(a).toArray()).toEqual([0.5, 0.5, 0.5]);
    expect(jvp((x: Tensor) => f(x, b), [a], [tensor([2, 0, 0])])[1].toArray()).toEqual([1, 0, 0]);
    expect(
      vmap(f, { inAxes: [0, null] })(
        tensor([
          [1, 1, 1],
          [3, 3, 3],
        ]),
        b,
      ).toArray(),
    ).toEqual([
      [3, 3, 3],
      [4, 4, 4],
    ]);
    expect(String(capture(f, a, b))).toContain("testHalfSum");
  });

  it("runs by a WebAssembly kernel on threads, on a device of its own", () => {
    const module = new ModuleBuilder();
    const { f32 } = extend.wasm;
    module.func("halfSum", ["i32", "i32", "i32", "i32", "i32", "i32"], null, (fn) => {
      const [pa, pb, out, from, to] = [0, 1, 2, 3, 4].map((i) => fn.param<"i32">(i));
      const at = (p: typeof pa) => op("i32.add", p, op("i32.mul", from, extend.wasm.i32(4)));
      fn.for(from, to, 1, () => {
        const sum = op("f32.add", load("f32.load", at(pa)), load("f32.load", at(pb)));
        fn.store("f32.store", at(out), op("f32.mul", sum, f32(0.5)));
      });
    });
    const { halfSum: kernel } = extend.compileKernels(module, ["halfSum"]);
    let runs = 0;
    registerDevice("testing", () => ({ available: true, detail: "a test" }));
    registerKernel<None>("testing", {
      op: "testHalfSum",
      supports: (inputs) => inputs.every((x) => x.dtype === "float32" && isContiguous(x)),
      run: ([x, y], [out]) => {
        runs++;
        const address = (t: extend.HostArray): number => t.ptr + t.offset * 4;
        launch(kernel, [address(x), address(y), address(out)], out.shape[0], 1024);
      },
    });
    const before = getDevice();
    setDevice("testing");
    try {
      const n = 10_000;
      const x = tensor(Float32Array.from({ length: n }, (_v, i) => i));
      const y = tensor(Float32Array.from({ length: n }, (_v, i) => 3 * i));
      expect([...f(x, y).toTypedArray()]).toEqual(Array.from({ length: n }, (_v, i) => 2 * i));
      expect(runs).toBe(1);
      expect(f(tensor([1], { dtype: "float64" }), tensor([2], { dtype: "float64" })).toArray()).toEqual([
        1.5,
      ]);
      expect(runs).toBe(1);
    } finally {
      setDevice(before);
    }
  });

  it("leave the heap whole when a type rule gives no shape", () => {
    const broken = (dims: number[]): extend.OpDef<object> => ({
      name: "broken",
      type: ([x]) => [{ shape: dims, dtype: x.dtype }],
      reference: () => {},
      vjp: NOT_DIFFERENTIABLE,
      jvp: NOT_DIFFERENTIABLE,
      batch: extend.elementwiseBatch(() => broken(dims)),
      samples: [],
    });
    for (const dims of [[Number.NaN], [2, undefined as unknown as number], [-1]])
      expect(() => extend.apply(broken(dims), [tensor([1])], {})).toThrow(/cannot have the shape/);
    expect(tensor([1, 2]).add(1).toArray()).toEqual([2, 3]);
  });
});
