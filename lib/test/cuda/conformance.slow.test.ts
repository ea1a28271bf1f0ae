/** The cuda device with its kernels on the emulator: every op of the registry, and training. */
import { beforeAll, describe, it } from "vitest";
import { useCudaMachine } from "../../src/runtime/cuda/machine.js";
import { describeConformance } from "../devices/conformance.js";
import { emulatedMachine } from "../support/cuda/device.js";
import { emulatorMissing, prepareKernels } from "../support/cuda/emulator.js";
import { sourcesOfAll } from "../support/cuda/launch-all.js";

if (emulatorMissing === null) {
  const { machine, fake, pieces } = emulatedMachine();
  useCudaMachine(machine);
  beforeAll(() => prepareKernels(sourcesOfAll(fake)), 900_000);
  describeConformance("cuda", { native: 129, pieces, hostOps: { MLP: [], CNN: [] } });
} else describe.skip("the cuda device", () => it(emulatorMissing as string, () => {}));
