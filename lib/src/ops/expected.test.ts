/** Each op's values beside NumPy's and PyTorch's (in float64) and ONNX Runtime's (in float32), on every device there is. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectedFile } from "../../test/support/expected.js";
import * as M from "../index.js";
import { type DType, devices, getDevice, setDevice, type Tensor, tensor } from "../index.js";

interface Dumped {
  readonly shape: number[];
  readonly dtype: string;
  readonly values: (number | string)[];
}
interface Case {
  readonly op: string;
  readonly inputs: Dumped[];
  readonly options: Readonly<Record<string, never>>;
  readonly outputs: Dumped[];
}

const numbersOf = ({ values }: Dumped): number[] =>
  values.map((v) =>
    v === "inf" ? Infinity : v === "-inf" ? -Infinity : v === "nan" ? Number.NaN : Number(v),
  );
const read = (x: Dumped): Tensor =>
  tensor(Float64Array.from(numbersOf(x)), { shape: x.shape, dtype: x.dtype as DType });

type Call = (x: Tensor[], o: Case["options"]) => Tensor | readonly Tensor[];
/** Calls whose arguments are not just the inputs. */
const CALLS: Record<string, Call> = {
  polygamma: ([x], { order }) => M.polygamma(order, x),
  variance: ([x], { axis }) => x.variance(axis),
  std: ([x], { axis }) => x.std(axis),
  cummax: ([x], { axis }) => Object.values(M.cummax(x, axis)),
  cummin: ([x], { axis }) => Object.values(M.cummin(x, axis)),
  topk: ([x], { k, axis }) => Object.values(M.topk(x, k, axis)),
  roll: ([x], { shift, axis }) => M.roll(x, shift, axis),
  repeat: ([x], { count, axis }) => M.repeat(x, count, axis),
  quantile: ([x], { q, axis }) => M.quantile(x, q, axis),
  diff: ([x], { order, axis }) => M.diff(x, order, axis),
  searchsortedRight: ([x, v]) => M.searchsorted(x, v, { right: true }),
  unique: ([x]) => Object.values(M.unique(x)),
  histogram: ([x], { bins }) => Object.values(M.histogram(x, bins)),
  bincount: ([x], { length }) => M.bincount(x, length),
  tril: ([x], { k }) => M.tril(x, k),
  triu: ([x], { k }) => M.triu(x, k),
  moveAxis: ([x], { source, destination }) => M.moveAxis(x, source, destination),
  rot90: ([x], { times, axes }) => M.rot90(x, times, axes),
  meshgridXy: (x) => M.meshgrid(x),
  meshgridIj: (x) => M.meshgrid(x, "ij"),
  pad: ([x], { widths, value }) => M.pad(x, widths, value),
  padEdges: ([x], { widths, mode }) => M.padEdges(x, widths, mode),
  tile: ([x], { counts }) => M.tile(x, counts),
  hstack: (x) => M.hstack(x),
  vstack: (x) => M.vstack(x),
  einsum: (x, { equation }) => M.einsum(equation, ...x),
  conv1d: ([x, w], o) => M.conv1d(x, w, o),
  conv2d: ([x, w], o) => M.conv2d(x, w, o),
  convTranspose1d: ([x, w], o) => M.convTranspose1d(x, w, o),
  convTranspose2d: ([x, w], o) => M.convTranspose2d(x, w, o),
  maxPool1d: ([x], { size, ...o }) => M.maxPool1d(x, size, o),
  avgPool1d: ([x], { size, ...o }) => M.avgPool1d(x, size, o),
  maxPool2d: ([x], { size, ...o }) => M.maxPool2d(x, size, o),
  avgPool2d: ([x], { size, ...o }) => M.avgPool2d(x, size, o),
  adaptiveAvgPool2d: ([x], { size }) => M.adaptiveAvgPool2d(x, size),
  adaptiveMaxPool2d: ([x], { size }) => M.adaptiveMaxPool2d(x, size),
  scatterReduce: ([x, at, v], o) => M.scatterReduce(x, at, v, o),
  scatterNdOnto: ([x, at, v]) => x.add(M.scatterNd(at, v, x.shape)),
  layerNorm: ([x, weight, bias], { epsilon }) => M.layerNorm(x, -1, { weight, bias, epsilon }),
  instanceNorm: ([x, weight, bias]) => M.instanceNorm(x, { weight, bias }),
  groupNorm: ([x, weight, bias], { groups }) => M.groupNorm(x, groups, { weight, bias }),
  batchNorm: ([x, weight, bias, mean, variance]) => M.batchNorm(x, { weight, bias, mean, variance }),
  resize: ([x], { size, ...o }) => M.resize(x, size, o),
};

function call({ op, inputs, options }: Case): readonly Tensor[] {
  const named = (M as unknown as Record<string, (...x: unknown[]) => Tensor>)[op];
  const plain: Call = (x, { axis }) => named(...x, ...(axis === undefined ? [] : [axis]));
  const found = (CALLS[op] ?? plain)(inputs.map(read), options);
  return Array.isArray(found) ? found : [found as Tensor];
}

/** Largest error relative to the wanted value, absolute below 1; infinite where a NaN or an infinity is amiss. */
function worst(found: readonly number[], wanted: readonly number[]): number {
  return Math.max(
    0,
    ...wanted.map((w, i) => {
      if (Object.is(w, found[i]) || w === found[i]) return 0;
      const error = Math.abs(w - found[i]) / Math.max(1, Math.abs(w));
      return Number.isFinite(error) ? error : Number.POSITIVE_INFINITY;
    }),
  );
}

const titles = (["ops.json", "onnx.json"] as const).flatMap((file) =>
  expectedFile<Case[]>(file).map((c, i) => ({
    title: `${c.op} (${file} ${i}) ${JSON.stringify(c.options)}`,
    c,
    tolerance: (dtype: string) => (file === "onnx.json" ? 4e-6 : dtype === "float32" ? 1e-6 : 2e-13),
  })),
);
const before = getDevice();
const names = devices()
  .filter((d) => d.available)
  .map((d) => d.name);

describe.each(names)("on %s", (device) => {
  beforeAll(() => setDevice(device));
  afterAll(() => setDevice(before));
  it.each(titles)("$title", ({ c, tolerance }) => {
    const found = call(c);
    expect(found).toHaveLength(c.outputs.length);
    for (const [i, output] of c.outputs.entries()) {
      expect(found[i].shape).toEqual(output.shape);
      if (output.dtype === "float64" || output.dtype === "bool") expect(found[i].dtype).toBe(output.dtype);
      expect(worst(Array.from(found[i].toTypedArray()), numbersOf(output))).toBeLessThan(
        tolerance(output.dtype),
      );
    }
  });
});
