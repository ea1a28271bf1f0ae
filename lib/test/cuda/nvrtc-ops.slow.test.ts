/** Every kernel that the cuda device launches in the conformance suite compiles with NVIDIA's compiler. */
import { describe, expect, it } from "vitest";
import { PRELUDE, PRELUDE_NAME } from "../../src/compiler/cuda/kernels/index.js";
import { useCudaMachine } from "../../src/runtime/cuda/machine.js";
import { compileCuda, findNvrtc, type Nvrtc } from "../../src/runtime/cuda/nvrtc.js";
import { emulatedMachine } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";
import { sourcesOfAll } from "../support/cuda/launch-all.js";
import { cudaWheels } from "../support/cuda/wheels.js";

/** So many kernels are one text, each in a namespace: the compiler's start is most of the work for a small one. */
const TOGETHER = 100;

describe.skipIf(emulatorMissing)("kernels of the device", () => {
  it("compile with NVRTC", () => {
    process.env.MLSYS_CUDA_PATH = cudaWheels();
    const nvrtc = findNvrtc() as Nvrtc;
    const { machine, fake } = emulatedMachine();
    useCudaMachine(machine);
    const sources = [...sourcesOfAll(fake)];
    expect(sources.length).toBeGreaterThan(1000);
    for (let from = 0; from < sources.length; from += TOGETHER) {
      const parts = sources.slice(from, from + TOGETHER).map((source, k) => {
        const plain = source.replace(/^#include.*$/gm, "").replaceAll('extern "C" __global__', "__global__");
        return `namespace k${k} {\n${plain}\n}`;
      });
      const text = `#include "${PRELUDE_NAME}"\n${parts.join("\n")}`;
      compileCuda(nvrtc, text, { arch: "compute_80", headers: { [PRELUDE_NAME]: PRELUDE } });
    }
  }, 1_200_000);
});
