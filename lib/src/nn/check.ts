/** Checks of what layers are made with. */
import { ValueError } from "../core/errors.js";

/** @throws ValueError for a size that is not a whole number from 1. */
export function checkSizes(layer: string, sizes: Readonly<Record<string, number>>): void {
  for (const [name, size] of Object.entries(sizes))
    if (!Number.isInteger(size) || size < 1)
      throw new ValueError(`${layer}: ${name} is a whole number from 1, got ${size}`);
}

/** @throws ValueError for a rate outside [0, 1). */
export function checkRate(layer: string, rate: number): void {
  if (!(rate >= 0 && rate < 1))
    throw new ValueError(`${layer}: the rate is at least 0 and below 1, got ${rate}`);
}
