/** Where Strassen's product begins to pay here: measured beside the plain product. */

import { matmul } from "../../ops/matmul.js";
import { Generator } from "../../ops/random.js";
import { tidy } from "../../ops/tidy.js";
import { withDevice } from "../../runtime/devices.js";
import type { HostDevice } from "../convolution/algorithm.js";
import { nativeKernelsReady } from "../native/programs.js";
import { strassen, strassenCost } from "./strassen.js";

export interface StrassenTiming {
  /** Square matrices of this size. */
  readonly size: number;
  /** Milliseconds of the plain product, and of one level of Strassen's. */
  readonly plain: number;
  readonly strassen: number;
  /** Share of the definition's multiplications. */
  readonly multiplications: number;
}

/**
 * Both products of square matrices, the best of some runs of each. One level pays from where `strassen` < `plain` on: half of
 * that size is the crossover.
 * @example (await compiler.product.measureStrassen([64], { runs: 1 }))[0].multiplications // 0.875
 */
export async function measureStrassen(
  sizes: readonly number[],
  { device = "wasm", runs = 3 }: { readonly device?: HostDevice; readonly runs?: number } = {},
): Promise<StrassenTiming[]> {
  const draw = new Generator(1);
  const found: StrassenTiming[] = [];
  for (const size of sizes) {
    const [a, b] = [draw.normal([size, size]), draw.normal([size, size])];
    const crossover = size >> 1;
    const both = [() => matmul(a, b), () => strassen(a, b, { crossover })];
    const once = (f: () => unknown): number => {
      const start = performance.now();
      withDevice(device, () => tidy(() => void f()));
      return performance.now() - start;
    };
    for (const f of both) once(f);
    await nativeKernelsReady();
    const best = both.map(() => Number.POSITIVE_INFINITY);
    for (let i = 0; i <= runs; i++)
      both.forEach((f, k) => {
        const time = once(f);
        if (i > 0) best[k] = Math.min(best[k], time);
      });
    const { multiplications } = strassenCost([size, size, size], crossover);
    found.push({ size, plain: best[0], strassen: best[1], multiplications: multiplications / size ** 3 });
  }
  return found;
}
