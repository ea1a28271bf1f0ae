/** The definitions against the library's reference kernels: what is scheduled and compiled is the right thing. */
import { describe, expect, it } from "vitest";
import { conv2d as conv2dOp, tensor } from "../../index.js";
import { setDevice } from "../../runtime/devices.js";
import { typescriptFunction } from "../codegen/typescript/source.js";
import { Dice } from "../dice.js";
import { randomBuffers } from "../random-schedule.js";
import { conv2d, depthwise, layerNormRows, matmul, rowReduce, softmaxRows, stencil } from "./definitions.js";
import type { LoopKernel } from "./ir.js";

setDevice("cpu");

function run(kernel: LoopKernel, sizes: Record<string, number> = {}) {
  const buffers = randomBuffers(new Dice(7), { kernel, sizes });
  typescriptFunction(kernel)(buffers, sizes);
  const of = (name: string) => {
    const { shape } = kernel.params.find((b) => b.name === name)!;
    return tensor(Array.from(buffers[name]), {
      shape: shape.map((d) => d.evaluate(new Map(Object.entries(sizes)))),
      dtype: "float64",
    });
  };
  return { of, buffers };
}

function near(found: ArrayLike<number>, wanted: ArrayLike<number>): void {
  expect(found.length).toBe(wanted.length);
  for (let i = 0; i < wanted.length; i++)
    expect(Math.abs(found[i] - wanted[i])).toBeLessThan(1e-5 * Math.max(1, Math.abs(wanted[i])));
}

describe("definitions", () => {
  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])("matmul, transposed %s %s", (transposeA, transposeB) => {
    for (const dtype of ["float32", "float64", "int8", "uint8"] as const) {
      const { of } = run(matmul("M", 5, 7, { transposeA, transposeB, dtype, batch: 2 }), { M: 4 });
      const a = transposeA ? of("A").transpose([0, 2, 1]) : of("A");
      const b = transposeB ? of("B").transpose([0, 2, 1]) : of("B");
      near(of("C").toTypedArray(), a.matmul(b).toTypedArray());
    }
  });

  it("matmul of bfloat16 is that of the rounded numbers, accumulated in float32", () => {
    const { of, buffers } = run(matmul(3, 4, 5, { dtype: "bfloat16" }));
    const widened = (name: string) =>
      Array.from(buffers[name], (bits) => new Float32Array(new Uint32Array([bits << 16]).buffer)[0]);
    const [a, b] = [tensor(widened("A"), { shape: [3, 5] }), tensor(widened("B"), { shape: [5, 4] })];
    near(of("C").toTypedArray(), a.matmul(b).toTypedArray());
  });

  it("softmax and reductions", () => {
    const soft = run(softmaxRows("M", "N"), { M: 4, N: 9 });
    near(soft.of("Y").toTypedArray(), soft.of("X").softmax(-1).toTypedArray());
    for (const [reduction, name] of [
      ["add", "sum"],
      ["maximum", "max"],
      ["minimum", "min"],
    ] as const) {
      const { of } = run(rowReduce("reduce", 3, 8, reduction));
      near(of("Y").toTypedArray(), of("X")[name](-1).toTypedArray());
    }
  });

  it("layer normalization", () => {
    const { of } = run(layerNormRows(3, 16));
    const x = of("X");
    const centred = x.sub(x.mean(-1, true));
    const scaled = centred.div(centred.square().mean(-1, true).add(1e-5).sqrt());
    near(of("Y").toTypedArray(), scaled.mul(of("Gamma")).add(of("Beta")).toTypedArray());
  });

  it.each([
    [1, 0],
    [1, 1],
    [2, 1],
    [3, 2],
  ])("convolutions, stride %d, padding %d", (stride, padding) => {
    const shape = { n: 2, channels: 3, height: 7, width: 6, kernel: 3, stride, padding };
    const full = run(conv2d({ ...shape, filters: 4 }));
    near(
      full.of("Y").toTypedArray(),
      conv2dOp(full.of("X"), full.of("W"), { stride, padding }).toTypedArray(),
    );
    const own = run(depthwise(shape));
    const filters = own.of("W").reshape([3, 1, 3, 3]);
    near(
      own.of("Y").toTypedArray(),
      conv2dOp(own.of("X"), filters, { stride, padding, groups: 3 }).toTypedArray(),
    );
  });

  it("the stencil, step by step", () => {
    const kernel = stencil(2, 3);
    const a = Float32Array.from([1, 2, 4, 8, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    typescriptFunction(kernel)({ A: a });
    // a[1][j] = a[0][j+1] − a[0][j] + a[0][j−1]
    expect(Array.from(a.slice(5, 10))).toEqual([0, 3, 6, 12, 0]);
    expect(Array.from(a.slice(10, 15))).toEqual([0, 3, 9, -6, 0]);
  });
});
