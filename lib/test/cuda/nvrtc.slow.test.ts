/** With NVIDIA's own compiler and headers: every kernel compiles for two architectures, every signature is the header's. */
import { beforeAll, describe, expect, it } from "vitest";
import { gpuProgram } from "../../src/compiler/codegen/gpu/index.js";
import {
  attentionBackwardKernels,
  attentionKernel,
  castKernel,
  HOPPER_PRELUDE,
  HOPPER_PRELUDE_NAME,
  mmaGemmKernel,
  PRELUDE,
  PRELUDE_NAME,
  sgemmKernel,
  unscaleKernel,
  wgmmaGemmKernel,
  wmmaGemmKernel,
} from "../../src/compiler/cuda/kernels/index.js";
import { LADDER_TILES, ladder } from "../../src/compiler/kernels/ladder.js";
import { CUBLAS } from "../../src/runtime/cuda/cublas.js";
import { CUBLASLT } from "../../src/runtime/cuda/cublaslt.js";
import { CUDNN } from "../../src/runtime/cuda/cudnn.js";
import { DRIVER } from "../../src/runtime/cuda/driver.js";
import {
  compileCuda,
  findNvrtc,
  NVRTC,
  type Nvrtc,
  nvrtcVersion,
  supportedArchs,
} from "../../src/runtime/cuda/nvrtc.js";
import type { Signatures } from "../../src/runtime/cuda/table.js";
import { prototypes } from "../support/cuda/prototypes.js";
import { cudaWheels, headerFile } from "../support/cuda/wheels.js";

const HALVES = ["float16", "bfloat16"] as const;
const kernels = [
  sgemmKernel(true),
  sgemmKernel(false),
  ...HALVES.flatMap((input) => [
    mmaGemmKernel({ input, output: "float32" }),
    mmaGemmKernel({ input, output: input }),
    wgmmaGemmKernel({ input, output: "float32" }),
    wgmmaGemmKernel({ input, output: input }),
    wmmaGemmKernel(input),
    castKernel("float32", input),
    castKernel(input, "float32"),
    unscaleKernel(input),
  ]),
  wmmaGemmKernel("float32"),
  unscaleKernel("float32"),
  ...([32, 64, 128] as const).flatMap((width) =>
    [false, true].flatMap((causal) => {
      const variant = { dtype: causal ? "bfloat16" : "float16", width, causal } as const;
      return [attentionKernel(variant), ...attentionBackwardKernels(variant)];
    }),
  ),
];

let folder = "";
let nvrtc: Nvrtc;
beforeAll(() => {
  folder = cudaWheels();
  process.env.MLSYS_CUDA_PATH = folder;
  nvrtc = findNvrtc() as Nvrtc;
}, 600_000);

describe("NVRTC", () => {
  it("is found in wheels", () => {
    expect(nvrtc).toBeTypeOf("object");
    expect(nvrtcVersion(nvrtc)[0]).toBeGreaterThanOrEqual(12);
    expect(supportedArchs(nvrtc)).toEqual(expect.arrayContaining([80, 90]));
  });

  it.each(kernels.map((kernel) => [kernel.name, kernel] as const))("compiles %s", (_, kernel) => {
    for (const arch of kernel.least === 90 ? ["sm_90a"] : ["sm_80", "sm_90a"]) {
      const { image, log } = compileCuda(nvrtc, kernel.source, {
        arch,
        headers: { [PRELUDE_NAME]: PRELUDE, [HOPPER_PRELUDE_NAME]: HOPPER_PRELUDE },
        options: ["--ptxas-options=-v"],
      });
      expect([...image.subarray(0, 4)]).toEqual([0x7f, 0x45, 0x4c, 0x46]); // an ELF file
      expect(log).toMatch(/Used \d+ registers/);
      expect(log).not.toMatch(/warning|serialized/); // ptxas says so where wgmma loses its overlap
      expect(log.match(/\b([1-9]\d*) bytes spill/g) ?? [], `${kernel.name} spills registers: ${log}`).toEqual(
        [],
      );
    }
  });

  it.each(ladder.map((step) => [step.name, step] as const))(
    "compiles the ladder's generated step: %s",
    (_, step) => {
      const { kernel } = step.schedule("M", "N", "K", LADDER_TILES);
      const { log } = compileCuda(nvrtc, gpuProgram(kernel, "cuda").source, {
        arch: "sm_80",
        options: ["--ptxas-options=-v"],
      });
      expect(log).toMatch(/Used \d+ registers/);
      expect(log.match(/\b([1-9]\d*) bytes spill/g) ?? []).toEqual([]);
    },
  );

  it("gives PTX for a virtual architecture", () => {
    const { image } = compileCuda(nvrtc, 'extern "C" __global__ void f(float* x) { *x = 1; }', {
      arch: "compute_80",
    });
    expect(new TextDecoder().decode(image)).toMatch(/\.target sm_80[\s\S]*\.visible \.entry f/);
  });

  it("says which line is wrong", () => {
    const source = `extern "C" __global__ void f(float* x) {\n  int unused_name;\n  x[0] = missing + 1;\n}`;
    expect(() => compileCuda(nvrtc, source, { arch: "sm_80", file: "f.cu" })).toThrow(
      /NVRTC_ERROR_COMPILATION \(6\): for sm_80:\nf\.cu:3: error: identifier "missing" is undefined\n {4}x\[0\] = missing \+ 1;/,
    );
    expect(() => compileCuda(nvrtc, source, { arch: "sm_1" })).toThrow(/NVRTC_ERROR_INVALID_OPTION/);
  });
});

describe("signatures", () => {
  /** cuBLAS and cuDNN come in wheels of half a gigabyte: their rows are compared where MLSYS_CUDA_HEADERS names a folder. */
  const more = process.env.MLSYS_CUDA_HEADERS;
  it.each<[string, Signatures, readonly string[], boolean]>([
    ["the driver", DRIVER, ["cuda.h"], true],
    ["NVRTC", NVRTC, ["nvrtc.h"], true],
    ["cuBLAS", CUBLAS, ["cublas_api.h"], false],
    ["cuBLASLt", CUBLASLT, ["cublasLt.h"], false],
    ["cuDNN", CUDNN, ["cudnn_graph.h", "cudnn_ops.h", "cudnn_cnn.h"], false],
  ])("of %s are those of its header", (_, table, headers, always) => {
    if (!always && !more) return;
    const declared = new Map(
      headers.flatMap((name) => [
        ...prototypes(headerFile(always ? folder : (more as string), name) as string),
      ]),
    );
    for (const [name, kinds] of Object.entries(table)) {
      const wanted = declared.get(name);
      expect(wanted, `${name} is not declared`).toBeDefined();
      expect(kinds.length, `${name}: number of arguments`).toBe(wanted?.length);
      kinds.forEach((kind, i) => {
        expect(wanted?.[i], `${name}, argument ${i}`).toContain(kind);
      });
    }
  });
});
