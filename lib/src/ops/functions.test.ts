/** Gathering, scattering, normalization and recurrences beside PyTorch and SciPy: values and gradients. */
import { describe, expect, it } from "vitest";
import { expectClose, expectedFile, read, type Values } from "../../test/support/expected.js";
import { numbers } from "../../test/support/finite-differences.js";
import * as M from "../index.js";
import { type DType, grad, scatterReduce, type Tensor, tensor, toStatic, vmap } from "../index.js";

interface Dumped extends Values {
  readonly dtype: DType;
}
interface Case {
  readonly op: string;
  readonly inputs: Dumped[];
  readonly options: Readonly<Record<string, never>>;
  readonly outputs: Dumped[];
  readonly weights?: Values;
  readonly gradients?: Values[];
}
const cases = expectedFile<Case[]>("functions.json");

type Call = (x: Tensor[], o: Case["options"]) => Tensor;
const CALLS: Record<string, Call> = {
  gatherNd: ([x, index]) => M.gatherNd(x, index),
  scatterNd: ([index, values], { shape }) => M.scatterNd(index, values, shape),
  scatterReduce: ([x, index, values], o) => M.scatterReduce(x, index, values, o),
  layerNorm: ([x, weight, bias], { axes, epsilon }) => M.layerNorm(x, axes, { weight, bias, epsilon }),
  rmsNorm: ([x, weight], { axes, epsilon }) => M.rmsNorm(x, axes, { weight, epsilon }),
  groupNorm: ([x, weight, bias], { groups }) => M.groupNorm(x, groups, { weight, bias }),
  instanceNorm: ([x, weight, bias]) => M.instanceNorm(x, { weight, bias }),
  batchNorm: ([x, weight, bias, mean, variance]) => M.batchNorm(x, { weight, bias, mean, variance }),
  normalize: ([x], { axis, ord }) => M.normalize(x, axis, { ord }),
  prod: ([x], { axis }) => M.prod(x, axis),
  cumprod: ([x], { axis }) => M.cumprod(x, axis),
  linearRecurrence: ([a, b], o) => M.linearRecurrence(a, b, o),
};

describe("as PyTorch and SciPy", () => {
  it.each(cases.map((c, i) => ({ c, title: `${c.op} ${JSON.stringify(c.options)} #${i}` })))(
    "$title",
    ({ c }) => {
      const inputs = c.inputs.map((x) => read(x, x.dtype === "float64" ? "float64" : "int32"));
      const f = CALLS[c.op];
      expectClose(f(inputs, c.options), c.outputs[0], 1e-13);
      if (!c.weights || !c.gradients) return;
      const weights = read(c.weights);
      const floats = inputs.map((_, i) => i).filter((i) => inputs[i].dtype === "float64");
      const loss = (...x: Tensor[]): Tensor =>
        f(
          inputs.map((input, i) => (floats.includes(i) ? x[floats.indexOf(i)] : input)),
          c.options,
        )
          .mul(weights)
          .sum();
      const at = floats.map((i) => inputs[i]);
      const found = grad(loss, { argnums: at.map((_, k) => k) })(...at) as Tensor[];
      for (const [k, g] of found.entries())
        expectClose(g, c.gradients[k], 1e-12, `gradient of input ${floats[k]}`);
    },
  );
});

