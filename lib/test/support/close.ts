/** Comparing tensors that two implementations computed. */
import { expect } from "vitest";
import type { Tensor } from "../../src/index.js";

/** Types equal, elements within `tolerance` of each other, relative where they are large. */
export function expectClose(found: readonly Tensor[], wanted: readonly Tensor[], tolerance = 1e-5): void {
  expect(found.map((x) => x.type)).toEqual(wanted.map((x) => x.type));
  found.forEach((x, i) => {
    const [a, b] = [x.toTypedArray(), wanted[i].toTypedArray()];
    let worst = 0;
    let at = -1;
    for (let k = 0; k < a.length; k++) {
      if (a[k] === b[k] || (Number.isNaN(a[k]) && Number.isNaN(b[k]))) continue;
      const error = Math.abs(a[k] - b[k]) / (1 + Math.abs(b[k]));
      if (!(error <= worst)) [worst, at] = [error, k];
    }
    expect(
      worst,
      `output ${i}, element ${at}: ${at < 0 ? "" : `${a[at]}, expected ${b[at]}`}`,
    ).toBeLessThanOrEqual(tolerance);
  });
}
