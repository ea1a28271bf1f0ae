/** The library's own schedules: within the rules, and the same as what they schedule, for every layout and dtype. */
import { describe, expect, it } from "vitest";
import { allocate, memory, release } from "../../runtime/heap.js";
import { loadKernel, nativeSupport } from "../../runtime/native/library.js";
import { buildLibrarySync, type Toolchain } from "../../runtime/native/toolchain.js";
import { cSource, programOf } from "../codegen/c/compile.js";
import type { LoopProgram } from "../codegen/program.js";
import { type ElementArray, typescriptFunction } from "../codegen/typescript/source.js";
import { compileWasm } from "../codegen/wasm/compile.js";
import { Dice } from "../dice.js";
import {
  conv2d,
  conv2dInputGrad,
  depthwise,
  layerNormRows,
  matmul,
  softmaxRows,
} from "../loop/definitions.js";
import type { LoopKernel } from "../loop/ir.js";
import { parseKernel } from "../loop/parse.js";
import { printKernel } from "../loop/print.js";
import { problemsOf } from "../loop/verify.js";
import { randomBuffers } from "../random-schedule.js";
import { convSchedule, depthwiseSchedule } from "./conv.js";
import { gemmDefinition, gemmSchedule } from "./gemm.js";
import { rowsSchedule, thinSchedule } from "./gemv.js";
import { int8Definition, int8Schedule } from "./int8.js";
import { reduceSchedule } from "./reduce.js";
import { layerNormSchedule, softmaxSchedule } from "./rows.js";

type Sizes = Readonly<Record<string, number>>;
type Buffers = Record<string, ElementArray>;

const onWasm = (kernel: LoopKernel) => onMemory(compileWasm(kernel));

/** Runs a program on copies of the buffers in the shared memory. */
function onMemory(program: LoopProgram): (buffers: Buffers, sizes: Sizes) => void {
  const { kernel } = program;
  return (buffers, sizes) => {
    const own = kernel.params.map(({ name }) => {
      const { buffer, byteOffset, byteLength } = buffers[name];
      return new Uint8Array(buffer, byteOffset, byteLength);
    });
    const pointers = own.map((a) => allocate(Math.max(1, a.length)));
    own.forEach((from, i) => {
      new Uint8Array(memory.buffer, pointers[i], from.length).set(from);
    });
    program.run(
      pointers,
      kernel.sizes.map((name) => sizes[name]),
    );
    own.forEach((to, i) => {
      to.set(new Uint8Array(memory.buffer, pointers[i], to.length));
      release(pointers[i], Math.max(1, to.length));
    });
  };
}

function same(plain: LoopKernel, made: LoopKernel, all: readonly Sizes[]): void {
  expect(problemsOf(made)).toEqual([]);
  const reference = typescriptFunction(plain);
  const ways = [typescriptFunction(made), onWasm(made)];
  for (const sizes of all) {
    const draw = (): Buffers => randomBuffers(new Dice(9), { kernel: plain, sizes });
    const wanted = draw();
    reference(wanted, sizes);
    for (const run of ways) {
      const found = draw();
      run(found, sizes);
      for (const { name } of plain.params) {
        const wrong = wanted[name].findIndex(
          (y, i) => !(Math.abs(found[name][i] - y) <= 1e-4 * Math.max(1, Math.abs(y))),
        );
        expect(wrong, `${name}[${wrong}] is ${found[name][wrong]}, not ${wanted[name][wrong]}`).toBe(-1);
      }
    }
  }
}

const LAYOUTS = [false, true].flatMap((transposeA) =>
  [false, true].map((transposeB) => ({ transposeA, transposeB })),
);