describe("scattering", () => {
  it("keeps the dtype, also of integers, whose neutral numbers are their own", () => {
    for (const dtype of ["int8", "uint8", "int16", "int32", "int64", "float16", "float32"] as const)
      for (const [reduce, wanted] of Object.entries({ sum: 5, mean: 2, prod: 6, max: 3, min: 2 })) {
        const x = tensor([9, 9], { dtype });
        const y = scatterReduce(x, [0, 0], tensor([2, 3], { dtype }), {
          reduce: reduce as M.Reduction,
          includeSelf: false,
        });
        const exact = reduce === "mean" && dtype.startsWith("float") ? 2.5 : wanted;
        expect([y.dtype, ...numbers(y)], `${dtype} ${reduce}`).toEqual([dtype, exact, 9]);
      }
  });

  it("maps and captures", () => {
    const x = tensor([[1, 5], [2, 0]]); // biome-ignore format: a matrix
    const index = tensor([[0, 0], [1, 0]], { dtype: "int32" }); // biome-ignore format: a matrix
    const f = (row: Tensor, at: Tensor): Tensor =>
      scatterReduce(row, at, [7, 3], { reduce: "max", includeSelf: false });
    expect(vmap(f)(x, index).toArray()).toEqual([[7, 5], [3, 7]]); // biome-ignore format: a matrix
    expect((toStatic(f)(x.slice(0), index.slice(0)) as Tensor).toArray()).toEqual([7, 5]);
    const g = (at: Tensor): Tensor => M.gatherNd(x, at);
    expect(vmap(g)(index).toArray()).toEqual([1, 2]);
    expect((toStatic(g)(index) as Tensor).toArray()).toEqual([1, 2]);
  });

  it("says what is wrong", () => {
    expect(() => M.gatherNd([1, 2], [[0, 1]])).toThrow(
      /gatherNd: indices \(…, k\) with k up to 1 wanted for \(2,\), got \(1, 2\)/,
    );
    expect(() => M.gatherNd([1, 2], [[2]])).toThrow(
      /gatherNd: position 2 is out of range for axis 0 of \(2,\)/,
    );
    expect(() => M.scatterNd([[0]], [1, 2], [3])).toThrow(/scatterNd: values \(1,\) wanted/);
    expect(() => scatterReduce([1, 2], [[0]], [[1]], { reduce: "sum" })).toThrow(
      /scatterReduce: indices \(1, 1\) differ/,
    );
    expect(() => scatterReduce([1, 2], [2], [1], { reduce: "max" })).toThrow(/index 2 is out of range/);
    expect(() => M.groupNorm(M.zeros([1, 4]), 3)).toThrow(/4 channels do not divide into 3 groups/);
    expect(() => M.batchNorm(M.zeros([2, 4]), { weight: [1, 2] })).toThrow(
      /one number for each of the 4 channels/,
    );
    expect(() => M.instanceNorm(M.zeros([4]))).toThrow(/\(n, channels, …\) wanted, got \(4,\)/);
  });

  it("takes no position of another axis for one of its own", () => {
    // flattened, [0, 2] would be [1, 0] of a 2 × 2 matrix
    expect(() => M.gatherNd([[1, 2], [3, 4]], [[0, 2]])).toThrow(/out of range/); // biome-ignore format: a matrix
    expect(() => M.scatterNd([[0, -3]], [1], [2, 2])).toThrow(
      /position -3 is out of range for axis 1 of \(2, 2\)/,
    );
    const x = M.arange(4).reshape([2, 2]);
    const captured = toStatic((i: Tensor) => x.get(0, i));
    expect((captured(tensor([1, -1], { dtype: "int32" })) as Tensor).toArray()).toEqual([1, 1]);
    expect(() => captured(tensor([2, 0], { dtype: "int32" }))).toThrow(/out of range/);
    const mapped = (i: number[]) => vmap((at: Tensor) => M.gatherNd(x, at))(tensor([i], { dtype: "int32" }));
    expect(mapped([0, 1]).toArray()).toEqual([1]);
    expect(() => mapped([0, 2])).toThrow(/out of range/);
  });
});

describe("products of many", () => {
  it("have gradients in memory of the size of what is multiplied", () => {
    const x = M.full([100_000], 1, { dtype: "float64" });
    M.resetPeak();
    const before = M.heapStats().liveBytes;
    const g = grad((z: Tensor) => z.prod())(x) as Tensor;
    expect(M.heapStats().peakBytes - before).toBeLessThan(100 * x.size * 8);
    expect(numbers(g).every((v) => v === 1)).toBe(true);
  });
});
