/**
 * The wasm device against the reference kernels: every op that has a kernel, over the op's own samples and over odd
 * shapes, in float32, float64 and integers, in layouts with gaps, transposed and reversed, and at special values.
 */
import { describe, expect, it } from "vitest";
import type { DType } from "../src/core/dtype.js";
import { contiguousLayout, type Layout, permuteLayout } from "../src/core/layout.js";
import { type Shape, sizeOf } from "../src/core/shape.js";
import "../src/autodiff/index.js";
import { getOp, type OpDef, type OpSample } from "../src/ops/index.js";
import "../src/ops/index.js";
import { DenseTensor } from "../src/runtime/dense.js";
import { elementPositions, type HostArray } from "../src/runtime/host-array.js";
import { findKernel, kernelOps } from "../src/runtime/kernels.js";
import { Storage } from "../src/runtime/storage.js";
import "../src/runtime/wasm/index.js";

type Arrangement = "contiguous" | "transposed" | "reversed" | "gapped";
const ARRANGEMENTS: readonly Arrangement[] = ["contiguous", "transposed", "reversed", "gapped"];

let state = 12345;
function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
}

/** A tensor of the given values whose elements lie in an unusual order. */
function arranged(values: readonly number[], shape: Shape, dtype: DType, how: Arrangement): HostArray {
  const rank = shape.length;
  const axes = shape.map((_, i) => i);
  let layout: Layout = contiguousLayout(shape);
  let room = sizeOf(shape);
  if (how === "transposed") {
    const order = [...axes].reverse();
    layout = permuteLayout(contiguousLayout(order.map((a) => shape[a])), order);
  } else if (how === "reversed" && room > 0) {
    const plain = contiguousLayout(shape);
    layout = { shape, strides: plain.strides.map((s) => -s), offset: room - 1 };
  } else if (how === "gapped" && rank > 0) {
    const plain = contiguousLayout(shape);
    layout = { shape, strides: plain.strides.map((s) => s * 3), offset: 2 };
    room = room * 3 + 2;
  }
  const storage = new Storage(dtype, room);
  storage.data.fill(99);
  const tensor = new DenseTensor(storage, layout, "wasm", false);
  const at = elementPositions(layout);
  for (let i = 0; i < at.length; i++) storage.data[at[i]] = values[i];
  return tensor.host();
}

function empty(shape: Shape, dtype: DType): HostArray {
  const storage = new Storage(dtype, sizeOf(shape));
  storage.data.fill(77);
  return new DenseTensor(storage, contiguousLayout(shape), "wasm", false).host();
}

/** Distance in units of the last place of float32 or float64, with room for sums of `terms` terms. */
function close(actual: number, expected: number, dtype: DType, terms: number): boolean {
  if (Object.is(actual, expected) || actual === expected) return true;
  if (Number.isNaN(actual) || Number.isNaN(expected)) return Number.isNaN(actual) && Number.isNaN(expected);
  const eps = dtype === "float32" ? 2 ** -23 : 2 ** -52;
  const smallest = dtype === "float32" ? 2 ** -149 : 2 ** -1074;
  if (terms === 1)
    return Math.abs(actual - expected) <= Math.max(4 * eps * Math.abs(expected), 128 * smallest);
  return Math.abs(actual - expected) <= 4 * eps * Math.sqrt(terms) * Math.max(Math.abs(expected), 8);
}

/** Runs kernel and reference; returns false if the kernel declines. */
function check(op: OpDef, inputs: readonly HostArray[], attrs: object, note: string): boolean {
  const kernel = findKernel("wasm", op.name)!;
  const types = op.type(inputs, attrs);
  const actual = types.map((t) => empty(t.shape, t.dtype));
  const expected = types.map((t) => empty(t.shape, t.dtype));
  if (kernel.supports && !kernel.supports(inputs, actual, attrs)) return false;
  kernel.run(inputs, actual, attrs as never);
  op.reference(inputs, expected, attrs as never);
  const terms = op.kind === "elementwise" ? 1 : Math.max(64, ...inputs.map((x) => sizeOf(x.shape)));
  for (const [o, out] of actual.entries()) {
    for (let i = 0; i < out.data.length; i++) {
      if (!close(out.data[i], expected[o].data[i], out.dtype, terms)) {
        const operands = inputs.map((x) => {
          const at = elementPositions(x);
          return op.kind === "elementwise" ? x.data[at[i % at.length]] : "…";
        });
        throw new Error(
          `${op.name} ${note}: element ${i} is ${out.data[i]}, the reference says ${expected[o].data[i]} (operands ${operands})`,
        );
      }
    }
  }
  return true;
}

