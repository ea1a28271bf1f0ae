/** Matrix products of the cuda device where cuBLAS is missing: by kernels of ours. */
import { expect, it } from "vitest";
import { useCudaMachine } from "../../src/runtime/cuda/machine.js";
import { emulatedMachine } from "../support/cuda/device.js";
import { emulatorMissing } from "../support/cuda/emulator.js";
import { checkProducts } from "../support/cuda/products.js";

it.skipIf(emulatorMissing)("multiply matrices of any layout", () => {
  const { machine, fake } = emulatedMachine({ blas: false });
  useCudaMachine(machine);
  checkProducts();
  expect(fake.calls.filter((name) => name.startsWith("cublas"))).toEqual([]);
});
