/** The cuda device on a real GPU, where there is one: the conformance suite, our products beside cuBLAS, attention, graphs. */
import { afterEach, describe, expect, it } from "vitest";
import { cuda } from "../../src/compiler/cuda/device.js";
import { graphed, measureProducts } from "../../src/compiler/cuda/index.js";
import { attention, setDevice, type Tensor, toStatic } from "../../src/index.js";
import { describeCuda } from "../../src/runtime/cuda/machine.js";
import { describeConformance } from "../devices/conformance.js";
import { filled } from "../support/cuda/products.js";

const { available, detail } = describeCuda();

if (available) {
  const pieces = (): number => {
    const { allocations, frees } = cuda().context.memory.stats();
    return allocations - frees;
  };
  describeConformance("cuda", { native: 129, pieces, hostOps: { MLP: [], CNN: [] } });
}

describe.skipIf(!available)(`a GPU${available ? "" : ` (${detail})`}`, () => {
  afterEach(() => setDevice("cpu"));

  it.each(["float32", "float16", "bfloat16"] as const)("multiplies %s as cuBLAS does", (dtype) => {
    setDevice("cuda");
    for (const { kernel, largestError } of measureProducts({
      m: 1032,
      n: 776,
      k: 520,
      dtype,
      launches: 1,
      readings: 1,
    }))
      expect(largestError ?? 0, kernel).toBeLessThan(kernel.includes("tf32") ? 0.1 : 1e-3);
  });

  it.each([32, 64, 128])("attends in float16, heads of %i, as in float32", (width) => {
    const f = (q: Tensor, k: Tensor, v: Tensor) => attention(q, k, v, { causal: true });
    const inputs = [1, 2, 3].map((seed) => filled([2, 3, 150, width], seed));
    const wanted = f(inputs[0], inputs[1], inputs[2]).toTypedArray();
    setDevice("cuda");
    const half = inputs.map((x) => x.cast("float16"));
    toStatic(f)(half[0], half[1], half[2])
      .toTypedArray()
      .forEach((x, i) => {
        if (!(Math.abs(x - wanted[i]) < 1e-2)) expect.fail(`element ${i} is ${x}, not ${wanted[i]}`);
      });
  });

  it("runs functions as graphs", () => {
    setDevice("cuda");
    const f = graphed((x: Tensor) => x.matmul(x).tanh().sum(1));
    const x = filled([64, 64], 1);
    const [first, ...others] = [0, 1, 2].map(() => f(x).toTypedArray());
    for (const other of others) expect(other).toEqual(first);
    f.dispose();
  });
});
