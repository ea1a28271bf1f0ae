/** The emulator finds what a GPU would only show now and then: missing barriers, missing waits, divergence, overruns. */
import { describe, expect, it } from "vitest";
import {
  castKernel,
  mmaGemmKernel,
  sgemmKernel,
  unscaleKernel,
} from "../../src/compiler/cuda/kernels/index.js";
import { i32, pointer } from "../../src/runtime/cuda/module.js";
import { EmulatedCuda, numbers } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";
import { rounded } from "../support/cuda/half.js";

describe.skipIf(emulatorMissing)("the emulator", () => {
  /** A product with one piece of its text replaced, against the right one. */
  function differs(from: ReturnType<typeof sgemmKernel>, what: string, by: string, half: boolean): boolean {
    expect(from.source).toContain(what);
    using cuda = new EmulatedCuda({ seed: 5 });
    const dtype = half ? "float16" : "float32";
    const size = 128;
    const call = {
      a: cuda.array(dtype, numbers(size * size, 1)),
      b: cuda.array(dtype, numbers(size * size, 2)),
      c: cuda.empty(size * size * 4),
      m: size,
      n: size,
      k: size,
    };
    cuda.run(from, call);
    const right = cuda.read("float32", call.c, size * size);
    cuda.run({ ...from, source: from.source.replace(what, by) }, call);
    const wrong = cuda.read("float32", call.c, size * size);
    return wrong.some((x, i) => !(Math.abs(x - right[i]) < 1e-3));
  }

  it("shows missing barriers and missing waits in the numbers", () => {
    const mma = mmaGemmKernel({ input: "float16", output: "float32" });
    const simt = sgemmKernel(true);
    expect(differs(simt, "    __syncthreads();\n    side ^= 1;", "    side ^= 1;", false)).toBe(true);
    expect(differs(mma, "cp_async_wait<2>();", "cp_async_wait<3>();", true)).toBe(true);
    expect(differs(mma, "__syncthreads(); //", "//", true)).toBe(true);
    expect(differs(mma, "cp_async_commit(); //", "cp_async_commit(); //same", true)).toBe(false);
  });

  const launchOf = (text: string, threads: number, bytes = 4096) => {
    using cuda = new EmulatedCuda();
    const address = cuda.array("int32", new Int32Array(bytes / 4));
    cuda.launch(
      `#include "mlsys.cuh"\nextern "C" __global__ void k(int* out, int n) {\n${text}\n}`,
      "k",
      { grid: [1], block: [threads] },
      [pointer(address), i32(threads)],
    );
    return [...cuda.read("int32", address, bytes / 4)];
  };

  it("finds barriers that not all threads reach", () => {
    expect(() =>
      launchOf(
        "if (n > 0 && threadIdx.x < 32) __syncthreads(); else if (threadIdx.x % 2) __shfl_sync(-1u, 1, 0);",
        64,
      ),
    ).toThrow(/deadlock in block \(0, 0, 0\): of 48 threads 32 wait at a barrier, 16 in a warp operation/);
    expect(() => launchOf("if (threadIdx.x > 5) return; __syncthreads(); out[0] = 1;", 32)).not.toThrow();
  });

  it("finds writes outside an allocation", () => {
    expect(() => launchOf("out[n] = 1;", 32, 128)).toThrow(/a kernel wrote 0 bytes behind the 128 bytes/);
    expect(() => launchOf("out[-1] = 1;", 32, 128)).toThrow(/a kernel wrote 1 bytes before/);
  });

  it("has shuffles, ballots and atomics", () => {
    const t = Array.from({ length: 64 }, (_, i) => i);
    const run = (text: string) => launchOf(`const int t = threadIdx.x; out[t] = ${text};`, 64, 256);
    const lane = (i: number) => i % 32;
    expect(run("__shfl_xor_sync(0xffffffffu, t, 5)")).toEqual(t.map((i) => i ^ 5));
    expect(run("__shfl_down_sync(0xffffffffu, t, 3)")).toEqual(t.map((i) => (lane(i) + 3 < 32 ? i + 3 : i)));
    expect(run("__shfl_up_sync(0xffffffffu, t, 3, 8)")).toEqual(t.map((i) => (i % 8 >= 3 ? i - 3 : i)));
    expect(run("__shfl_sync(0xffffffffu, t, 2, 16)")).toEqual(t.map((i) => i - (i % 16) + 2));
    expect(run("(int)__ballot_sync(0xffffffffu, t % 2)")).toEqual(t.map(() => 0xaaaaaaaa | 0));
    expect(launchOf("atomicAdd(out, (int)threadIdx.x);", 64)[0]).toBe((63 * 64) / 2);
  });
});

describe.skipIf(emulatorMissing)("helpers of mixed precision", () => {
  it.each(["float16", "bfloat16"] as const)("cast to %s and back, rounding to nearest even", (dtype) => {
    using cuda = new EmulatedCuda();
    const values = [...numbers(3000, 7)]
      .map((x) => x * 2 ** 12)
      .concat([1 / 0, -1 / 0, 0, 65536, 1e-8, 1 + 2 ** -8 + 2 ** -9]);
    const count = values.length;
    const from = cuda.array("float32", values);
    const half = cuda.empty(2 * count);
    const back = cuda.empty(4 * count);
    cuda.run(castKernel("float32", dtype), { from, to: half, count });
    cuda.run(castKernel(dtype, "float32"), { from: half, to: back, count });
    expect([...cuda.read("float32", back, count)]).toEqual([...rounded(dtype, Float32Array.from(values))]);
  });

  it.each([
    ["nothing", 1, 0],
    ["infinity", Number.POSITIVE_INFINITY, 1],
    ["NaN", Number.NaN, 1],
  ])("unscale gradients and find %s", (_, bad, wanted) => {
    using cuda = new EmulatedCuda();
    const values = numbers(700, 3);
    values[699] = bad;
    const gradient = cuda.array("float16", values);
    const [to, found] = [cuda.empty(2800), cuda.array("float32", [0])];
    cuda.run(unscaleKernel("float16"), { gradient, to, count: 700, inverse: 0.25, found });
    const want = rounded("float16", values).map((x) => x * 0.25);
    expect([...cuda.read("float32", to, 700)]).toEqual([...want]);
    expect(cuda.read("float32", found, 1)[0]).toBe(wanted);
  });
});
