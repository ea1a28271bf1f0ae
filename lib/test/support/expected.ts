/** Files of expected values in test/expected, made by its Python scripts. */
import { readFileSync } from "node:fs";
import { expect } from "vitest";
import { type DType, type Tensor, tensor } from "../../src/index.js";

export interface Values {
  readonly shape: number[];
  readonly values: number[];
}

export function expectedFile<T>(name: string): T {
  return JSON.parse(readFileSync(new URL(`../expected/${name}`, import.meta.url), "utf8")) as T;
}

export const read = ({ shape, values }: Values, dtype: DType = "float64"): Tensor =>
  tensor(Float64Array.from(values), { shape, dtype });

/** Checks shape and values; the tolerance is relative, absolute below 1. */
export function expectClose(found: Tensor | null, wanted: Values, tolerance = 1e-12, what = ""): void {
  expect(found, what).not.toBeNull();
  expect(found?.shape, what).toEqual(wanted.shape);
  const values = Array.from((found as Tensor).toTypedArray());
  const worst = Math.max(
    0,
    ...values.map((x, i) => {
      const error = Math.abs(x - wanted.values[i]) / Math.max(1, Math.abs(wanted.values[i]));
      return Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
    }),
  );
  expect(worst, `largest relative error ${what}`).toBeLessThanOrEqual(tolerance);
}
