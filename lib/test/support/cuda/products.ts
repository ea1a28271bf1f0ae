/** Matrix products of the cuda device in every layout, against the reference. */
import { expect } from "vitest";
import { deviceCounts, resetDeviceCounts, setDevice, type Tensor, tensor } from "../../../src/index.js";
import { numbers } from "./device.js";

/** A tensor of numbers in [-1, 1) that depend on the seed alone. */
export const filled = (shape: readonly number[], seed: number): Tensor =>
  tensor(
    Float32Array.from(
      numbers(
        shape.reduce((a, b) => a * b, 1),
        seed,
      ),
    ),
    { shape },
  );

export function checkProducts(): void {
  const [a, b] = [filled([3, 8, 12], 1), filled([12, 16], 2)];
  const [p, q] = [filled([2, 1, 5, 7], 3), filled([3, 7, 6], 4)];
  const products: Record<string, () => Tensor> = {
    batch: () => a.matmul(b),
    transposed: () => b.swapAxes(0, 1).matmul(a.swapAxes(-1, -2)),
    broadcast: () => p.matmul(q),
    strided: () => a.slice(":", "::2", "::3").matmul(filled([4, 3], 5)),
    flipped: () => a.flip(0).matmul(b),
    vector: () => b.matmul(filled([16], 6)),
    double: () => a.cast("float64").matmul(b.cast("float64")),
    half: () => a.cast("float16").matmul(b.cast("float16")),
    empty: () => filled([3, 0], 1).matmul(filled([0, 2], 1)),
  };
  for (const [name, product] of Object.entries(products)) {
    setDevice("cpu");
    const wanted = product();
    setDevice("cuda");
    resetDeviceCounts("cuda");
    const found = product();
    expect(deviceCounts("cuda").native.get("matmul"), name).toBe(1);
    expect(found.type).toEqual(wanted.type);
    const room = wanted.dtype === "float16" ? 4e-3 : 1e-5;
    const [x, y] = [found.toTypedArray(), wanted.toTypedArray()];
    y.forEach((value, i) => {
      if (!(Math.abs(x[i] - value) <= room * Math.max(1, Math.abs(value))))
        expect.fail(`${name}: element ${i} is ${x[i]}, not ${value}`);
    });
  }
}