function valuesIn(count: number, [low, high]: readonly [number, number], dtype: DType): number[] {
  return Array.from({ length: count }, () => {
    const x = low + random() * (high - low);
    if (dtype === "bool") return Math.floor(random() * 2);
    if (dtype === "uint8") return Math.abs(Math.floor(x));
    return dtype.startsWith("float") ? x : Math.floor(x);
  });
}

function sampleInputs(
  sample: OpSample<object>,
  floating: DType,
  how: (i: number) => Arrangement,
): HostArray[] {
  return sample.shapes.map((shape, i) => {
    const wanted = sample.dtypes?.[i] ?? "float64";
    const dtype = wanted === "float64" ? floating : wanted;
    return arranged(valuesIn(sizeOf(shape), sample.ranges?.[i] ?? [-2, 2], dtype), shape, dtype, how(i));
  });
}

const ops = kernelOps("wasm").map((name) => getOp(name));

describe("every kernel agrees with its op's reference", () => {
  for (const op of ops) {
    it(op.name, () => {
      let ran = 0;
      for (const sample of op.samples) {
        for (const floating of ["float32", "float64", "int32", "uint8", "int16", "int8", "bool"] as const) {
          for (const [k, how] of [...ARRANGEMENTS, ...ARRANGEMENTS].entries()) {
            // First a mixture, then all operands alike.
            const inputs = sampleInputs(sample, floating, (i) => (k < 4 ? ARRANGEMENTS[(i + k) % 4] : how));
            let accepted = true;
            try {
              op.type(inputs, sample.attrs ?? {});
            } catch {
              accepted = false;
            }
            if (accepted && check(op, inputs, sample.attrs ?? {}, `${floating} ${how}`)) ran++;
          }
        }
      }
      expect(ran).toBeGreaterThan(0);
    });
  }
});

