/** Reductions, positions of extremes, running sums and softmax. */
import { any, type Call, counted, float, number, type Row, truth } from "../row.js";
import type { Tfjs, TfTensor } from "../tfjs.js";

interface Axes {
  readonly axes: number[];
  readonly keepDims: boolean;
}
interface Axis {
  readonly axis: number;
}

type Fold = (t: Tfjs, x: TfTensor, axes: number[], keepDims: boolean) => TfTensor;

/** No axes: every element is a group of its own (to TensorFlow.js, no axes are all axes). Empty groups have the `identity`. */
const over =
  (fold: Fold, identity = 0): Call<Axes> =>
  (t, [x], { axes, keepDims }, [out]) => {
    if (x.size === 0) return t.fill([...out.shape], identity);
    return axes.length === 0 ? x : fold(t, x, axes, keepDims);
  };

/** The same, on inputs that are converted before. */
const first =
  (convert: (t: Tfjs, x: TfTensor) => TfTensor, call: Call<Axes>): Call<Axes> =>
  (t, [x], attrs, outputs) =>
    call(t, [convert(t, x)], attrs, outputs);

/** The first NaN if there is one, else the first extreme. */
const position = (find: (t: Tfjs, x: TfTensor, axis: number) => TfTensor) =>
  number<Axis>((t, [x], { axis }) => {
    const y = find(t, x, axis);
    if (x.dtype !== "float32") return y;
    const nan = t.isNaN(x);
    return t.where(t.any(nan, axis), t.argMax(t.cast(nan, "int32"), axis), y);
  });

/** Along the last axis, whichever is meant: TensorFlow.js does no other. */
const alongLast = (f: (t: Tfjs, x: TfTensor) => TfTensor) =>
  float<Axis>((t, [x], { axis }) => {
    const last = x.rank - 1;
    if (axis === last) return f(t, x);
    const order = x.shape.map((_, i) => (i === axis ? last : i === last ? axis : i)); // its own inverse
    return t.transpose(f(t, t.transpose(x, order)), order);
  });

export const REDUCE: Readonly<Record<string, Row>> = {
  all: any(
    first(
      truth,
      over((t, x, ...rest) => t.all(x, ...rest), 1),
    ),
  ),
  any: any(
    first(
      truth,
      over((t, x, ...rest) => t.any(x, ...rest)),
    ),
  ),
  max: number(over((t, x, ...rest) => t.max(x, ...rest))),
  min: number(over((t, x, ...rest) => t.min(x, ...rest))),
  prod: any(
    first(
      counted,
      over((t, x, ...rest) => t.prod(x, ...rest), 1),
    ),
  ),
  sum: any(
    first(
      counted,
      over((t, x, ...rest) => t.sum(x, ...rest)),
    ),
  ),
  argmax: position((t, x, axis) => t.argMax(x, axis)),
  argmin: position((t, x, axis) => t.argMin(x, axis)),
  cumprod: number<Axis>((t, [x], { axis }) => t.cumprod(x, axis)),
  cumsum: number<Axis>((t, [x], { axis }) => t.cumsum(x, axis)),
  logSoftmax: alongLast((t, x) => t.logSoftmax(x)),
  softmax: alongLast((t, x) => t.softmax(x)),
};
