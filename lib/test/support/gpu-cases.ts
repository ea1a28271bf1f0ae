/** Kernels for the tests of GPU code: every definition, with sizes that leave tails, and every scalar operator. */
import { cast, Definition, lit, op } from "../../src/compiler/loop/compute.js";
import {
  conv2d,
  conv2dInputGrad,
  depthwise,
  elementwise,
  gemm,
  layerNormRows,
  matmul,
  rowReduce,
  softmaxRows,
  stencil,
} from "../../src/compiler/loop/definitions.js";
import type { Expr, LoopKernel, LoopType } from "../../src/compiler/loop/ir.js";
import { OPERATORS, type ScalarOp, takesType } from "../../src/compiler/loop/operators.js";

export interface GpuCase {
  readonly name: string;
  readonly kernel: LoopKernel;
  readonly sizes: Readonly<Record<string, number>>;
}

const row = (name: string, kernel: LoopKernel, sizes: GpuCase["sizes"] = {}): GpuCase => ({
  name,
  kernel,
  sizes,
});
const chain = ([x, y]: readonly Expr[]): Expr => op("add", op("exp", x), op("mul", y, y));

export const gpuCases: readonly GpuCase[] = [
  row("elementwise in vectors", elementwise("chain", [64, 512], [[64, 512], [512]], chain)),
  row("elementwise, odd", elementwise("chain", [3, 17], [[3, 17], [17]], chain)),
  row("elementwise, sizes given later", elementwise("chain", ["M", "N"], [["M", "N"], ["N"]], chain), {
    M: 5,
    N: 43,
  }),
  row(
    "sums of rows",
    rowReduce("sums", "M", 100, "add", (x) => op("square", x)),
    { M: 3 },
  ),
  row("maxima of rows", rowReduce("maxima", "M", "N", "maximum"), { M: 3, N: 77 }),
  row("minima of short rows", rowReduce("minima", "M", 5, "minimum"), { M: 70 }),
  row("softmax", softmaxRows("M", 45), { M: 3 }),
  row("softmax of short rows", softmaxRows(5, 10, "float32", true)),
  row("layer normalization", layerNormRows("M", 40), { M: 3 }),
  row("product", matmul("M", "N", "K"), { M: 9, N: 21, K: 11 }),
  row("product in vectors", matmul(256, 128, 12, { transposeB: true })),
  row("product of int8", matmul(7, 12, 9, { dtype: "int8", transposeA: true })),
  row("products of uint8", matmul(5, 3, 9, { dtype: "uint8", batch: 2 })),
  row("product of bfloat16", matmul("M", 8, 9, { dtype: "bfloat16" }), { M: 5 }),
  row(
    "convolution",
    conv2d({ n: "B", channels: 2, filters: 3, height: 9, width: 7, kernel: 3, padding: 1, stride: 2 }),
    { B: 2 },
  ),
  row(
    "gradient of a convolution",
    conv2dInputGrad({ n: 1, channels: 2, filters: 3, height: 6, width: 5, kernel: 3, padding: 1 }),
  ),
  row("convolution by channel", depthwise({ n: 2, channels: 3, height: 6, width: 5, kernel: 3, padding: 1 })),
  row("product with alpha and beta", gemm("M", 9, 5), { M: 6 }),
  row(
    "elementwise with more axes than a grid",
    elementwise("chain", ["A", "B", "C", "D"], [["A", "B", "C", "D"], ["D"]], chain),
    { A: 2, B: 3, C: 2, D: 19 },
  ),
  row("product of float16", matmul("M", 8, 9, { dtype: "float16", transposeB: true }), { M: 5 }),
  row("stencil", stencil(4, 6)),
];

/** Values where functions are at their edges. No subnormal numbers: GPUs may take them for 0. */
export const EDGES = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1e-3,
  -1e-3,
  0.625,
  -0.624,
  2.5,
  -2.5,
  9,
  -9,
  20,
  -20,
  80,
  -80,
  88.5,
  -88.5,
  100,
  -104,
  1e-30,
  1e30,
  -1e30,
  3.4e38,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.NaN,
  0.9999,
  1.0001,
] as const;

/** A kernel with a row of results for each operator of a type, as float32; `X` and `Y` are pairs of edges. */
export function operatorKernel(dtype: "float32" | "int32"): {
  kernel: LoopKernel;
  names: readonly ScalarOp[];
} {
  const names = (Object.keys(OPERATORS) as ScalarOp[]).filter((name) => takesType(name, dtype));
  const d = new Definition("operators", ["N"]);
  const [x, y] = [d.input("X", dtype, ["N"]), d.input("Y", dtype, ["N"])];
  const z = d.output("Z", dtype, [names.length, "N"]);
  for (const [k, name] of names.entries()) {
    d.compute(z, { [`i${k}`]: "N" }, (v) => {
      const i = v[`i${k}`];
      const args = [x.at(i), y.at(i)].slice(0, OPERATORS[name].arity);
      const value = op(name, ...args);
      return [[k, i], OPERATORS[name].result === "bool" ? cast(dtype, value) : value];
    });
  }
  return { kernel: d.kernel(), names };
}

/** Every conversion between the types that a GPU computes with and stores: from X by way of `through` to float32. */
export function castKernel(types: readonly LoopType[], size: number | "N" = "N"): LoopKernel {
  const d = new Definition("casts", size === "N" ? ["N"] : []);
  const x = d.input("X", "float32", [size]);
  const outputs = types.map((dtype) => d.output(`Z_${dtype}`, dtype, [size]));
  const back = d.output("Back", "float32", [types.length, size]);
  for (const [k, dtype] of types.entries()) {
    d.compute(outputs[k], { [`a${k}`]: size }, (v) => [[v[`a${k}`]], cast(dtype, x.at(v[`a${k}`]))]);
    d.compute(back, { [`b${k}`]: size }, (v) => [
      [k, v[`b${k}`]],
      op("add", cast("float32", outputs[k].at(v[`b${k}`])), lit(0)),
    ]);
  }
  return d.kernel();
}
