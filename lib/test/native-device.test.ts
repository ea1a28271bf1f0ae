/** The native device: kernels compiled by the C compiler in front of the WebAssembly device's, against the references. */
import { describe, expect, it } from "vitest";
import { nativeKernels } from "../src/compiler/native/index.js";
import { contiguousLayout } from "../src/core/layout.js";
import { sizeOf } from "../src/core/shape.js";
import "../src/index.js";
import { getOp } from "../src/ops/index.js";
import { DenseTensor } from "../src/runtime/dense.js";
import { getDevice, setDevice } from "../src/runtime/devices.js";
import type { HostArray } from "../src/runtime/host-array.js";
import { findKernel, kernelOps } from "../src/runtime/kernels.js";
import { nativeSupport } from "../src/runtime/native/library.js";
import { Storage } from "../src/runtime/storage.js";

const missing = nativeSupport();

const random = (() => {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  };
})();

function array(shape: readonly number[], dtype: "float32" | "float64", transposed = false): HostArray {
  const storage = new Storage(dtype, sizeOf(shape));
  for (let i = 0; i < storage.length; i++) storage.data[i] = random();
  const { strides } = contiguousLayout(
    transposed ? [...shape.slice(0, -2), shape.at(-1)!, shape.at(-2)!] : shape,
  );
  const layout = transposed ? [...strides.slice(0, -2), strides.at(-1)!, strides.at(-2)!] : strides;
  return new DenseTensor(storage, { shape, strides: layout, offset: 0 }, "native", false).host();
}

function agree(name: string, inputs: readonly HostArray[], attrs: object, terms: number): void {
  const op = getOp(name);
  const kernel = findKernel("native", name)!;
  const outputs = [0, 1].map(() =>
    op.type(inputs, attrs).map(({ shape, dtype }) => {
      const storage = new Storage(dtype, sizeOf(shape));
      storage.data.fill(Number.NaN);
      return new DenseTensor(storage, contiguousLayout(shape), "native", false).host();
    }),
  );
  expect(kernel.supports?.(inputs, outputs[0], attrs as never) ?? true).toBe(true);
  kernel.run(inputs, outputs[0], attrs as never);
  op.reference(inputs, outputs[1], attrs as never);
  const eps = inputs[0].dtype === "float32" ? 2 ** -23 : 2 ** -52;
  const [found, wanted] = outputs.map(([out]) => out.data);
  const room = 4 * eps * Math.sqrt(terms);
  const wrong = found.findIndex((x, i) => {
    const y = wanted[i];
    return !(Object.is(x, y) || x === y || Math.abs(x - y) <= room * Math.max(8, Math.abs(y)));
  });
  expect(
    wrong,
    `${name} [${inputs.map((a) => a.shape.join("×"))}] element ${wrong}: ${found[wrong]}, not ${wanted[wrong]}`,
  ).toBe(-1);
}

const SIZES: readonly (readonly [number[], number[]])[] = [
  [
    [1, 1],
    [1, 1],
  ],
  [
    [3, 5],
    [5, 2],
  ],
  [
    [1, 70],
    [70, 33],
  ],
  [
    [4, 300],
    [300, 65],
  ],
  [
    [33, 70],
    [70, 1],
  ],
  [
    [13, 257],
    [257, 47],
  ],
  [
    [130, 70],
    [70, 130],
  ],
  [
    [97, 513],
    [513, 600],
  ],
  [
    [3, 17, 9],
    [3, 9, 21],
  ],
  [
    [2, 1, 40, 30],
    [3, 30, 50],
  ],
  [
    [5, 0],
    [0, 4],
  ],
  [
    [0, 5],
    [5, 4],
  ],
];

