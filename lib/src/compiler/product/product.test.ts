/** Strassen's product and the split by rows against the reference product in float64. */
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import {
  compiler,
  Generator,
  getDevice,
  getNumThreads,
  setDevice,
  type Tensor,
  tensor,
} from "../../index.js";
import { withDevice } from "../../runtime/devices.js";

const { product } = compiler;
const home = getDevice();
afterEach(() => setDevice(home));

function operands(m: number, k: number, n: number, seed: number): [Tensor, Tensor] {
  const draw = new Generator(seed);
  return [draw.normal([m, k]), draw.normal([k, n])];
}

const exact = (a: Tensor, b: Tensor): Tensor =>
  withDevice("cpu", () => a.cast("float64").matmul(b.cast("float64")));

/** The largest error, as a share of max|a| · max|b| · k. */
const off = (found: Tensor, a: Tensor, b: Tensor): number =>
  found.cast("float64").sub(exact(a, b)).abs().max().item() /
  (a.abs().max().item() * b.abs().max().item() * a.shape[1]);

const devices = compiler.codegen.nativeAvailable() ? (["wasm", "native"] as const) : (["wasm"] as const);

describe.each(devices)("Strassen's product on %s", (device) => {
  it("is the product, for any sizes and levels", async () => {
    setDevice(device);
    const [a, b] = operands(9, 7, 8, 1);
    product.strassen(a, b, { crossover: 2 });
    await compiler.nativeKernels().ready;
    const side = fc.integer({ min: 1, max: 40 });
    fc.assert(
      fc.property(side, side, side, fc.integer({ min: 1, max: 9 }), side, (m, k, n, crossover, seed) => {
        const [x, y] = operands(m, k, n, seed);
        expect(off(product.strassen(x, y, { crossover }), x, y)).toBeLessThan(1e-6);
      }),
      { numRuns: 60 },
    );
  });

  it("takes transposed matrices, and leaves its operands as they are", () => {
    setDevice(device);
    const [a, b] = operands(24, 16, 20, 2);
    const before = [a, b].map((x) => Array.from(x.toTypedArray()));
    const found = product.strassen(b.transpose(), a.transpose(), { crossover: 4 });
    expect(off(found, b.transpose(), a.transpose())).toBeLessThan(1e-6);
    expect([a, b].map((x) => Array.from(x.toTypedArray()))).toEqual(before);
  });
});

it("counts what Strassen's product costs", () => {
  expect(product.strassenCost([8, 8, 8], 4)).toEqual({
    levels: 1,
    multiplications: 7 * 64,
    additions: 7 * 48 + 15 * 16,
  });
  expect(product.strassenCost([8, 8, 8], 2).multiplications).toBe(49 * 8);
  expect(product.strassenCost([9, 8, 8], 4).multiplications).toBe(7 * 64 + 64);
  expect(product.strassenCost([100, 100, 7], 4).levels).toBe(0);
});

it("Strassen's product refuses what it does not take", () => {
  const a = tensor([[1, 2]]);
  expect(() => product.strassen(a, a)).toThrow(
    "strassen: matrices (m, k) and (k, n) wanted, got (1, 2) and (1, 2)",
  );
  expect(() => product.strassen(a.cast("float64"), a)).toThrow("float32 matrices wanted");
  expect(() => product.strassen(a, a.transpose(), { crossover: 0 })).toThrow("from 1, not 0");
});

it("measures both products", async () => {
  const [row] = await product.measureStrassen([128], { runs: 1 });
  expect(row).toMatchObject({ size: 128, multiplications: 7 / 8 });
  expect(row.plain).toBeGreaterThan(0);
  expect(row.strassen).toBeGreaterThan(0);
});

describe("a product split by rows", () => {
  it("is the product, each thread with its rows", () => {
    const threads = getNumThreads();
    const [a, b] = operands(37, 20, 33, 4);
    for (const count of [1, 2, 3]) {
      const { result, spans } = product.productByRows(a, b, { threads: count });
      expect(off(result, a, b)).toBeLessThan(1e-6);
      expect(spans.map(({ thread }) => thread)).toEqual(Array.from({ length: count }, (_, i) => i));
      expect(spans[0].from).toBe(0);
      expect(spans.at(-1)?.to).toBe(37);
      for (const { start, end } of spans) expect(end).toBeGreaterThanOrEqual(start);
    }
    expect(getNumThreads()).toBe(threads);
  });

  it("refuses more threads than rows", () => {
    const [a, b] = operands(2, 2, 2, 1);
    expect(() => product.productByRows(a, b, { threads: 3 })).toThrow("at most one for each row of a; not 3");
  });
});
