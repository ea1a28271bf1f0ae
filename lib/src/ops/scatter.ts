/** Gathering and scattering by whole positions, and scattering that multiplies or keeps extremes. */
import { bytesPerElement, dtypeKind, isFloat } from "../core/dtype.js";
import { ShapeError } from "../core/errors.js";
import { checkAxis, checkShape, formatShape, normalizeAxis, type Shape, sizeOf } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { elementPositions } from "../runtime/host-array.js";
import { apply } from "./bind.js";
import { asIndices, asTensor, promote, type TensorLike, tensor } from "./convert.js";
import { alongPositions, checkAlong, scatterAdd, scatterAlongOp, take, takeAlongAxis } from "./gather.js";
import { checkPositions, mergedPositions } from "./indexing.js";
import { defineOp, type OpDef } from "./registry.js";
import { withBatch } from "./rules.js";

/** Positions in the first k axes taken as one, of indices (…, k). */
function flatPositions(indices: Tensor, shape: Shape, where: string): Tensor {
  const depth = indices.shape[indices.ndim - 1];
  const positions = shape.slice(0, depth).map((dim, axis) => {
    const index = indices.take(axis, -1);
    checkPositions(index, dim, axis, shape, where);
    return index;
  });
  return mergedPositions(positions, shape.slice(0, depth)).broadcastTo(indices.shape.slice(0, -1));
}

function depthOf(indices: Tensor, shape: Shape, where: string): number {
  const depth = indices.shape[indices.ndim - 1];
  if (indices.ndim === 0 || depth > shape.length)
    throw new ShapeError(
      `${where}: indices (…, k) with k up to ${shape.length} wanted for ${formatShape(shape)}, got ${formatShape(indices.shape)}`,
    );
  return depth;
}

/**
 * The elements (rows, planes …) of `x` at whole positions: the last axis of `indices` holds the positions in the first axes of `x`.
 * Negative ones count from the back (ONNX's GatherND).
 * @param indices int (…, k)
 * @returns shape (…, remaining axes of x)
 * @example gatherNd([[1, 2], [3, 4]], [[0, 1], [1, 0]]) // [2, 3]
 */
export function gatherNd(x: TensorLike, indices: TensorLike): Tensor {
  const t = asTensor(x);
  const index = asIndices(indices, "gatherNd");
  const depth = depthOf(index, t.shape, "gatherNd");
  const sizes = t.shape.slice(0, depth);
  return take(t.reshape([sizeOf(sizes), ...t.shape.slice(depth)]), flatPositions(index, t.shape, "gatherNd"));
}

/**
 * Zeros of `shape`, to which `values` are added at whole positions (see `gatherNd`); at repeated ones they add up.
 * @param indices int (…, k)
 * @param values (…, the axes of `shape` from k on)
 * @example scatterNd([[0, 1], [0, 1]], [5, 6], [2, 2]) // [[0, 11], [0, 0]]
 */
export function scatterNd(indices: TensorLike, values: TensorLike, shape: Shape): Tensor {
  const index = asIndices(indices, "scatterNd");
  const v = asTensor(values);
  const depth = depthOf(index, checkShape(shape, "scatterNd"), "scatterNd");
  const [sizes, rest] = [shape.slice(0, depth), shape.slice(depth)];
  const places = index.shape.slice(0, -1);
  if (v.shape.join() !== [...places, ...rest].join())
    throw new ShapeError(
      `scatterNd: values ${formatShape([...places, ...rest])} wanted for indices ${formatShape(index.shape)} into ${formatShape(shape)}, got ${formatShape(v.shape)}`,
    );
  return scatterAdd(flatPositions(index, shape, "scatterNd"), v, sizeOf(sizes)).reshape(shape);
}

const STEPS = {
  prod: (held: number, value: number) => held * value,
  max: (held: number, value: number) => (value > held || Number.isNaN(value) ? value : held),
  min: (held: number, value: number) => (value < held || Number.isNaN(value) ? value : held),
};

interface ScatterReduceAttrs {
  readonly axis: number;
  readonly reduce: keyof typeof STEPS;
}

const scatterReduceOp: OpDef<ScatterReduceAttrs> = defineOp<ScatterReduceAttrs>({
  name: "scatterReduce",
  type: ([x, index, values], { axis }) => {
    checkAxis(axis, x.shape.length, "scatterReduce");
    checkAlong(x.shape, index.shape, axis, "scatterReduce");
    checkAlong(index.shape, values.shape, -1, "scatterReduce");
    return [x];
  },
  reference: ([x, index, values], [out], { axis, reduce }) => {
    elementPositions(x).forEach((p, i) => {
      out.data[i] = x.data[p];
    });
    const at = Array.from(elementPositions(index), (p) => index.data[p]);
    const to = alongPositions(out, elementPositions(out), at, index.shape, axis, "scatterReduce");
    const from = elementPositions(values);
    const step = STEPS[reduce];
    for (let i = 0; i < to.length; i++) out.data[to[i]] = step(out.data[to[i]], values.data[from[i]]);
  },
  saves: { inputs: "all", outputs: true },
  vjp: ([g], { inputs: [x, index, values], outputs: [y], attrs, needs }) => {
    if (!g) return [null, null, null];
    const { ofSelf, ofValues } = slopes(x, index, values, y, attrs);
    return [
      needs[0] ? g.mul(ofSelf) : null,
      null,
      needs[2] ? takeAlongAxis(g, index, attrs.axis).mul(ofValues) : null,
    ];
  },
  jvp: ([x, index, values], [tx, , tv], [y], attrs) => {
    if (!tx && !tv) return [null];
    const { ofSelf, ofValues } = slopes(x, index, values, y, attrs);
    const moved = tv && scattered(index, tv.mul(ofValues), attrs.axis, x.shape[attrs.axis]);
    const own = tx?.mul(ofSelf);
    return [own && moved ? own.add(moved) : (own ?? moved)];
  },
  batch: ([x, index, values], [bx, bi, bv], attrs, size) => ({
    outputs: [
      apply(
        scatterReduceOp,
        [withBatch(x, bx, size), withBatch(index, bi, size), withBatch(values, bv, size)],
        {
          ...attrs,
          axis: attrs.axis + 1,
        },
      ),
    ],
    axes: [0],
  }),
  samples: [
    ...(["prod", "max", "min"] as const).map((reduce) => ({
      shapes: [
        [3, 2],
        [4, 2],
        [4, 2],
      ],
      attrs: { axis: 0, reduce },
      dtypes: ["float64", "int32", "float64"] as const,
      ranges: [
        [-2, 2],
        [0, 3],
        [-2, 2],
      ] as const,
    })),
    {
      shapes: [
        [2, 3],
        [2, 0],
        [2, 0],
      ],
      attrs: { axis: 1, reduce: "max" },
      dtypes: ["float64", "int32", "float64"],
      ranges: [
        [-2, 2],
        [0, 3],
        [-2, 2],
      ],
    },
  ],
});

