/** The cuda device with its kernels on the emulator: every op of the registry, and training. */
import { beforeAll, describe, it } from "vitest";
import { isFloat } from "../../src/core/dtype.js";
import { setDevice, type Tensor, tidy } from "../../src/index.js";
import { useCudaMachine } from "../../src/runtime/cuda/machine.js";
import type { DenseTensor } from "../../src/runtime/dense.js";
import { describeConformance } from "../devices/conformance.js";
import { emulatedMachine } from "../support/cuda/device.js";
import { emulatorMissing, prepareKernels } from "../support/cuda/emulator.js";
import { DISGUISES } from "../support/disguises.js";
import { drawInputs, opCases, run } from "../support/op-samples.js";

/** Launches the kernels of every case without computing, so that they can be compiled together. */
function launchAll(): void {
  const attempt = (work: () => void): void => {
    try {
      work();
    } catch {
      // Refused by the op, or by the host on numbers that nobody computed.
    }
  };
  setDevice("cuda");
  try {
    for (const c of opCases(({ composite }) => !composite)) {
      const plain = drawInputs(c, 0, "float32");
      const whole = plain.map((x): Tensor => (isFloat(x.dtype) ? x.cast("int32") : x));
      const all = [plain, drawInputs(c, 0, "float64"), whole];
      for (const disguise of Object.values(DISGUISES))
        attempt(() => void all.push((plain as DenseTensor[]).map(disguise)));
      for (const inputs of all) attempt(() => tidy(() => void run(c, inputs)));
    }
  } finally {
    setDevice("cpu");
  }
}

if (emulatorMissing === null) {
  const { machine, fake, pieces } = emulatedMachine();
  useCudaMachine(machine);
  beforeAll(() => {
    fake.emulate = false;
    launchAll();
    fake.emulate = true;
    prepareKernels(fake.sources);
  }, 900_000);
  describeConformance("cuda", { native: 126, pieces, hostOps: { MLP: [], CNN: [] } });
} else describe.skip("the cuda device", () => it(emulatorMissing as string, () => {}));
