/**
 * Kernels of the webgpu device that have several ways: products and convolutions over random sizes and layouts, special
 * values of every elementwise op, long reductions, many indices, whole graphs; and kernels of one's own.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ladder } from "../../src/compiler/kernels/ladder.js";
import { useWorkgroups } from "../../src/compiler/webgpu/strategy.js";
import type { DType } from "../../src/core/dtype.js";
import { sizeOf } from "../../src/core/shape.js";
import {
  attention,
  compiler,
  conv2d,
  deviceCounts,
  devices,
  getOp,
  graph,
  manualSeed,
  nn,
  ones,
  ops,
  optim,
  random as randoms,
  resetDeviceCounts,
  setDevice,
  type Tensor,
  tensor,
  tidy,
  toStatic,
  valueAndGrad,
  zeros,
} from "../../src/index.js";
import { apply } from "../../src/ops/bind.js";

const info = devices().find(({ name }) => name === "webgpu");
const { webgpu } = compiler;

let state = 1;
const random = (): number => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 31 - 1;
};
const draw = (shape: readonly number[]): Tensor =>
  tensor(Float32Array.from({ length: sizeOf(shape) }, random), { shape });
const on = <T>(device: string, f: () => T): T => {
  setDevice(device);
  try {
    return f();
  } finally {
    setDevice("cpu");
  }
};

/** The same on the device and on the host's fast kernels (or exactly as the reference), within rounding; the device does all of it. */
function same(f: (...x: Tensor[]) => Tensor, args: readonly Tensor[], room: number, note = ""): void {
  resetDeviceCounts("webgpu");
  const found = on("webgpu", () => f(...args).toTypedArray());
  expect([...deviceCounts("webgpu").fallback.keys()], note).toEqual([]);
  const wanted = on(room === 0 ? "cpu" : "wasm", () => f(...args).toTypedArray());
  expect(found.length).toBe(wanted.length);
  for (const [i, y] of wanted.entries())
    if (!(Object.is(found[i], y) || Math.abs(found[i] - y) <= room * Math.max(1, Math.abs(y))))
      expect.fail(`${note}: element ${i} is ${found[i]}, not ${y}`);
}

/** A matrix (…, rows, columns) that lies in one of several ways. */
function matrix(batch: readonly number[], rows: number, columns: number, how: number): Tensor {
  if (how === 1) return draw([...batch, columns, rows]).swapAxes(-1, -2);
  if (how === 2) return draw([...batch, rows, columns + 3]).slice(...batch.map(() => ":"), ":", "1:-2");
  if (how === 3) return draw([...batch, 2 * rows, columns]).slice(...batch.map(() => ":"), "::2");
  if (how === 4) return draw([...batch, rows, columns]).slice(...batch.map(() => ":"), "::-1", ":");
  return draw([...batch, rows, columns]);
}

if (!info?.available)
  describe("kernels of the webgpu device", () => it.skip(`have no adapter here: ${info?.detail}`, () => {}));
