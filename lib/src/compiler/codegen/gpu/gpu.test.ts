/** GPU code: WGSL runs in Dawn, and gives what the plain kernel gives; barriers stand where they must and nowhere else. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dawn } from "../../../../test/support/dawn.js";
import {
  castKernel,
  EDGES,
  type GpuCase,
  gpuCases,
  operatorKernel,
} from "../../../../test/support/gpu-cases.js";
import { Dice } from "../../dice.js";
import { gpuSchedule } from "../../kernels/gpu.js";
import { ladder } from "../../kernels/ladder.js";
import { op } from "../../loop/compute.js";
import { elementwise, gemm, rowReduce, softmaxRows } from "../../loop/definitions.js";
import { LoopError, type LoopKernel } from "../../loop/ir.js";
import { parseKernel } from "../../loop/parse.js";
import { verifyKernel } from "../../loop/verify.js";
import { randomBuffers, randomGridSchedule, randomKernel } from "../../random-schedule.js";
import { scheduleText } from "../../schedule/text.js";
import { type ElementArray, typescriptFunction } from "../typescript/source.js";
import { GPU_DIALECTS, gpuProgram } from "./index.js";

const all = process.env.MLSYS_TEST_ALL === "1";
const device = await dawn();
const missing = typeof device === "string";
type Data = Record<string, ElementArray>;

/** Characters of a program that is left out: a software driver compiles for long what was unrolled that far. */
const LONG = 40_000;
const TILES = { rows: 8, columns: 8, depth: 4, threadRows: 4, threadColumns: 4, lanes: 4 };

function copyOf(b: Data): Data {
  return Object.fromEntries(Object.entries(b).map(([name, x]) => [name, x.slice()]));
}

/** What the plain kernel makes of the buffers. */
function wantedOf({ kernel, sizes }: GpuCase, buffers: Data): Data {
  const wanted = copyOf(buffers);
  typescriptFunction(kernel)(wanted, sizes);
  return wanted;
}

function expectSame(kernel: LoopKernel, found: Readonly<Data>, wanted: Data, note: string): void {
  for (const b of kernel.params) {
    const y = wanted[b.name];
    let scale = 1;
    for (const v of y) if (Number.isFinite(v)) scale = Math.max(scale, Math.abs(v));
    const room = b.dtype === "float32" ? 2e-5 * scale : 0;
    found[b.name].forEach((x, i) => {
      if (!(Object.is(x, y[i]) || x === y[i] || Math.abs(x - y[i]) <= room))
        throw new Error(`${b.name}[${i}] is ${x}, not ${y[i]}\n${note}`);
    });
  }
}

async function check(plain: GpuCase, scheduled: LoopKernel, seed: number, note = ""): Promise<void> {
  if (typeof device === "string") return;
  verifyKernel(scheduled);
  const program = gpuProgram(scheduled, "wgsl", { limits: device.limits });
  if (program.source.length > LONG) return;
  const buffers = randomBuffers(new Dice(seed), plain);
  const sizes = plain.kernel.sizes.map((name) => plain.sizes[name]);
  const { out } = await device.run(program, buffers, sizes);
  expectSame(plain.kernel, out, wantedOf(plain, buffers), `${note}\n${program.source}`);
}