describe("matrix products", () => {
  const sizesOf = (batch: number, m: number, n: number, k: number, ta: boolean, tb: boolean) => {
    const [lda, ldb] = [ta ? m : k, tb ? k : n];
    return { batch, M: m, N: n, K: k, A_batch: m * k, lda, B_batch: k * n, ldb, C_batch: m * n, ldc: n };
  };

  it.each(LAYOUTS)("packed and tiled, %o", ({ transposeA, transposeB }) => {
    for (const dtype of ["float32", "float64", "int8", "bfloat16"] as const) {
      const layout = { dtype, transposeA, transposeB };
      const { kernel } = gemmSchedule({ rows: 3, columns: 8, down: 2, across: 2, depth: 20 }, layout);
      const all = [
        [1, 1, 1, 1],
        [2, 13, 37, 45],
        [1, 6, 16, 20],
        [1, 5, 3, 0],
      ].map(([b, m, n, k]) => sizesOf(b, m, n, k, transposeA, transposeB));
      same(gemmDefinition(layout), kernel, all);
    }
  });

  it.each(LAYOUTS)("with few rows, %o", ({ transposeA, transposeB }) => {
    const layout = { transposeA, transposeB };
    const { kernel } = rowsSchedule(4, layout);
    const all = [
      [1, 1, 50, 33],
      [2, 4, 17, 64],
      [1, 3, 1, 2],
    ].map(([b, m, n, k]) => sizesOf(b, m, n, k, transposeA, transposeB));
    same(gemmDefinition(layout), kernel, all);
  });
});

describe("products of some rows", () => {
  it.each([false, true])("read B as it lies, A transposed: %s", (transposeA) => {
    const sizes = [
      [1, 5, 50, 33],
      [2, 9, 17, 64],
      [1, 8, 16, 1],
      [1, 1, 1, 2],
    ].map(([batch, M, N, K]) => ({
      ...{ batch, M, N, K, A_batch: M * K, lda: transposeA ? M : K, B_batch: K * N, ldb: N },
      ...{ C_batch: M * N, ldc: N },
    }));
    same(gemmDefinition({ transposeA }), thinSchedule(4, 4, { transposeA }).kernel, sizes);
  });
});