const scattered = (index: Tensor, values: Tensor, axis: number, size: number): Tensor =>
  apply(scatterAlongOp, [index, values], { axis, size });

/**
 * Derivatives of each place by what was there, and by each value that came. Extremes share theirs among equals. A factor's is the
 * product of the other factors. (Second derivatives of products at two exact zeros are missing.)
 */
function slopes(x: Tensor, index: Tensor, values: Tensor, y: Tensor, { axis, reduce }: ScatterReduceAttrs) {
  const size = x.shape[axis];
  const spread = (t: Tensor): Tensor => takeAlongAxis(t, index, axis);
  if (reduce !== "prod") {
    const own = x.equal(y).cast(y.dtype);
    const came = values.equal(spread(y)).cast(y.dtype);
    const count = own.add(scattered(index, came, axis, size));
    return { ofSelf: own.div(count), ofValues: came.div(spread(count)) };
  }
  const one = asTensor(1, y.dtype);
  const zeros = x
    .equal(0)
    .cast("int32")
    .add(scattered(index, values.equal(0).cast("int32"), axis, size));
  const filled = (t: Tensor): Tensor => one.where(t.equal(0), t);
  const rest = apply(scatterReduceOp, [filled(x), index, filled(values)], { axis, reduce });
  const others = (t: Tensor, product: Tensor, count: Tensor): Tensor =>
    product.div(filled(t)).where(count.equal(t.equal(0).cast("int32")), 0);
  return { ofSelf: others(x, rest, zeros), ofValues: others(values, spread(rest), spread(zeros)) };
}

export interface ScatterReduceOptions {
  /** Whether what stands at a place counts too. Default: true. Places where nothing comes keep it in any case. */
  readonly includeSelf?: boolean;
}

/** How values that come to one place become one. */
export type Reduction = "sum" | "mean" | "prod" | "max" | "min";

/**
 * `x` with `values` brought to the positions `indices` along `axis`, where they and what stands there become one:
 * for axis 0, `y[indices[i][j]][j]` takes `values[i][j]`. Indices and values have the shape of `x` but for `axis`.
 * @throws ShapeError if they have another; ValueError for positions out of range.
 * @example scatterReduce([1, 1, 1], [0, 0, 2], [5, 2, 7], { reduce: "max" }) // [5, 1, 7]
 */
export function scatterReduce(
  x: TensorLike,
  indices: TensorLike,
  values: TensorLike,
  { axis = 0, reduce, includeSelf = true }: ScatterReduceOptions & { axis?: number; reduce: Reduction },
): Tensor {
  const [t, v] = promote(x, values);
  const index = asIndices(indices, "scatterReduce");
  const at = normalizeAxis(axis, t.ndim, "scatterReduce");
  checkAlong(t.shape, index.shape, at, "scatterReduce");
  checkAlong(index.shape, v.shape, -1, "scatterReduce");
  const size = t.shape[at];
  const count = scattered(index, tensor(1, { dtype: "int32" }).broadcastTo(v.shape), at, size);
  const base = includeSelf ? t : asTensor(neutral(reduce, t), t.dtype).where(count.greater(0), t);
  if (reduce === "prod" || reduce === "max" || reduce === "min")
    return apply(scatterReduceOp, [base, index, v], { axis: at, reduce });
  const sum = base.add(scattered(index, v, at, size));
  if (reduce === "sum") return sum;
  const all = includeSelf ? count.add(1) : count.maximum(1);
  return isFloat(t.dtype) ? sum.div(all.cast(t.dtype)) : sum.floorDivide(all).cast(t.dtype);
}

/** What changes nothing when values come to it. */
function neutral(reduce: Reduction, { dtype }: Tensor): number {
  if (reduce === "prod") return 1;
  if (reduce === "sum" || reduce === "mean") return 0;
  if (isFloat(dtype)) return reduce === "min" ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
  const bits = dtype === "bool" ? 1 : Math.min(53, 8 * bytesPerElement(dtype));
  if (dtypeKind(dtype) === "int") return reduce === "min" ? 2 ** (bits - 1) - 1 : -(2 ** (bits - 1));
  return reduce === "min" ? 2 ** bits - 1 : 0;
}
