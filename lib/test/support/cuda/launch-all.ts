/** Kernels of the cuda device for every case of the registry. */
import { isFloat } from "../../../src/core/dtype.js";
import { setDevice, type Tensor, tidy } from "../../../src/index.js";
import type { DenseTensor } from "../../../src/runtime/dense.js";
import { DISGUISES } from "../disguises.js";
import { drawInputs, opCases, run } from "../op-samples.js";
import type { FakeDriver } from "./fake-driver.js";

/** Sources of all kernels that the conformance suite launches on this driver. */
export function sourcesOfAll(fake: FakeDriver): ReadonlySet<string> {
  fake.emulate = false;
  launchAll();
  fake.emulate = true;
  return fake.sources;
}

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
