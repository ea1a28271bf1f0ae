/** Ops that move elements: copies of views, concat, slices put back, elements by index. */
import type * as core from "@tensorflow/tfjs-core";
import { sizeOf } from "../../../core/shape.js";
import { any, number, type Row } from "../row.js";
import type { Tfjs, TfTensor } from "../tfjs.js";

interface Axis {
  readonly axis: number;
}

/** Axes in front of one, its size, and those behind. */
const around = (shape: readonly number[], axis: number): [number, number, number] => [
  sizeOf(shape.slice(0, axis)),
  shape[axis],
  sizeOf(shape.slice(axis + 1)),
];

/** Up to so many positions are read back and worked on here: that takes less than the kernels that would do it. */
const FEW = 1 << 16;

/**
 * Positions counted from the front. They, or their extremes, are read back: where an index leads outside, kernels would read
 * something else.
 */
function checked(t: Tfjs, index: TfTensor, size: number): TfTensor {
  if (index.size === 0) return index;
  const few = index.size <= FEW;
  const values = (few ? index : t.stack([t.min(index), t.max(index)])).dataSync();
  let negative = false;
  for (const value of values) {
    if (value < -size || value >= size)
      throw new RangeError(`index ${value} is out of range for an axis of size ${size}`);
    if (value < 0) negative = true;
  }
  return negative ? t.where(t.less(index, 0), t.add(index, whole(t, size)), index) : index;
}

/** A bare number would make the sum a float. */
const whole = (t: Tfjs, value: number): TfTensor => t.scalar(value, "int32");

const asVector = (t: Tfjs, x: TfTensor) => t.reshape<core.Rank.R1>(x, [x.size]);

/** Where x[b, index[b, k, a], a] stands in the flattened x, an array of (b, size, a). */
function flatPositions(t: Tfjs, index: TfTensor, axis: number, size: number): TfTensor {
  const [before, count, after] = around(index.shape, axis);
  const at = checked(t, index, size);
  if (index.size <= FEW) {
    const positions = Int32Array.from(at.dataSync());
    for (let i = 0; i < positions.length; i++) {
      const row = Math.floor(i / (count * after));
      positions[i] = (row * size + positions[i]) * after + (i % after);
    }
    return t.tensor(positions, index.shape, "int32");
  }
  const rows = t.reshape(t.range(0, before, 1, "int32"), [before, 1, 1]);
  const columns = t.reshape(t.range(0, after, 1, "int32"), [1, 1, after]);
  const inner = t.add(t.mul(rows, whole(t, size)), t.reshape(at, [before, count, after]));
  return t.add(t.mul(inner, whole(t, after)), columns);
}

/** `x` with `gap` zeros behind each element along an axis but the last one. */
export function dilated(t: Tfjs, x: TfTensor, axis: number, gap: number): TfTensor {
  const [before, count, after] = around(x.shape, axis);
  if (gap === 0 || count <= 1) return x;
  const wide = t.pad(t.reshape(x, [before, count, 1, after]), [[0, 0], [0, 0], [0, gap], [0, 0]]); // biome-ignore format: one line
  const size = (count - 1) * (gap + 1) + 1;
  const cut = t.slice(t.reshape(wide, [before, count * (gap + 1), after]), [0, 0, 0], [before, size, after]);
  return t.reshape(cut, x.shape.map((dim, i) => (i === axis ? size : dim))); // biome-ignore format: one line
}

interface Slice {
  readonly shape: readonly number[];
  readonly starts: readonly number[];
  readonly sizes: readonly number[];
  readonly steps: readonly number[];
}

/** A slice back in its place among zeros. */
function unslice(t: Tfjs, [x]: readonly TfTensor[], { shape, starts, steps }: Slice): TfTensor {
  if (shape.length === 0) return x;
  const backwards = steps.flatMap((step, i) => (step < 0 && x.shape[i] > 1 ? [i] : []));
  let y = backwards.length > 0 ? t.reverse(x, backwards) : x;
  steps.forEach((step, i) => {
    y = dilated(t, y, i, Math.abs(step) - 1);
  });
  const paddings = shape.map((dim, i): [number, number] => {
    const first = steps[i] < 0 ? starts[i] + (x.shape[i] - 1) * steps[i] : starts[i];
    return [first, dim - first - y.shape[i]];
  });
  return t.pad(y, paddings);
}

interface Fold {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly shape: readonly [number, number, number, number];
}

/** The sum, at each place of the images, of what the windows have there: a shifted, dilated image per place in the window. */
function foldWindows(t: Tfjs, [x]: readonly TfTensor[], { size, stride, shape }: Fold): TfTensor {
  const [n, c, rows, columns] = x.shape;
  const parts: TfTensor[] = [];
  for (let p = 0; p < size[0]; p++) {
    for (let q = 0; q < size[1]; q++) {
      const place = t.reshape(t.slice(x, [0, 0, 0, 0, p, q], [n, c, rows, columns, 1, 1]), [
        n,
        c,
        rows,
        columns,
      ]);
      const wide = dilated(t, dilated(t, place, 2, stride[0] - 1), 3, stride[1] - 1);
      const [h, w] = wide.shape.slice(2);
      parts.push(t.pad(wide, [[0, 0], [0, 0], [p, shape[2] - p - h], [q, shape[3] - q - w]])); // biome-ignore format: one line
    }
  }
  return parts.reduce((a, b) => t.add(a, b));
}

interface Scatter extends Axis {
  readonly size: number;
  readonly rank: number;
}

export const MOVE: Readonly<Record<string, Row>> = {
  reshape: any((_t, [x]) => x),
  transpose: any<{ axes: number[] }>((t, [x], { axes }) => t.transpose(x, axes)),
  broadcastTo: any<{ shape: number[] }>((t, [x], { shape }) => t.broadcastTo(x, shape)),
  stopGradient: any((_t, [x]) => x),
  concat: any<Axis>((t, inputs, { axis }) => t.concat([...inputs], axis)),
  unslice: any<Slice>(unslice),
  foldWindows2d: number<Fold>(foldWindows),
  take: any<Axis>((t, [x, index], { axis }) => t.gather(x, checked(t, index, x.shape[axis]), axis)),
  takeAlongAxis: any<Axis>((t, [x, index], { axis }) =>
    t.gather(t.reshape(x, [x.size]), flatPositions(t, index, axis, x.shape[axis])),
  ),
  scatterAdd: number<Scatter>(
    (t, [index, x], { axis, size }, [out]) => {
      const [before, , after] = around(out.shape, axis);
      const values = t.transpose(t.reshape(x, [before, index.size, after]), [1, 0, 2]);
      const at = asVector(t, checked(t, index, size));
      return t.transpose(t.unsortedSegmentSum(values, at, size), [1, 0, 2]);
    },
    { needs: ["UnsortedSegmentSum"] },
  ),
  scatterAddAlongAxis: number<Scatter>(
    (t, [index, x], { axis, size }, [out]) => {
      const at = asVector(t, flatPositions(t, index, axis, size));
      return t.unsortedSegmentSum(t.reshape(x, [x.size]), at, sizeOf(out.shape));
    },
    { needs: ["UnsortedSegmentSum"] },
  ),
};
