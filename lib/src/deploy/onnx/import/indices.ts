/** Ops of ONNX that gather, scatter, order and search. */
import type { Tensor } from "../../../core/tensor.js";
import { apply } from "../../../ops/bind.js";
import * as ops from "../../../ops/index.js";
import { needConcrete } from "../../../ops/read.js";
import { getOp } from "../../../ops/registry.js";
import { OnnxError } from "../schema.js";
import { numberLike } from "./elementwise.js";
import type { ImportRow, RowContext } from "./row.js";
import { int64, window } from "./shapes.js";

function gather(c: RowContext): Tensor {
  const x = c.input(0);
  return ops.take(
    x,
    wrapped(c.input(1), x.shape[c.axis(c.attributes.int("axis", 0), x.ndim)]),
    c.axis(c.attributes.int("axis", 0), x.ndim),
  );
}

/** Negative indices count from the end. */
function wrapped(indices: Tensor, size: number): Tensor {
  return ops.where(indices.less(numberLike(indices, 0)), indices.add(numberLike(indices, size)), indices);
}

function gatherElements(c: RowContext): Tensor {
  const indices = c.input(1);
  const axis = c.axis(c.attributes.int("axis", 0), c.input(0).ndim);
  let x = c.input(0);
  x.shape.forEach((_, i) => {
    if (i !== axis) x = window(x, i, 0, indices.shape[i]);
  });
  return ops.takeAlongAxis(x, wrapped(indices, x.shape[axis]), axis);
}

function gatherNd(c: RowContext): Tensor {
  if (c.attributes.int("batch_dims", 0) !== 0) throw new OnnxError("batch_dims is not 0");
  return ops.gatherNd(c.input(0), c.input(1));
}

const stridesOf = (shape: readonly number[]): number[] => {
  const strides = shape.map(() => 1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
};

/** Writes or reduces values at flat positions. */
function scatterFlat(c: RowContext, x: Tensor, positions: Tensor, values: Tensor): Tensor {
  const form = c.attributes.string("reduction", "none");
  const flat = [
    x.reshape([x.size]),
    positions.reshape([positions.size]).cast("int32"),
    values.reshape([values.size]),
  ];
  if (form === "none") return apply(getOp("replace"), flat, {}).reshape(x.shape);
  const reduce = ({ add: "sum", mul: "prod", max: "max", min: "min" } as const)[form];
  if (!reduce) throw new OnnxError(`reduction is "${form}"`);
  return ops.scatterReduce(flat[0], flat[1], flat[2], { axis: 0, reduce }).reshape(x.shape);
}

function scatterElements(c: RowContext): Tensor {
  const [x, values] = [c.input(0), c.input(2)];
  const axis = c.axis(c.attributes.int("axis", 0), x.ndim);
  const indices = wrapped(c.input(1), x.shape[axis]);
  const strides = stridesOf(x.shape);
  let positions = indices.mul(numberLike(indices, strides[axis]));
  indices.shape.forEach((dim, i) => {
    if (i === axis) return;
    const along = ops.tensor(
      Float64Array.from({ length: dim }, (_, k) => k * strides[i]),
      { shape: indices.shape.map((_, j) => (j === i ? dim : 1)), dtype: indices.dtype },
    );
    positions = positions.add(along);
  });
  return scatterFlat(c, x, positions, values);
}

function scatterNd(c: RowContext): Tensor {
  const [x, indices, values] = [c.input(0), c.input(1), c.input(2)];
  const depth = indices.shape[indices.ndim - 1];
  const strides = stridesOf(x.shape);
  const rest = x.shape.slice(depth).reduce((a, b) => a * b, 1);
  const columns = Array.from({ length: depth }, (_, i) => {
    const column = window(indices, indices.ndim - 1, i, 1);
    return wrapped(column, x.shape[i]).mul(numberLike(column, strides[i]));
  });
  const first = columns.reduce((a, b) => a.add(b)).reshape([-1, 1]);
  const inner = ops.tensor(
    Float64Array.from({ length: rest }, (_, i) => i),
    { dtype: indices.dtype },
  );
  return scatterFlat(c, x, first.add(inner), values);
}

function topk(c: RowContext): Tensor[] {
  const x = c.input(0);
  const found = ops.topk(x, c.number(1, "k"), c.axis(c.attributes.int("axis", -1), x.ndim), {
    largest: c.attributes.int("largest", 1) !== 0,
  });
  return [found.values, found.indices.cast("int64")];
}

const extreme =
  (find: (x: Tensor, axis: number) => Tensor) =>
  (c: RowContext): Tensor => {
    const x = c.input(0);
    const axis = c.axis(c.attributes.int("axis", 0), x.ndim);
    const last = c.attributes.int("select_last_index", 0) !== 0;
    const found = find(last ? ops.flip(x, axis) : x, axis).cast("int64");
    const index = last ? numberLike(found, x.shape[axis] - 1).sub(found) : found;
    return c.attributes.int("keepdims", 1) ? index.expandDims(axis) : index;
  };

/** Its size depends on values: only where those are known. */
function nonzero(c: RowContext): Tensor {
  const x = needConcrete(c.input(0), "NonZero, whose size depends on the model's input values,");
  const found = ops.argwhere(x);
  return found.transpose([1, 0]).cast("int64");
}

function compress(c: RowContext): Tensor {
  const x = c.attributes.has("axis") ? c.input(0) : c.input(0).reshape([c.input(0).size]);
  const axis = c.axis(c.attributes.int("axis", 0), x.ndim);
  const kept = c.numbers(1, "condition").flatMap((on, i) => (on ? [i] : []));
  return ops.take(x, int64(kept), axis);
}

function cumsum(c: RowContext): Tensor {
  const x = c.input(0);
  const axis = c.axis(c.number(1, "axis"), x.ndim);
  const reverse = c.attributes.int("reverse", 0) !== 0;
  const from = reverse ? ops.flip(x, axis) : x;
  const sums = from.cumsum(axis);
  const total = c.attributes.int("exclusive", 0) ? sums.sub(from) : sums;
  return reverse ? ops.flip(total, axis) : total;
}

export const INDICES: readonly ImportRow[] = [
  { op: "Gather", run: gather },
  { op: "GatherElements", run: gatherElements },
  { op: "GatherND", run: gatherNd },
  { op: "ScatterElements", run: scatterElements },
  { op: "ScatterND", run: scatterNd },
  { op: "TopK", run: topk },
  { op: "ArgMax", run: extreme((x, axis) => x.argmax(axis)) },
  { op: "ArgMin", run: extreme((x, axis) => x.argmin(axis)) },
  { op: "NonZero", run: nonzero },
  { op: "Compress", run: compress },
  { op: "CumSum", run: cumsum },
];