const SPECIAL = [
  ...[0, -0, 1, -1, 0.5, -0.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  ...[1e-45, -1e-45, 1e-40, 1e-38, 1.17549435e-38, 3.4e38, -3.4e38, 88.7, 88.8, -87, -87.4, -103.9, -104.1],
  ...[0.624, 0.626, 1e-7, -1e-7, 1e-20, 1.5, 2.5, -2.5, 3.9, -4.2, 5, 10, -10, 20, 40, -40, 1e4, -1e4],
];

describe("elementwise ops at special values and over wide ranges", () => {
  for (const op of ops.filter((o) => o.kind === "elementwise" && o.samples[0].shapes.length === 1)) {
    it(op.name, () => {
      for (const dtype of ["float32", "float64"] as const) {
        const values = [...SPECIAL, ...valuesIn(400, [-110, 110], dtype), ...valuesIn(300, [-1, 1], dtype)];
        const input = arranged(values, [values.length], dtype, "contiguous");
        check(op, [input], op.samples[0].attrs ?? {}, dtype);
      }
    });
  }

  for (const name of ["add", "sub", "mul", "div", "maximum", "minimum", "less", "equal", "pow"]) {
    it(`${name} of all pairs`, () => {
      const op = getOp(name);
      for (const dtype of ["float32", "float64"] as const) {
        const n = SPECIAL.length;
        const a = arranged(SPECIAL, [n, 1], dtype, "contiguous");
        const b = arranged(SPECIAL, [n], dtype, "contiguous");
        check(op, [a, b], {}, dtype);
      }
    });
  }
});

describe("broadcasting", () => {
  const SHAPES: readonly (readonly [Shape, Shape])[] = [
    [[5, 7], [7]],
    [
      [5, 7],
      [5, 1],
    ],
    [
      [4, 1, 6],
      [3, 1],
    ],
    [
      [2, 3, 4, 5],
      [3, 1, 5],
    ],
    [[0, 3], [3]],
    [[], []],
    [[1], [9]],
    [
      [3, 1, 2, 1, 5, 1],
      [1, 4, 1, 2, 1, 3],
    ],
  ];
  for (const [left, right] of SHAPES) {
    it(`(${left}) with (${right})`, () => {
      for (const dtype of ["float32", "float64", "int32", "uint8"] as const) {
        for (const p of ARRANGEMENTS) {
          for (const q of ARRANGEMENTS) {
            const a = arranged(valuesIn(sizeOf(left), [0, 90], dtype), left, dtype, p);
            const b = arranged(valuesIn(sizeOf(right), [0, 90], dtype), right, dtype, q);
            for (const name of ["sub", "less"])
              expect(check(getOp(name), [a, b], {}, `${p} ${q}`)).toBe(true);
          }
        }
      }
    });
  }
});

describe("matrix products", () => {
  const SIZES = [
    [1, 1, 1],
    [2, 3, 4],
    [1, 70, 33],
    [33, 70, 1],
    [5, 300, 17],
    [31, 257, 47],
    [3, 0, 4],
    [0, 3, 4],
    [130, 64, 130],
  ] as const;
  for (const [m, k, n] of SIZES) {
    it(`${m} × ${k} by ${k} × ${n}`, () => {
      for (const dtype of ["float32", "float64"] as const) {
        for (const p of ARRANGEMENTS) {
          for (const q of ARRANGEMENTS) {
            const a = arranged(valuesIn(m * k, [-1, 1], dtype), [m, k], dtype, p);
            const b = arranged(valuesIn(k * n, [-1, 1], dtype), [k, n], dtype, q);
            expect(check(getOp("matmul"), [a, b], {}, `${dtype} ${p} ${q}`)).toBe(true);
          }
        }
      }
    });
  }

  it("in batches that broadcast", () => {
    for (const [left, right] of [
      [
        [2, 3, 4, 5],
        [3, 5, 6],
      ],
      [
        [2, 1, 4, 5],
        [3, 5, 6],
      ],
      [
        [4, 5],
        [2, 5, 6],
      ],
      [
        [7, 4, 5],
        [5, 6],
      ],
    ] as const) {
      for (const p of ARRANGEMENTS) {
        const a = arranged(valuesIn(sizeOf(left), [-1, 1], "float32"), left, "float32", p);
        const b = arranged(valuesIn(sizeOf(right), [-1, 1], "float32"), right, "float32", "contiguous");
        expect(check(getOp("matmul"), [a, b], {}, p)).toBe(true);
      }
    }
  });
});

describe("reductions over any axes", () => {
  const CASES: readonly (readonly [Shape, readonly number[]])[] = [
    [[300], [0]],
    [[7, 130], [1]],
    [[130, 70], [0]],
    [
      [3, 4, 5, 6, 7],
      [0, 2, 4],
    ],
    [
      [3, 4, 5, 6, 7],
      [1, 3],
    ],
    [
      [2, 3, 4, 5, 2, 3],
      [4, 5],
    ],
    [[4, 0], [1]],
    [[0, 4], [1]],
    [[5], []],
    [[], []],
  ];
  for (const [shape, axes] of CASES) {
    it(`(${shape}) over [${axes}]`, () => {
      for (const dtype of ["float32", "float64", "int32", "uint8", "bool"] as const) {
        for (const how of ARRANGEMENTS) {
          const x = arranged(valuesIn(sizeOf(shape), [0, 4], dtype), shape, dtype, how);
          for (const name of ["sum", "max", "min", "any", "all"]) {
            if (sizeOf(shape) === 0 && (name === "max" || name === "min")) continue;
            check(getOp(name), [x], { axes, keepDims: false }, `${dtype} ${how}`);
          }
        }
      }
    });
  }
});

describe("convolutions of awkward sizes", () => {
  const CASES = [
    { x: [3, 4, 9, 8], w: [6, 4, 3, 3], stride: [1, 1], pad: [1, 1, 1, 1], dilation: [1, 1], groups: 1 },
    { x: [2, 4, 9, 8], w: [6, 2, 3, 2], stride: [2, 3], pad: [2, 0, 0, 1], dilation: [1, 2], groups: 2 },
    { x: [2, 6, 7, 7], w: [6, 1, 5, 5], stride: [1, 1], pad: [4, 4, 4, 4], dilation: [1, 1], groups: 6 },
    { x: [1, 1, 1, 1], w: [1, 1, 3, 3], stride: [1, 1], pad: [3, 3, 3, 3], dilation: [2, 2], groups: 1 },
    { x: [0, 2, 5, 5], w: [3, 2, 3, 3], stride: [1, 1], pad: [0, 0, 0, 0], dilation: [1, 1], groups: 1 },
  ] as const;
  for (const c of CASES) {
    it(`(${c.x}) by (${c.w})`, () => {
      const attrs = {
        stride: c.stride,
        padding: [c.pad.slice(0, 2), c.pad.slice(2)],
        dilation: c.dilation,
        groups: c.groups,
      };
      for (const dtype of ["float32", "float64"] as const) {
        for (const how of ARRANGEMENTS) {
          const make = (shape: Shape) => arranged(valuesIn(sizeOf(shape), [-1, 1], dtype), shape, dtype, how);
          const [x, w] = [make(c.x), make(c.w)];
          const [y] = getOp("conv2d").type([x, w], attrs);
          const g = make(y.shape);
          check(getOp("conv2d"), [x, w], attrs, how);
          check(getOp("conv2dInputGrad"), [g, w], { ...attrs, shape: c.x }, how);
          check(getOp("conv2dWeightGrad"), [x, g], { ...attrs, shape: c.w }, how);
        }
      }
    });
  }
});