describe.skipIf(missing)(`WGSL in Dawn${missing ? ` (${device})` : ""}`, () => {
  it.each(gpuCases.map((c) => [c.name, c] as const))(
    "%s by the automatic schedule",
    async (_, plain) => check(plain, gpuSchedule(plain.kernel, { threads: 16 }).kernel, 1),
    120_000,
  );

  it.each(ladder.map((step) => [step.name, step] as const))(
    "the ladder's step: %s",
    async (_, step) => {
      const size = { M: 9, N: 11, K: 10 };
      await check(
        { name: step.name, kernel: gemm(16, 16, 8), sizes: {} },
        step.schedule(16, 16, 8, TILES).kernel,
        2,
      );
      if (all)
        await check(
          { name: step.name, kernel: gemm("M", "N", "K"), sizes: size },
          step.schedule("M", "N", "K", TILES).kernel,
          2,
        );
    },
    300_000,
  );

  it("vectors of rows whose sizes are known to be multiples", async () => {
    if (typeof device === "string") return;
    const multiples = { N: 4, K: 4 };
    const kernel = elementwise("chain", ["M", "N"], [["M", "N"], ["N"]], ([x, y]) =>
      op("add", op("exp", x), y),
    );
    const product = gemm("M", "N", "K");
    for (const [plain, scheduled, sizes] of [
      [kernel, gpuSchedule(kernel, { threads: 8, multiples }).kernel, { M: 3, N: 44 }],
      [product, ladder[3].schedule("M", "N", "K", TILES).kernel, { M: 9, N: 12, K: 4 }],
    ] as const) {
      const program = gpuProgram(scheduled, "wgsl", { multiples });
      expect(program.source).toContain("array<vec4<f32>>");
      const buffers = randomBuffers(new Dice(6), { kernel: plain, sizes });
      const { out } = await device.run(
        program,
        buffers,
        plain.sizes.map((name) => (sizes as Record<string, number>)[name]),
      );
      expectSame(plain, out, wantedOf({ name: "", kernel: plain, sizes }, buffers), program.source);
    }
  }, 120_000);

  it("random schedules of random kernels", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer(), async (seed) => {
        const dice = new Dice(seed);
        const plain = randomKernel(dice);
        const s = randomGridSchedule(dice, plain.kernel, 4 + dice.below(10));
        try {
          await check(
            { name: "random", ...plain },
            s.kernel,
            seed,
            `seed ${seed}\n${scheduleText(s.steps)}\n${s}`,
          );
        } catch (error) {
          if (!(error instanceof LoopError)) throw error; // float64, local memory of unknown size: told so
        }
      }),
      { numRuns: all ? 60 : 8, endOnFailure: true },
    );
  }, 600_000);

  it.each(["float32", "int32"] as const)(
    "every operator on the edges of %s",
    async (dtype) => {
      if (typeof device === "string") return;
      const { kernel, names } = operatorKernel(dtype);
      const whole = [0, 1, -1, 7, -7, 2 ** 31 - 1, -(2 ** 31), 65536, -65537, 123456789];
      const edges: readonly number[] = dtype === "float32" ? EDGES : whole;
      const n = edges.length;
      const [X, Y] = [0, 5].map((shift) => {
        const array = new (dtype === "float32" ? Float32Array : Int32Array)(n * 3);
        for (let i = 0; i < 3 * n; i++)
          array[i] = edges[(i + shift * (1 + Math.floor(i / n)) * (i < n ? 0 : 1)) % n];
        return array;
      });
      const buffers: Data = { X, Y, Z: new (X.constructor as Float32ArrayConstructor)(names.length * n * 3) };
      const wanted = wantedOf({ name: "", kernel, sizes: { N: 3 * n } }, buffers).Z;
      const program = gpuProgram(gpuSchedule(kernel, { threads: 32 }).kernel, "wgsl");
      const { out } = await device.run(program, buffers, [3 * n]);
      const wrong: string[] = [];
      for (const [k, name] of names.entries()) {
        for (let i = 0; i < 3 * n; i++) {
          const [x, y] = [out.Z[k * 3 * n + i], wanted[k * 3 * n + i]];
          const close = Math.abs(x - y) <= 4e-7 * Math.abs(y) + 2e-38; // subnormal numbers may be flushed
          if (!(Object.is(x, y) || x === y || close))
            wrong.push(`${name}(${X[i]}, ${Y[i]}) is ${x}, not ${y}`);
        }
      }
      expect(wrong).toEqual([]);
    },
    120_000,
  );

  it("every conversion, and stores of small types side by side", async () => {
    if (typeof device === "string") return;
    const kernel = castKernel(["int32", "int8", "uint8", "bool", "bfloat16", "float16"]);
    const X = Float32Array.from([
      ...EDGES.filter((x) => !(Math.abs(x) > 2 ** 30)),
      ...[2049, 2051, 65519, -65520, 1e5, 6e-5, 6.1e-5, -3e-8, 2.9e-8, 5e-7, 1.00048828125, 1.00146484375], // of float16
      127,
      128,
      129,
      255,
      256,
      -128,
      -129,
      3.7,
      -3.7,
    ]);
    const sizes = { N: X.length };
    const buffers = randomBuffers(new Dice(3), { kernel, sizes });
    buffers.X = X;
    const program = gpuProgram(gpuSchedule(kernel, { threads: 16 }).kernel, "wgsl");
    const { out } = await device.run(program, buffers, [X.length]);
    expectSame(kernel, out, wantedOf({ name: "", kernel, sizes }, buffers), program.source);
  }, 120_000);
});

describe("small types in vectors", () => {
  const size = 1 << 15;
  const kernel = castKernel(["int32", "int8", "uint8", "bool", "bfloat16", "float16"], size);
  const scheduled = gpuSchedule(kernel, { threads: 64 }).kernel;

  it("are whole words, so that no thread waits for another", () => {
    const { source } = gpuProgram(scheduled, "wgsl");
    expect(source).not.toContain("atomicOr(&Z_int8");
    expect(source).toContain("Z_int8: array<u32>");
    expect(source).toContain("mls_unpack_u8x4(Z_uint8[");
    expect(gpuProgram(scheduled, "cuda").source).toContain("mls_store_i8x4(");
  });

  it.skipIf(missing)(
    "are written and read back by WGSL",
    async () => {
      if (typeof device === "string") return;
      const buffers = randomBuffers(new Dice(4), { kernel, sizes: {} });
      buffers.X = Float32Array.from({ length: size }, (_, i) => (i % 601) - 300 + (i % 7) / 8);
      const { out } = await device.run(gpuProgram(scheduled, "wgsl"), buffers, []);
      expectSame(kernel, out, wantedOf({ name: "", kernel, sizes: {} }, buffers), "");
    },
    120_000,
  );
});

