/** The cuda device on an emulated machine: what it says of itself, products, 16-bit floats, graphs. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cuda } from "../../src/compiler/cuda/device.js";
import { graphed } from "../../src/compiler/cuda/graphed.js";
import { measureProducts, setMatmulPrecision } from "../../src/compiler/cuda/index.js";
import {
  attention,
  deviceCounts,
  devices,
  nn,
  optim,
  random,
  resetDeviceCounts,
  setDevice,
  type Tensor,
  tensor,
  tidy,
  toStatic,
  valueAndGrad,
} from "../../src/index.js";
import { cudaMachine, useCudaMachine } from "../../src/runtime/cuda/machine.js";
import { emulatedMachine } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";
import { checkProducts, filled } from "../support/cuda/products.js";

const detail = (): string => devices().find(({ name }) => name === "cuda")?.detail as string;
// One machine for all: constants of the library lie in its memory.
const { machine, fake } =
  emulatorMissing === null
    ? emulatedMachine({ totalBytes: 2 ** 28 })
    : ({} as ReturnType<typeof emulatedMachine>);

beforeEach(() => useCudaMachine(machine));
afterEach(() => setDevice("cpu"));

describe.skipIf(emulatorMissing)("the cuda device", () => {
  it("says what is there, what is missing and how to get it", () => {
    expect(detail()).toBe(
      "Emulated CUDA device, sm_90, 4 multiprocessors, 0.3 GiB; CUDA 13.0, NVRTC 13.0; cuBLAS",
    );
    useCudaMachine({ ...machine, nvrtc: "libnvrtc is missing: pip install it" });
    expect(detail()).toBe("libnvrtc is missing: pip install it");
    expect(() => setDevice("cuda")).toThrow(/"cuda" is not available here: libnvrtc is missing/);
    useCudaMachine(emulatedMachine({ capability: [7, 5] }).machine);
    expect(detail()).toMatch(/compute capability 7.5; kernels here need 8.0 \(Ampere\)/);
    useCudaMachine(emulatedMachine({ blas: false }).machine);
    expect(detail()).toMatch(/products by own kernels, since cuBLAS is left out/);
    useCudaMachine(emulatedMachine({ devices: 0 }).machine);
    expect(detail()).toMatch(/CUDA_ERROR_NO_DEVICE/);
    useCudaMachine(null);
    if (typeof cudaMachine().driver === "string")
      expect(detail()).toMatch(/NVIDIA's driver is missing|no CUDA device/);
  });

  it("multiplies matrices of any layout", () => {
    checkProducts();
    expect(fake.calls.some((name) => name.startsWith("cublasGemm"))).toBe(true);
  });

  it("asks for tf32 only where it is allowed", () => {
    setDevice("cuda");
    fake.calls.length = 0;
    const x = filled([4, 4], 1);
    const f = () => x.matmul(x).toArray();
    f();
    setMatmulPrecision("high");
    f();
    setMatmulPrecision("highest");
    expect(fake.calls.filter((name) => name.startsWith("cublasGemm"))).toEqual([
      "cublasGemm 68",
      "cublasGemm 77",
    ]);
  });

  it("computes in 16 bits with one rounding per op", () => {
    const f = (x: Tensor) => x.mul(3).add(x.square()).sigmoid().sub(0.25);
    for (const dtype of ["float16", "bfloat16"] as const) {
      setDevice("cpu");
      const x = filled([50], 1).cast(dtype);
      const wanted = f(x).toTypedArray();
      setDevice("cuda");
      resetDeviceCounts("cuda");
      const found = f(filled([50], 1).cast(dtype)).toTypedArray();
      expect(deviceCounts("cuda").fallback.size).toBe(0);
      const unit = dtype === "float16" ? 2 ** -10 : 2 ** -7;
      wanted.forEach((value, i) => {
        expect(Math.abs(found[i] - value)).toBeLessThanOrEqual(unit);
      });
    }
  });

  it.each([
    ["float32", ["cuBLAS float32", "cuBLAS float32 as tf32", "mlsys_sgemm_vector", "mlsys_gemm_wmma_tf32"]],
    [
      "bfloat16",
      [
        "cuBLAS bfloat16",
        "mlsys_gemm_wmma_bfloat16",
        "mlsys_gemm_mma_bfloat16_float32",
        "mlsys_gemm_wgmma_bfloat16_float32",
      ],
    ],
  ] as const)("measures our products of %s beside cuBLAS", (dtype, names) => {
    expect(() => measureProducts({ m: 8, n: 8, k: 8, dtype })).toThrow(/the device is \w+, not cuda/);
    setDevice("cuda");
    const found = measureProducts({ m: 24, n: 16, k: 40, dtype, launches: 2, readings: 1 });
    expect(found.map(({ kernel }) => kernel)).toEqual(names);
    for (const { kernel, milliseconds, teraflops, ofCublas, largestError } of found) {
      // The fake's clock counts pieces of work: two launches and the event take 3.
      expect([milliseconds, ofCublas], kernel).toEqual([1.5, 1]);
      expect(teraflops).toBeCloseTo((2 * 24 * 16 * 40) / 1.5e9, 12);
      expect(largestError).toBeLessThan(dtype === "float32" && kernel.includes("tf32") ? 2e-2 : 1e-5);
    }
  });

  it("draws the random numbers of the host", () => {
    const draw = () => {
      const k = random.key(5);
      return [random.uniform(k, [3, 7]), random.normal(k, [5]), random.split(k, 3)[2]].map((x) =>
        x.toTypedArray(),
      );
    };
    const wanted = draw();
    setDevice("cuda");
    resetDeviceCounts("cuda");
    const found = draw();
    expect(deviceCounts("cuda").fallback.size).toBe(0);
    expect([found[0], found[2]]).toEqual([wanted[0], wanted[2]]);
    wanted[1].forEach((x, i) => {
      expect(found[1][i]).toBeCloseTo(x, 5);
    });
  });

  it("says how much memory there is when there is too little", () => {
    setDevice("cuda");
    const x = filled([2], 1);
    expect(() => cuda().allocate(2 ** 28)).toThrow(
      /cuda: out of memory: 256.0 MiB wanted; of 256.0 MiB the driver has \d+.0 MiB free; this process has/,
    );
    expect(x.add(1).toArray().length).toBe(2); // the device works on
  });
});

describe.skipIf(emulatorMissing)("compiled graphs", () => {
  const both = (f: (...x: Tensor[]) => Tensor, inputs: () => Tensor[], room: number) => {
    const wanted = f(...inputs()).toTypedArray();
    setDevice("cuda");
    const compiled = toStatic(f);
    compiled(...inputs());
    const given = inputs();
    for (const x of given) x.add(0).toArray(); // their elements are on the device
    fake.calls.length = 0;
    const y = compiled(...given);
    const launches = fake.calls.filter((name) => /^(kernel|cublasGemm) /.test(name));
    y.toTypedArray().forEach((x, i) => {
      if (!(Math.abs(x - wanted[i]) <= room)) expect.fail(`element ${i} is ${x}, not ${wanted[i]}`);
    });
    return launches;
  };

  it("run chains, reductions and what follows a product in few kernels", () => {
    const x = () => [filled([6, 8], 1), filled([8, 4], 2), filled([4], 3)];
    expect(both((a) => a.mul(2).add(a.square()).tanh().sub(1), x, 1e-6)).toEqual(["kernel mlsys_fused"]);
    const large = () => [filled([70, 80], 1)];
    expect(both((a) => a.mul(2).square().sum(1), large, 1e-4)).toEqual(["kernel mlsys_sum_warp"]);
    expect(both((a, b, c) => a.matmul(b).add(c).relu(), x, 1e-5)).toEqual([
      "cublasGemm 68",
      "kernel mlsys_epilogue",
    ]);
  });

  it("run attention of 16-bit floats as one kernel", () => {
    const inputs = () => [1, 2, 3].map((seed) => filled([2, 20, 32], seed).cast("float16"));
    const launches = both((q, k, v) => attention(q, k, v, { causal: true }), inputs, 4e-3);
    expect(launches).toEqual(["kernel mlsys_attention_forward_float16_32_causal"]);
  });
});

describe.skipIf(emulatorMissing)("graphed", () => {
  const training = () => {
    const model = new nn.Sequential(new nn.Dense(6, 8), new nn.Tanh(), new nn.Dense(8, 3));
    for (const [k, v] of model.parameters().entries()) v.assign(filled([...v.shape], k + 1));
    const optimizer = new optim.SGD(model, { lr: 0.2, momentum: 0.9 });
    const step = (x: Tensor, y: Tensor): Tensor => {
      const [loss, gradients] = valueAndGrad((m: typeof model) => nn.mse(m.forward(x), y))(model);
      optimizer.step(gradients);
      return loss;
    };
    return { model, optimizer, step };
  };
  const batch = (i: number) => [filled([5, 6], 10 + i), filled([5, 3], 20 + i)] as const;

  it("trains as the function does, with one launch per step", () => {
    setDevice("cuda");
    const [plain, whole] = [training(), training()];
    const wanted = [0, 1, 2, 3, 4].map((i) => tidy(() => plain.step(...batch(i)).item()));
    const state = whole.optimizer.assigned;
    const step = graphed(whole.step, { state });
    const found = [0, 1, 2, 3, 4].map((i) => {
      fake.calls.length = 0;
      return tidy(() => step(...batch(i)).item());
    });
    const count = (name: string) => fake.calls.filter((call) => call === name).length;
    expect(count("cuGraphLaunch")).toBe(1);
    expect(count("cuLaunchKernel")).toBeLessThanOrEqual(1); // the copy of the result
    expect(fake.calls.filter((name) => name.startsWith("cublasGemm"))).toEqual([]);
    found.forEach((loss, i) => {
      expect(loss).toBeCloseTo(wanted[i], 5);
    });
    whole.model.parameters().forEach((v, k) => {
      const theirs = plain.model.parameters()[k].value.toTypedArray();
      v.value.toTypedArray().forEach((x, i) => {
        expect(x).toBeCloseTo(theirs[i], 4);
      });
    });
    step.dispose();
  });

  it("records anew for other shapes, takes any layout, and returns results of their own", () => {
    setDevice("cuda");
    const f = graphed((x: Tensor) => x.mul(2).add(1));
    for (let i = 0; i < 3; i++) expect(f(tensor([i, 1])).toArray()).toEqual([2 * i + 1, 3]);
    const x = tensor([[1, 2], [3, 4]]); // biome-ignore format: a matrix
    for (let i = 0; i < 3; i++) expect(f(x.swapAxes(0, 1)).toArray()).toEqual([[3, 7], [5, 9]]); // biome-ignore format: a matrix
    const [first, second] = [f(tensor([1, 1])), f(tensor([2, 2]))];
    expect([first.toArray(), second.toArray()]).toEqual([[3, 3], [5, 5]]); // biome-ignore format: two rows
    f.dispose();
  });

  it("refuses what a recording cannot hold", () => {
    setDevice("cuda");
    const reads = graphed((x: Tensor) => x.mul(x.sum().item()));
    reads(tensor([1, 2]));
    expect(() => reads(tensor([1, 2]))).toThrow(/a number is wanted on the host while a graph is recorded/);
    expect(tensor([1, 2]).add(1).toArray()).toEqual([2, 3]); // the device works on
    setDevice("cpu");
    expect(() => reads(tensor([1]))).toThrow(/graphed: the device is cpu, not cuda/);
  });
});