describe("products of 8-bit integers", () => {
  const tiles = { rows: 3, columns: 16, down: 2, across: 2, depth: 16 };
  const all = [
    [1, 1, 1],
    [13, 37, 45],
    [6, 32, 20],
    [5, 3, 0],
    [4, 17, 3],
  ];
  const sizesOf = ([m, n, k]: readonly number[], transposeB: boolean) => ({
    ...{ M: m, N: n, K: k, lda: k, ldb: transposeB ? k : n, ldc: n },
  });
  const signs = ["int8", "uint8"] as const;
  const layouts = signs.flatMap((a) =>
    signs.flatMap((b) => [false, true].map((transposeB) => ({ a, b, transposeB }))),
  );

  it.each(layouts)("are what the plain product is, %o", (layout) => {
    const { a, b, transposeB } = layout;
    const sizes = all.map((size) => sizesOf(size, transposeB));
    const strides = { A: ["lda", 1], B: ["ldb", 1], C: ["ldc", 1] };
    const plain = matmul("M", "N", "K", { dtype: a, transposeB, strides });
    const mixed = parseKernel(printKernel(plain).replace(/(B: )u?int8/, `$1${b}`));
    same(mixed, int8Schedule(tiles, layout).kernel, sizes);
  });

  const tools = nativeSupport();
  const widest = typeof tools === "string" ? 0 : tools.vectorBytes;
  const ways = [
    ...[64, 32, 16].map((vectorBytes) => ({ vectorBytes, flags: [] as string[] })),
    { vectorBytes: 64, flags: ["-march=skylake-avx512"] },
    { vectorBytes: 32, flags: ["-march=haswell"] },
    { vectorBytes: 16, flags: ["-march=x86-64"] },
  ].filter((way) => way.vectorBytes <= widest && (way.flags.length === 0 || process.arch === "x64"));

  it.skipIf(typeof tools === "string").each(ways)(
    "as C with and without the processor's instructions, %o",
    (way) => {
      const own = tools as Toolchain;
      const made = {
        ...own,
        vectorBytes: Math.min(own.vectorBytes, way.vectorBytes),
        flags: [...own.flags, ...way.flags],
      };
      for (const layout of layouts.filter((l) => l.transposeB === (l.a === "int8"))) {
        const { kernel } = int8Schedule(tiles, layout);
        const source = cSource(kernel, made.vectorBytes);
        expect(source).toMatch(/mls_dot_[su][su]_i32x\d+\(acc/);
        const program = programOf(kernel, source, loadKernel(buildLibrarySync(source, made)));
        const [plain, found] = [typescriptFunction(int8Definition(tiles, layout)), onMemory(program)];
        for (const size of all) {
          const sizes = sizesOf(size, layout.transposeB);
          const [wanted, have] = [0, 0].map(() => randomBuffers(new Dice(5), { kernel, sizes }));
          plain(wanted, sizes);
          found(have, sizes);
          expect(have.C).toEqual(wanted.C);
        }
      }
    },
  );
});

describe("convolutions", () => {
  const shapes = [
    { n: "N", channels: 3, filters: 6, height: 9, width: 14, kernel: 3, padding: 1 },
    { n: "N", channels: 2, filters: 5, height: 8, width: 33, kernel: 5, padding: 0 },
    { n: "N", channels: 4, filters: 4, height: 7, width: 8, kernel: 3, padding: 2 },
    { n: "N", channels: 2, filters: 3, height: 5, width: 3, kernel: 3, padding: 1 }, // lines shorter than a vector
  ];
  const tiles = { rows: 4, columns: 16, lanes: 4 };
  const sizes = [{ N: 1 }, { N: 3 }];

  it.each(shapes)("with padded images, %o", (shape) => {
    same(conv2d(shape), convSchedule(shape, tiles).kernel, sizes);
    same(conv2dInputGrad(shape), convSchedule(shape, tiles, "input gradient").kernel, sizes);
    same(depthwise(shape), depthwiseSchedule(shape, tiles).kernel, sizes);
  });

  it("with a stride", () => {
    const shape = { ...shapes[0], stride: 2 };
    same(conv2d(shape), convSchedule(shape, tiles).kernel, sizes);
    same(depthwise(shape), depthwiseSchedule(shape, tiles).kernel, sizes);
  });
});

describe("reductions", () => {
  const sizes = [
    [1, 3, 2, 40],
    [2, 5, 1, 16],
    [3, 1, 4, 7],
    [1, 33, 3, 2],
  ];
  it.each(["add", "mul", "maximum", "minimum"] as const)("by %s, along runs and across rows", (reduction) => {
    for (const dtype of ["float32", "float64"] as const) {
      const along = reduceSchedule(reduction, true, 4, dtype);
      const across = reduceSchedule(reduction, false, 4, dtype);
      for (const [K0, K1, R0, R1] of sizes) {
        const strides = { k0: K1 * R0 * R1, k1: R0 * R1, r0: R1, r1: 1 };
        same(along.source, along.kernel, [{ K0, K1, R0, R1, ...strides }]);
        const turned = { k0: K1 * R0 * R1, k1: 1, r0: K1 * R1, r1: K1 };
        same(across.source, across.kernel, [{ K0, K1, R0, R1, ...turned }]);
      }
    }
  });
});

describe("rows", () => {
  it("softmax", () => {
    for (const dtype of ["float32", "float64"] as const)
      same(softmaxRows("M", "N", dtype), softmaxSchedule(4, dtype).kernel, [
        { M: 3, N: 1 },
        { M: 2, N: 37 },
        { M: 5, N: 64 },
        { M: 1, N: 15 },
      ]);
  });

  it("softmax of rows times a number", () => {
    same(softmaxRows("M", "N", "float32", true), softmaxSchedule(4, "float32", true).kernel, [
      { M: 3, N: 37 },
    ]);
  });

  it("layer normalization", () => {
    for (const columns of [16, 50, 64])
      same(layerNormRows("M", columns), layerNormSchedule(columns, 4).kernel, [{ M: 3 }]);
  });
});
