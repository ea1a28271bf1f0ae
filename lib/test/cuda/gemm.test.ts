/** Hand-scheduled matrix products, computed by the emulator, against sums in double precision. */
import { describe, expect, it } from "vitest";
import {
  type CudaKernel,
  type GemmCall,
  mmaGemmKernel,
  sgemmKernel,
  type TmaGemmCall,
  tensorMap,
  wgmmaGemmKernel,
  wmmaGemmKernel,
} from "../../src/compiler/cuda/kernels/index.js";
import { type ElementType, EmulatedCuda, numbers } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";
import { type HalfType, rounded } from "../support/cuda/half.js";

interface Case {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly batch?: number;
  readonly alpha?: number;
  readonly beta?: number;
}

/** What the tensor cores get of a float32. */
const tf32 = (values: Float64Array): Float64Array =>
  values.map((x) => {
    const f = new Float32Array([x]);
    const u = new Uint32Array(f.buffer);
    u[0] = (u[0] + 0x1000) & ~0x1fff;
    return f[0];
  });

function check(
  kernel: CudaKernel<GemmCall> & { prepare?(cuda: EmulatedCuda, call: GemmCall): GemmCall },
  input: ElementType,
  output: ElementType,
  rounding: (x: Float64Array) => Float64Array,
  sizes: Case,
  tolerance: number,
): void {
  const { m, n, k, batch = 1, alpha = 1, beta = 0 } = sizes;
  using cuda = new EmulatedCuda({ seed: m + n + k });
  const [a, b, c] = [numbers(batch * m * k, 1), numbers(batch * k * n, 2), numbers(batch * m * n, 3)];
  const call = {
    ...sizes,
    a: cuda.array(input, a),
    b: cuda.array(input, b),
    c: cuda.array(output, beta === 0 ? c.fill(Number.NaN) : c),
  };
  cuda.run(kernel, kernel.prepare?.(cuda, call) ?? call);
  const got = cuda.read(output, call.c, batch * m * n);
  const [ra, rb] = [rounding(a), rounding(b)];
  const rc = output === "float32" ? c : rounded(output as "float16", c);
  for (let z = 0; z < batch; z++)
    for (let i = 0; i < m; i++)
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let l = 0; l < k; l++) sum += ra[(z * m + i) * k + l] * rb[(z * k + l) * n + j];
        const at = (z * m + i) * n + j;
        const want = alpha * sum + (beta === 0 ? 0 : beta * rc[at]);
        if (!(Math.abs(got[at] - want) <= tolerance * Math.max(1, Math.sqrt(k))))
          expect.fail(`${kernel.name} ${m}×${n}×${k}: [${z}, ${i}, ${j}] is ${got[at]}, not ${want}`);
      }
}

const single = (x: Float64Array): Float64Array => Float64Array.from(Float32Array.from(x));

describe.skipIf(emulatorMissing)("matrix products on the emulator", () => {
  it.each<[boolean, Case]>([
    [true, { m: 128, n: 128, k: 64 }],
    [true, { m: 132, n: 260, k: 20, alpha: 0.5, beta: 2 }],
    [false, { m: 7, n: 131, k: 13 }],
    [false, { m: 130, n: 3, k: 9, batch: 3, beta: 1 }],
    [false, { m: 5, n: 6, k: 0 }],
  ])("float32 on ordinary cores (float4 %s) %o", (aligned, sizes) => {
    check(sgemmKernel(aligned), "float32", "float32", single, sizes, 1e-6);
  });

  it.each<["float16" | "bfloat16", "float32" | "float16" | "bfloat16", Case]>([
    ["bfloat16", "float32", { m: 128, n: 128, k: 160 }],
    ["float16", "float16", { m: 129, n: 136, k: 40, alpha: 0.25, beta: 1 }],
    ["bfloat16", "bfloat16", { m: 16, n: 8, k: 8, batch: 2 }],
    ["float16", "float32", { m: 1100, n: 16, k: 16 }],
  ])("%s to %s by mma.sync %o", (input, output, sizes) => {
    const tolerance = output === "float32" ? 1e-6 : output === "float16" ? 2e-3 : 2e-2;
    check(mmaGemmKernel({ input, output }), input, output, (x) => rounded(input, x), sizes, tolerance);
  });

  it.each<["float16" | "bfloat16" | "float32", Case]>([
    ["float32", { m: 128, n: 128, k: 48 }],
    ["float32", { m: 30, n: 132, k: 20, beta: 1, batch: 2 }],
    ["float16", { m: 128, n: 64, k: 72 }],
    ["bfloat16", { m: 40, n: 136, k: 32, alpha: -1 }],
  ])("%s by WMMA %o", (input, sizes) => {
    const rounding = input === "float32" ? tf32 : (x: Float64Array) => rounded(input, x);
    check(wmmaGemmKernel(input), input, "float32", rounding, sizes, 2e-6);
  });

  it.each<[HalfType, HalfType | "float32", Case]>([
    ["bfloat16", "float32", { m: 128, n: 128, k: 192 }],
    ["float16", "float16", { m: 150, n: 136, k: 328, alpha: 0.5, beta: 1 }],
    ["bfloat16", "bfloat16", { m: 8, n: 8, k: 8 }],
  ])("%s to %s by wgmma and TMA %o", (input, output, sizes) => {
    const tolerance = output === "float32" ? 1e-6 : output === "float16" ? 2e-3 : 2e-2;
    const kernel = wgmmaGemmKernel({ input, output });
    check(
      {
        ...kernel,
        // Maps of the operands, as the device makes them.
        arguments: (call) => kernel.arguments(call as TmaGemmCall),
        launch: (call) => kernel.launch(call as TmaGemmCall),
        prepare: (cuda, call) => ({
          ...call,
          mapA: tensorMap(cuda.driver, { address: call.a, rows: call.m, columns: call.k, dtype: input }, 128),
          mapB: tensorMap(cuda.driver, { address: call.b, rows: call.k, columns: call.n, dtype: input }, 64),
        }),
      },
      input,
      output,
      (x) => rounded(input, x),
      sizes,
      tolerance,
    );
  });

  it("refuse sizes that 16-byte copies cannot take", () => {
    expect(() =>
      mmaGemmKernel({ input: "float16", output: "float32" }).launch({ a: 0, b: 0, c: 0, m: 4, n: 12, k: 8 }),
    ).toThrow(/n and k must be multiples of 8 and addresses of 16, got n 12, k 8/);
  });
});