else {
  const size = fc.oneof(fc.integer({ min: 1, max: 20 }), fc.constantFrom(4, 8, 16, 32, 33, 64, 68));
  const how = fc.integer({ min: 0, max: 4 });

  describe.each([
    ["registers", false],
    ["workgroup memory", true],
  ] as const)("products through %s", (_, workgroups) => {
    it("of any sizes and layouts", () => {
      useWorkgroups(workgroups);
      try {
        fc.assert(
          fc.property(size, size, size, how, how, fc.integer({ min: 0, max: 3 }), (m, n, k, p, q, b) => {
            tidy(() => {
              const [left, right] = [[[], []], [[3], [3]], [[2, 1], [3]], [[2, 3], []]][b]; // biome-ignore format: pairs
              const args = [matrix(left, m, k, p), matrix(right, k, n, q)];
              same((x, y) => x.matmul(y), args, 2e-5, `${m} × ${k} × ${n}, ${p}, ${q}, ${b}`);
            });
          }),
          { numRuns: 40 },
        );
      } finally {
        useWorkgroups(null);
      }
    }, 120_000);

    it("with what follows, in one kernel", () => {
      useWorkgroups(workgroups);
      try {
        tidy(() => {
          const f = (x: Tensor, w: Tensor, b: Tensor): Tensor => x.matmul(w).add(b).relu();
          const args = [draw([40, 33]), draw([33, 64]), draw([64])];
          const run = on("webgpu", () => graph.compile(graph.capture(f, ...args), { level: "O3" }));
          resetDeviceCounts("webgpu");
          const [y] = on("webgpu", () => run.run(args));
          expect([...deviceCounts("webgpu").native]).toEqual([["fusedContraction", 1]]);
          const wanted = on("wasm", () => f(...args));
          expect(y.sub(wanted).abs().max().item()).toBeLessThan(2e-5);
          y.dispose();
        });
      } finally {
        useWorkgroups(null);
      }
    });
  });

  describe("convolutions", () => {
    const small = fc.integer({ min: 1, max: 3 });
    const pad = fc.integer({ min: 0, max: 2 });
    it("and their gradients, with strides, padding, dilation, groups", () => {
      fc.assert(
        fc.property(small, small, small, small, small, pad, small, (n, inner, outer, kernel, stride, padding, dilation) => {
          tidy(() => {
            const groups = outer === 3 ? 1 : outer;
            const x = draw([n, inner * groups, 9, 8]);
            const w = draw([outer * groups, inner, kernel, Math.max(1, kernel - 1)]);
            const options = { stride, padding, dilation, groups };
            const note = JSON.stringify({ n, inner, outer, kernel, ...options });
            same((a, b) => conv2d(a, b, options), [x, w], 2e-5, note);
            same((a, b) => valueAndGrad((t: Tensor) => conv2d(t, b, options).square().sum())(a)[1] as Tensor, [x, w], 1e-4, note);
            same((a, b) => valueAndGrad((t: Tensor) => conv2d(a, t, options).square().sum())(b)[1] as Tensor, [x, w], 1e-4, note);
          });
        }),
        { numRuns: 12 },
      ); // biome-ignore format: long signatures
    }, 120_000);

    it("with bias and activation, in one kernel", () => {
      tidy(() => {
        const f = (x: Tensor, w: Tensor, b: Tensor): Tensor => conv2d(x, w, { padding: 1 }).add(b).relu();
        const args = [draw([2, 3, 8, 8]), draw([5, 3, 3, 3]), draw([5, 1, 1])];
        const run = on("webgpu", () => graph.compile(graph.capture(f, ...args), { level: "O3" }));
        resetDeviceCounts("webgpu");
        const [y] = on("webgpu", () => run.run(args));
        expect([...deviceCounts("webgpu").native.keys()]).toEqual(["fusedContraction"]);
        expect(
          y
            .sub(on("wasm", () => f(...args)))
            .abs()
            .max()
            .item(),
        ).toBeLessThan(2e-5);
        y.dispose();
      });
    });
  });

  describe("elementwise ops", () => {
    const special = [0, -0, 1, -1, 0.5, -0.5, 2, -2.5, 3, 1e-8, -1e-30, 1e10, -1e10, 3e38, 88, -88, 1e-40, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]; // biome-ignore format: values
    /** Subnormal numbers count as 0 on a GPU. */
    const tiny = 2 ** -126;
    const near = (found: number, wanted: number, loose: boolean): boolean =>
      Object.is(found, wanted) ||
      found === wanted ||
      (Number.isNaN(found) && Number.isNaN(wanted)) ||
      Math.abs(found - wanted) <= 2e-5 * Math.max(Math.abs(wanted), loose ? 0.01 : 1e-30) + tiny ||
      (Math.abs(wanted) > 3e38 && Math.abs(found) > 3e38 && Math.sign(found) === Math.sign(wanted));
    /** Near the ends of what float32 reaches these lose digits, or the way there overflows. */
    const LOOSE = new Set(["geluTanh", "hypot", "remainder", "fmod", "floorDivide", "sinc", "erfinv", "lgamma", "digamma", "sin", "cos", "tan", "hardSwish", "logAddExp", "gelu", "mish", "silu", "softsign", "erfc"]); // biome-ignore format: names

    it.each(ops().filter((op) => op.kind === "elementwise" && !op.composite).map((op) => op.name))(
      "%s at special values",
      (name) => {
        const op = getOp(name);
        const [{ shapes, attrs = {} }] = op.samples;
        if (name === "where" || shapes.length > 2) return;
        tidy(() => {
          const values = shapes.length === 1 ? [special] : [special.flatMap((x) => special.map(() => x)), special.flatMap(() => special)];
          const inputs = values.map((list) => tensor(list));
          let wanted: ArrayLike<number>;
          try {
            wanted = apply(op, inputs, attrs).toTypedArray();
          } catch {
            return; // not of floats
          }
          const found = on("webgpu", () => apply(op, inputs, attrs).toTypedArray());
          for (let i = 0; i < wanted.length; i++) {
            const given = values.map((list) => list[i]);
            if (given.some((x) => x !== 0 && Math.abs(x) < tiny)) continue;
            if (LOOSE.has(name) && given.some((x) => Math.abs(x) > 1e4 || (x !== 0 && Math.abs(x) < 1e-4))) continue;
            if (!near(found[i], wanted[i], LOOSE.has(name))) expect.fail(`${name}(${given}) is ${found[i]}, not ${wanted[i]}`);
          }
        });
      },
    ); // biome-ignore format: long conditions

    it("of narrow dtypes, which share words", () => {
      tidy(() => {
        const list = Array.from({ length: 37 }, (_, i) => (i * 37) % 120);
        for (const dtype of ["int8", "uint8", "int32"] as const) {
          const [x, y] = [tensor(list, { dtype }), tensor([...list].reverse(), { dtype })];
          same((a, b) => a.add(b).mul(b).sub(a), [x, y], 0, dtype);
          same((a, b) => a.less(b).logicalOr(a.equal(b)).cast("int8").cast(dtype), [x, y], 0, dtype);
          same((a, b) => a.where(a.greater(b), b.neg()).cast("float32"), [x, y], 0, dtype);
          same((a) => a.reshape([37, 1]).add(a).slice("1:", "::-2"), [x], 0, dtype);
        }
        const casts: DType[] = ["int8", "uint8", "int32", "bool", "float64"];
        const floats = tensor([1.7, -1.7, 200, -200, 3e9, -3e9, 1e20, 0, 0.4, Number.NaN]);
        for (const dtype of casts) same((a) => a.cast(dtype), [floats], 0, dtype);
      });
    });

    it("float64: sums round as the host's, and so do casts", () => {
      const double = fc.oneof(
        fc.double(),
        fc.double({ min: -10, max: 10 }),
        fc.integer().map((x) => x / 8),
      );
      fc.assert(
        fc.property(fc.array(fc.tuple(double, double), { minLength: 1, maxLength: 40 }), (pairs) => {
          tidy(() => {
            const [x, y] = [0, 1].map((k) => tensor(pairs.map((pair) => pair[k]), { dtype: "float64" }));
            same((a, b) => a.add(b), [x, y], 0, "add");
            const ordinary = tensor(pairs.map(([a]) => (Math.abs(a) < 2 ** -126 ? 0 : a)), { dtype: "float64" });
            same((a) => a.cast("float32"), [ordinary], 0, "cast");
            same((a) => a.cast("float32").cast("float64"), [ordinary], 0, "casts");
          });
        }),
        { numRuns: 50 },
      ); // biome-ignore format: short
    }, 60_000);
  });

  it.each([false, true])("reduces what is long, and what is strided (workgroups: %s)", (workgroups) => {
    useWorkgroups(workgroups);
    tidy(() => {
      const x = draw([3, 5000]);
      same((a) => a.sum(), [x], 1e-5);
      same((a) => a.max(1), [x], 0);
      same((a) => a.swapAxes(0, 1).min(0), [x], 0);
      same((a) => a.slice(":", "3:-6").sum(1), [x], 1e-5);
      same((a) => a.greater(0.99).any(1), [x], 0);
      same((a) => a.reshape([3, 50, 100]).sum([0, 2]), [x], 1e-5);
      const f = (a: Tensor): Tensor => a.sub(0.5).square().sum(1);
      const run = on("webgpu", () => graph.compile(graph.capture(f, x), { level: "O3" }));
      resetDeviceCounts("webgpu");
      const [y] = on("webgpu", () => run.run([x]));
      expect([...deviceCounts("webgpu").native]).toEqual([["fusedReduction", 1]]);
      expect(
        y
          .sub(on("wasm", () => f(x)))
          .abs()
          .max()
          .item(),
      ).toBeLessThan(1e-2);
      y.dispose();
      const holes = tensor(Array.from({ length: 300 }, (_, i) => (i === 77 ? Number.NaN : i)));
      same((a) => a.max(), [holes], 0, "NaN wins");
      same((a) => a.slice("0:70").cast("int32").prod(), [holes], 0);
    });
    useWorkgroups(null);
  });

  it.each([false, true])("takes softmax along any axis (workgroups: %s)", (workgroups) => {
    useWorkgroups(workgroups);
    tidy(() => {
      const x = draw([6, 64, 5]).mul(20);
      for (const axis of [0, 1, 2]) same((a) => a.softmax(axis), [x], 1e-5);
      for (const axis of [-1, 0]) same((a) => a.slice(0).swapAxes(0, 1).logSoftmax(axis), [x], 1e-4);
    });
    useWorkgroups(null);
  });

  it.each([
    ["causal, whole", true, true],
    ["whole", false, true],
    ["causal, in parts", true, false],
    ["in parts", false, false],
  ] as const)("attends: %s", (_, causal, whole) => {
    useWorkgroups(whole);
    tidy(() => {
      const f = (q: Tensor, k: Tensor, v: Tensor): Tensor => attention(q, k, v, { causal });
      const keys = causal ? 17 : 23;
      const args = [draw([2, 3, 17, 16]), draw([2, 3, keys, 16]), draw([2, 3, keys, 8])];
      const run = on("webgpu", () => graph.compile(graph.capture(f, ...args), { level: "O3" }));
      resetDeviceCounts("webgpu");
      const [y] = on("webgpu", () => run.run(args));
      expect([...deviceCounts("webgpu").fallback]).toEqual([]);
      expect(deviceCounts("webgpu").native.has("fusedAttention")).toBe(whole);
      const wanted = on("wasm", () => f(...args));
      expect(y.sub(wanted).abs().max().item()).toBeLessThan(1e-5);
      y.dispose();
    });
    useWorkgroups(null);
  });

  it("gathers and scatters many", () => {
    tidy(() => {
      const index = tensor(Array.from({ length: 600 }, (_, i) => (i * 7919) % 13), { dtype: "int32" });
      const x = draw([600, 4]);
      const scatter = (i: Tensor, v: Tensor): Tensor => apply(getOp("scatterAdd") as never, [i, v], { axis: 0, size: 13, rank: 1 });
      same(scatter, [index, x], 1e-4);
      same(scatter, [index, x.mul(10).cast("int32")], 0);
      same((i, v) => v.take(i, 0), [index, x.slice("0:13")], 0);
    });
  }); // biome-ignore format: long

  it("tells of a position outside when something is read, and goes on", async () => {
    const x = tensor([1, 2, 3]);
    const at = (i: number): Tensor => on("webgpu", () => x.take(tensor([0, i], { dtype: "int32" })));
    expect(at(-3).toArray()).toEqual([1, 1]);
    for (const i of [3, -4])
      expect(() => at(i).toArray()).toThrow(`take: index ${i} is out of range for an axis of size 3`);
    const wrong = at(7);
    await expect(webgpu.readAsync(on("webgpu", () => wrong.add(1)))).rejects.toThrow("take: index 7");
    expect(at(2).toArray()).toEqual([1, 3]);
  });

  it("keeps what it did for arrays of one layout, and tells apart what differs", () => {
    tidy(() => {
      const x = draw([6, 5]);
      const { shaders } = webgpu.gpuStats();
      for (const [low, high] of [[-0.2, Infinity], [-Infinity, 0.2], [-0, Infinity], [0, Infinity]]) // biome-ignore format: pairs
        same((a) => a.clip(low, high), [x], 0, `${low}, ${high}`);
      expect(webgpu.gpuStats().shaders).toBeLessThanOrEqual(shaders + 1);
      const square = draw([8, 8]);
      for (let i = 0; i < 2; i++) {
        same((a, b) => a.matmul(b), [square, square], 1e-5, "by itself");
        same((a, b) => a.matmul(b), [square, draw([8, 8])], 1e-5, "by another");
        same((a, b) => a.sub(b), [square, square.transpose()], 0, "transposed");
      }
    });
  });

  it("draws the numbers that the host draws", () => {
    tidy(() => {
      const key = randoms.key(7);
      same((k) => randoms.uniform(k, [37]), [key], 0);
      same((k) => randoms.normal(k, [5, 7]), [key], 1e-6);
    });
  });

  it("trains a small transformer without the host, as the host does", () => {
    const train = (device: string): number[] =>
      on(device, () => {
        manualSeed(3);
        const encoder = new nn.TransformerEncoder(1, 16, 2, { dropout: 0 });
        const head = new nn.Dense(16, 10);
        const optimizer = new optim.Adam({ encoder, head } as never, { lr: 3e-3 });
        const x = tensor(Float32Array.from({ length: 4 * 8 * 16 }, (_, i) => Math.sin(i * i)), { shape: [4, 8, 16] });
        const y = tensor([1, 3, 5, 7], { dtype: "int32" });
        const step = toStatic((input: Tensor, target: Tensor) => {
          const [loss, gradients] = valueAndGrad((m: { encoder: nn.TransformerEncoder; head: nn.Dense }) =>
            nn.crossEntropy(m.head.forward(m.encoder.forward(input).mean(1)), target),
          )({ encoder, head } as never);
          optimizer.step(gradients as never);
          return loss;
        });
        return Array.from({ length: 4 }, () => {
          resetDeviceCounts("webgpu");
          return tidy(() => step(x, y).item());
        });
      });
    const wanted = train("wasm");
    const found = train("webgpu");
    expect([...deviceCounts("webgpu").fallback.keys()]).toEqual([]);
    expect(deviceCounts("webgpu")).toMatchObject({ uploads: 0, downloads: 1 });
    for (const [i, loss] of found.entries()) expect(Math.abs(loss - wanted[i])).toBeLessThan(2e-3 * (1 + i));
    expect(wanted.at(-1)).toBeLessThan(wanted[0]);
  }, 120_000); // biome-ignore format: long

  describe("kernels of one's own", () => {
    const twice = `@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> factor: vec4f;
@compute @workgroup_size(4) fn main(@builtin(global_invocation_id) i: vec3u) { y[i.x] = factor.x * x[i.x]; }`;

    it("in WGSL, on tensors in any layout", () => {
      const kernel = webgpu.wgsl(twice, { name: "twice" });
      const call = { outputs: [{ shape: [4] }], uniform: new Float32Array([2, 0, 0, 0]), workgroups: [1] };
      const x = tensor([1, 2, 3, 4]);
      expect(kernel.run({ inputs: [x], ...call })[0].toArray()).toEqual([2, 4, 6, 8]);
      expect(kernel.run({ inputs: [x.slice("::-1")], ...call })[0].toArray()).toEqual([8, 6, 4, 2]);
      const { results, milliseconds } = kernel.time({ inputs: [x], ...call });
      expect(results[0].toArray()).toEqual([2, 4, 6, 8]);
      expect(milliseconds).toBeGreaterThanOrEqual(0);
      expect(() => kernel.run({ inputs: [x], ...call, workgroups: [1.5] })).toThrow(/twice: workgroups/);
      const broken = webgpu.wgsl(twice.replace("factor.x", "factr.x"), { name: "broken" });
      expect(() => broken.run({ inputs: [x], ...call })[0].toArray()).toThrow(
        /broken: .*line 4, column \d+: .*factr/,
      );
    });

    it("reads without blocking", async () => {
      const x = on("webgpu", () => ones([2, 3]).add(tensor([0, 1, 2])));
      expect([...new Float32Array(await webgpu.readAsync(x))]).toEqual([1, 2, 3, 1, 2, 3]);
      expect([...new Float32Array(await webgpu.readAsync(x.transpose()))]).toEqual([1, 1, 2, 2, 3, 3]);
    });

    it("says what it did", () => {
      const before = webgpu.gpuStats();
      const x = on("webgpu", () => ones([100]).add(1));
      expect(webgpu.gpuStats().dispatches).toBeGreaterThan(before.dispatches);
      expect(webgpu.gpuStats().liveBytes).toBeGreaterThan(0);
      if (webgpu.adapter().features.includes("timestamp-query"))
        expect(webgpu.timeKernels(() => on("webgpu", () => x.mul(2)))[0].label).toBe("mul");
    });

    const TILES = { rows: 32, columns: 32, depth: 8, threadRows: 4, threadColumns: 4, lanes: 4 };
    it.each(ladder.map((step) => [step.name, step] as const))("of loop IR: the product, %s", (_, step) => {
      tidy(() => {
        const [m, n, k] = [64, 32, 16];
        const program = webgpu.loops(step.schedule(m, n, k, TILES).kernel);
        const values: Record<string, Tensor> = { A: draw([m, k]), B: draw([k, n]), C: draw([m, n]) };
        const scalars: Record<string, Tensor> = { Alpha: tensor([2]), Beta: tensor([0.5]) };
        const args = program.program.kernel.params.map(({ name }) => values[name] ?? scalars[name] ?? zeros([m, n]));
        const results = program.run(args);
        const wanted = on("wasm", () => values.A.matmul(values.B).mul(2).add(values.C.mul(0.5)));
        expect(results.at(-1)?.sub(wanted).abs().max().item()).toBeLessThan(1e-4);
      });
    }); // biome-ignore format: long
  });
}