describe("barriers", () => {
  const count = (kernel: LoopKernel): number[] => gpuProgram(kernel, "wgsl").launches.map((l) => l.barriers);

  it("two for a tile that is filled and read, one if it is kept twice, none for registers", () => {
    const numbers = ladder.map((step) => count(step.schedule(16, 16, 16, TILES).kernel));
    expect(numbers).toEqual([[0], [0], [0], [2], [2], [2], [1]]);
  });

  it("one for each level of a tree", () => {
    expect(count(gpuSchedule(rowReduce("s", 4, 4096, "add"), { threads: 64 }).kernel)).toEqual([6]);
    expect(
      gpuProgram(gpuSchedule(softmaxRows("M", 64), { threads: 16 }).kernel, "cuda").source.match(
        /__syncthreads/g,
      )?.length,
    ).toBe(
      gpuProgram(gpuSchedule(softmaxRows("M", 64), { threads: 16 }).kernel, "wgsl").source.match(
        /workgroupBarrier/g,
      )?.length,
    );
  });

  it("none where threads read what they wrote themselves, one where a neighbour did", () => {
    const text = (index: string): string =>
      `kernel f(A: float32[8], out C: float32[8]) { block for b in 0..1 { workgroup S: float32[8]
        thread for t in 0..8 { S[t] = A[t] }
        thread for u in 0..8 { C[u] = S[${index}] } } }`;
    expect(count(parseKernel(text("u")))).toEqual([0]);
    expect(count(parseKernel(text("-u + 7")))).toEqual([1]);
  });
});

describe("programs", () => {
  it("say what they need: blocks, threads, memory, buffers", () => {
    const program = gpuProgram(ladder[3].schedule("M", "N", "K", TILES).kernel, "wgsl");
    const [launch] = program.launches;
    expect(launch).toMatchObject({
      entry: "gemm_0",
      threads: 4,
      workgroupBytes: 384,
      uses: [0, 1, 2, 3, 4],
      usesSizes: true,
    });
    expect(launch.blocks([9, 17, 4])).toEqual([3, 2, 1]);
    expect(program.buffers.map((b) => [b.name, b.written, b.bytes([2, 3, 4])])).toEqual([
      ["A", false, 32],
      ["B", false, 48],
      ["Alpha", false, 4],
      ["Beta", false, 4],
      ["C", true, 24],
    ]);
  });

  it("keep temporaries between launches", () => {
    const program = gpuProgram(gpuSchedule(gemm(4, 4, 4)).kernel, "cuda");
    expect(program.buffers.filter((b) => b.temporary).map((b) => [b.name, b.bytes([])])).toEqual([
      ["AB", 64],
    ]);
    expect(program.launches).toHaveLength(2);
  });

  it("continue one long axis of blocks along another", () => {
    const rows = gpuSchedule(rowReduce("s", "M", 64, "add"), { threads: 16 }).kernel;
    expect(gpuProgram(rows, "wgsl").launches[0].blocks([100_000])).toEqual([32768, 4, 1]);
    expect(gpuProgram(rows, "cuda").launches[0].blocks([100_000])).toEqual([100_000, 1, 1]);
  });

  it("are refused beyond a device's limits, and for types that the language has not", () => {
    const { kernel } = ladder[3].schedule(16, 16, 16, TILES);
    const limits = (threads: number, workgroupBytes: number) => () =>
      gpuProgram(kernel, "wgsl", { limits: { threads, workgroupBytes } });
    expect(limits(2, 16384)).toThrow("gemm: 4 threads a block; the device has 2");
    expect(limits(256, 100)).toThrow("gemm: 384 bytes of workgroup memory; a block has 100");
    const double = gpuSchedule(rowReduce("s", 4, 64, "add", (x) => x, "float64")).kernel;
    expect(() => gpuProgram(double, "wgsl")).toThrow("s: WGSL has no float64");
    expect(gpuProgram(double, "cuda").source).toContain("double");
  });

  it("read vectors where rows are known to be aligned", () => {
    const { kernel } = ladder[1].schedule(16, 16, 16, TILES);
    expect(gpuProgram(kernel, "wgsl").source).toContain("A: array<vec4<f32>>");
    expect(gpuProgram(kernel, "cuda").source).toContain("*(const float4 *)(&A[");
    const chain = elementwise("twice", ["M", "N"], [["M", "N"]], ([x]) => op("add", x, x));
    const source = (multiples?: Record<string, number>): string =>
      gpuProgram(gpuSchedule(chain, { multiples }).kernel, "wgsl", { multiples }).source;
    expect(source({ N: 8 })).toContain("X0: array<vec4<f32>>");
    expect(source()).toContain("X0: array<f32>");
    expect(GPU_DIALECTS).toEqual(["wgsl", "cuda"]);
  });
});
