/** The cuda device with its kernels on the emulator: every op of the registry, and training. */
import { describe, it } from "vitest";
import { useCudaMachine } from "../../src/runtime/cuda/machine.js";
import { describeConformance } from "../devices/conformance.js";
import { emulatedMachine } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";

if (emulatorMissing === null) {
  const { machine, pieces } = emulatedMachine();
  useCudaMachine(machine);
  describeConformance("cuda", { native: 100, pieces, hostOps: { MLP: [], CNN: [] } });
} else describe.skip("the cuda device", () => it(emulatorMissing as string, () => {}));
