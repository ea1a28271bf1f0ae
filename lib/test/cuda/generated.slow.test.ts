/** CUDA C++ generated from loop IR, by NVIDIA's own compiler: it compiles without a warning, and no register is spilled. */
import { beforeAll, describe, expect, it } from "vitest";
import { gpuProgram } from "../../src/compiler/codegen/gpu/index.js";
import { gpuSchedule } from "../../src/compiler/kernels/gpu.js";
import { ladder } from "../../src/compiler/kernels/ladder.js";
import type { LoopKernel } from "../../src/compiler/loop/ir.js";
import { compileCuda, findNvrtc, type Nvrtc } from "../../src/runtime/cuda/nvrtc.js";
import { cudaWheels } from "../support/cuda/wheels.js";
import { castKernel, gpuCases, operatorKernel } from "../support/gpu-cases.js";

let nvrtc: Nvrtc;
beforeAll(() => {
  process.env.MLSYS_CUDA_PATH = cudaWheels();
  nvrtc = findNvrtc() as Nvrtc;
}, 600_000);

const automatic = (kernel: LoopKernel): LoopKernel => gpuSchedule(kernel).kernel;
const kernels: readonly (readonly [name: string, make: () => LoopKernel])[] = [
  ...gpuCases.map(({ name, kernel }) => [name, () => automatic(kernel)] as const),
  ["operators of float32", () => automatic(operatorKernel("float32").kernel)],
  ["operators of int32", () => automatic(operatorKernel("int32").kernel)],
  [
    "conversions",
    () => automatic(castKernel(["int32", "int8", "uint8", "bool", "bfloat16", "float16", "float64"])),
  ],
  ...ladder.map((step) => [`ladder: ${step.name}`, () => step.schedule(2048, 2048, 1024).kernel] as const),
  ...ladder.map(
    (step) => [`ladder, sizes given later: ${step.name}`, () => step.schedule("M", "N", "K").kernel] as const,
  ),
];

describe("generated CUDA", () => {
  it.each(kernels)(
    "%s",
    (_, make) => {
      const { source, launches } = gpuProgram(make(), "cuda");
      for (const arch of ["sm_80", "sm_90"]) {
        const { log } = compileCuda(nvrtc, source, { arch, options: ["--ptxas-options=-v"] });
        expect(log).not.toMatch(/warning/);
        expect(log.match(/Used \d+ registers/g)).toHaveLength(launches.length);
        expect(log.match(/\b([1-9]\d*) bytes spill/g) ?? [], log).toEqual([]);
      }
    },
    60_000,
  );
});