describe.skipIf(typeof missing === "string")("the native device (needs a C compiler and koffi)", () => {
  it("has the kernels of the WebAssembly device", () => {
    expect(kernelOps("native")).toEqual(kernelOps("wasm"));
  });

  it.each(["float32", "float64"] as const)(
    "multiplies %s matrices of all layouts",
    async (dtype) => {
      const before = getDevice();
      setDevice("native");
      try {
        for (const round of [0, 1]) {
          for (const [left, right] of SIZES)
            for (const [ta, tb] of [
              [false, false],
              [false, true],
              [true, false],
              [true, true],
            ])
              agree("matmul", [array(left, dtype, ta), array(right, dtype, tb)], {}, 600);
          if (round === 0) {
            // The first round began with WebAssembly, and had all kernels compiled.
            await nativeKernels().ready;
            expect(nativeKernels().count).toBeGreaterThanOrEqual(7);
            expect(nativeKernels().compiled).toBe(nativeKernels().count);
          }
        }
      } finally {
        setDevice(before);
      }
    },
    600_000,
  );

  it.each(["float32", "float64"] as const)(
    "softmax of %s, with rows of all lengths and special values",
    async (dtype) => {
      const before = getDevice();
      setDevice("native");
      try {
        for (const round of [0, 1]) {
          for (const shape of [[1], [3], [2, 17], [5, 64], [3, 65], [2, 3, 200], [0, 4], [4, 1]]) {
            agree("softmax", [array(shape, dtype)], { axis: shape.length - 1 }, 200);
            if (shape.length > 1) agree("softmax", [array(shape, dtype)], { axis: 0 }, 200);
          }
          const x = array([3, 20], dtype);
          x.data.fill(-1000, 0, 20);
          x.data[25] = Number.NEGATIVE_INFINITY;
          x.data[45] = 90;
          agree("softmax", [x], { axis: 1 }, 200);
          x.data[3] = Number.NaN;
          const out = new DenseTensor(
            new Storage(dtype, 60),
            contiguousLayout([3, 20]),
            "native",
            false,
          ).host();
          findKernel("native", "softmax")!.run([x], [out], { axis: 1 } as never);
          expect(Array.from(out.data.slice(0, 20)).every(Number.isNaN)).toBe(true);
          expect(Array.from(out.data.slice(20)).some(Number.isNaN)).toBe(false);
          if (round === 0) await nativeKernels().ready;
        }
      } finally {
        setDevice(before);
      }
    },
    600_000,
  );

  it.each(["float32", "float64"] as const)(
    "computes elementwise ops and reductions of %s over many elements",
    async (dtype) => {
      const before = getDevice();
      setDevice("native");
      try {
        const x = array([120, 81], dtype);
        const y = array([120, 81], dtype);
        const positive = array([120, 81], dtype);
        positive.data.forEach((v, i) => {
          positive.data[i] = Math.abs(v) + 0.01;
        });
        const special = array([120, 81], dtype);
        [Number.NaN, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-40].forEach((v, i) => {
          for (let k = i; k < 1000; k += 7) special.data[k] = v;
        });
        const [row, column] = [array([81], dtype), array([120, 1], dtype)];
        const turned = array([120, 81], dtype, true);
        const cube = array([5, 40, 60], dtype);
        const middle = array([5, 1, 60], dtype);
        const two = ["sub", "div", "minimum", "less", "greaterEqual", "notEqual"];
        const one = ["neg", "square", "exp", "tanh", "sigmoid", "silu", "floor", "reciprocal"];
        const cases: [string, HostArray[], object][] = [
          ...[y, row, column, turned].map((other): [string, HostArray[], object] => ["add", [x, other], {}]),
          ...two.map((op): [string, HostArray[], object] => [op, [x, y], {}]),
          ...one.map((op): [string, HostArray[], object] => [op, [x], {}]),
          ...["sqrt", "log", "rsqrt"].map((op): [string, HostArray[], object] => [op, [positive], {}]),
          ...["relu", "maximum", "minimum", "abs", "isnan"].map((op): [string, HostArray[], object] => [
            op,
            op.endsWith("imum") ? [special, y] : [special],
            {},
          ]),
          ["mul", [cube, middle], {}],
          ["clip", [x], { low: -0.5, high: 0.25 }],
          ["leakyRelu", [turned], { slope: 0.1 }],
          ["cast", [x], { dtype: "int32" }],
          ["cast", [x], { dtype: dtype === "float32" ? "float64" : "float32" }],
          ...["sum", "max", "min"].flatMap((op): [string, HostArray[], object][] => [
            ...[[0], [1], [0, 1]].map((axes): [string, HostArray[], object] => [op, [x], { axes }]),
            ...[[0], [1], [2], [0, 2], [1, 2], [0, 1, 2]].map((axes): [string, HostArray[], object] => [
              op,
              [cube],
              { axes },
            ]),
            [op, [turned], { axes: [1] }],
          ]),
          ["max", [special], { axes: [1] }],
          ["prod", [positive], { axes: [0] }],
        ];
        const count = nativeKernels().count;
        for (const [name, inputs, attrs] of cases) agree(name, inputs, attrs, 20_000);
        expect(nativeKernels().count).toBeGreaterThan(count + 20);
        await nativeKernels().ready;
        expect(nativeKernels().compiled).toBe(nativeKernels().count);
        for (const [name, inputs, attrs] of cases) agree(name, inputs, attrs, 20_000);
      } finally {
        setDevice(before);
      }
    },
    600_000,
  );

  it("convolves without columns, and falls back on other geometries", async () => {
    const before = getDevice();
    setDevice("native");
    try {
      const attrs = (padding: number, groups = 1, stride = 1) => ({
        padding: [
          [padding, padding],
          [padding, padding],
        ],
        stride: [stride, stride],
        dilation: [1, 1],
        groups,
      });
      const x = array([2, 8, 28, 28], "float32");
      const wide = array([3, 4, 21, 36], "float32");
      const cases = [
        ["conv2d", [x, array([16, 8, 3, 3], "float32")], attrs(1)],
        ["conv2d", [wide, array([7, 4, 5, 5], "float32")], attrs(0)],
        ["conv2d", [wide, array([24, 4, 3, 3], "float32")], attrs(1, 1, 2)],
        ["conv2d", [array([4, 60, 30, 30], "float32"), array([60, 1, 3, 3], "float32")], attrs(1, 60)],
        ["conv2d", [array([4, 60, 30, 30], "float32"), array([60, 2, 3, 3], "float32")], attrs(1, 30)],
        [
          "conv2dInputGrad",
          [array([2, 16, 28, 28], "float32"), array([16, 8, 3, 3], "float32")],
          { ...attrs(1), shape: [2, 8, 28, 28] },
        ],
        [
          "conv2dInputGrad",
          [array([4, 7, 17, 28], "float32"), array([7, 4, 5, 5], "float32")],
          { ...attrs(0), shape: [4, 4, 21, 32] },
        ],
      ] as const;
      const count = nativeKernels().count;
      for (const [name, inputs, given] of cases) agree(name, inputs, given, 600);
      expect(nativeKernels().count).toBeGreaterThanOrEqual(count + 5); // those of stride 1, one or all groups
      await nativeKernels().ready;
      for (const [name, inputs, given] of cases) agree(name, inputs, given, 600); // products of the others
      await nativeKernels().ready;
      expect(nativeKernels().compiled).toBe(nativeKernels().count);
      for (const [name, inputs, given] of cases) agree(name, inputs, given, 600);
    } finally {
      setDevice(before);
    }
  }, 600_000);

  it("runs the samples of the convolutions", async () => {
    const before = getDevice();
    setDevice("native");
    try {
      for (const name of kernelOps("native").filter((op) => op.startsWith("conv"))) {
        for (const sample of getOp(name).samples) {
          const inputs = sample.shapes.map((shape) => array(shape, "float32"));
          agree(name, inputs, sample.attrs ?? {}, 100);
          await nativeKernels().ready;
          agree(name, inputs, sample.attrs ?? {}, 100);
        }
      }
    } finally {
      setDevice(before);
    }
  }, 600_000);
});
