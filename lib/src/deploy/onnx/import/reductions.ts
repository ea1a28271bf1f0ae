/** Reductions, softmax, products. */
import type { Tensor } from "../../../core/tensor.js";
import * as ops from "../../../ops/index.js";
import { numberLike } from "./elementwise.js";
import type { ImportRow, RowContext } from "./row.js";
import { int64 } from "./shapes.js";

type Reduce = (x: Tensor, axes: readonly number[], keep: boolean) => Tensor;

const row = (op: string, reduce: Reduce): ImportRow => ({
  op,
  run: (c) => {
    const x = c.input(0);
    const given = c.numbersOrInts(1, "axes") ?? [];
    if (given.length === 0 && c.attributes.int("noop_with_empty_axes", 0)) return x;
    const axes = given.length === 0 ? x.shape.map((_, i) => i) : c.axes(given, x.ndim);
    return reduce(x, axes, c.attributes.int("keepdims", 1) !== 0);
  },
});

const softmaxRow = (op: string, f: (x: Tensor, axis: number) => Tensor): ImportRow => ({
  op,
  run: (c) => f(c.input(0), c.axis(c.attributes.int("axis", -1), c.input(0).ndim)),
});

/** 1 at the first maximum. */
function hardmax(x: Tensor, axis: number): Tensor {
  const shape = x.shape.map((dim, i) => (i === axis ? dim : 1));
  const places = int64(
    Array.from({ length: x.shape[axis] }, (_, i) => i),
    shape,
  );
  return x.argmax(axis).cast("int64").expandDims(axis).equal(places).cast(x.dtype);
}

/** α·A'·B' + β·C. */
function gemm(c: RowContext): Tensor {
  const { attributes } = c;
  const flip = (x: Tensor, name: string): Tensor => (attributes.int(name, 0) ? x.transpose([1, 0]) : x);
  const times = (x: Tensor, factor: number): Tensor => (factor === 1 ? x : x.mul(numberLike(x, factor)));
  const product = times(
    flip(c.input(0), "transA").matmul(flip(c.input(1), "transB")),
    attributes.float("alpha", 1),
  );
  const bias = c.optional(2);
  return bias ? product.add(times(bias, attributes.float("beta", 1))) : product;
}

export const REDUCTIONS: readonly ImportRow[] = [
  row("ReduceSum", (x, axes, keep) => x.sum(axes, keep)),
  row("ReduceMean", (x, axes, keep) => x.mean(axes, keep)),
  row("ReduceMax", (x, axes, keep) => x.max(axes, keep)),
  row("ReduceMin", (x, axes, keep) => x.min(axes, keep)),
  row("ReduceProd", (x, axes, keep) => x.prod(axes, keep)),
  row("ReduceL1", (x, axes, keep) => x.abs().sum(axes, keep)),
  row("ReduceL2", (x, axes, keep) => x.square().sum(axes, keep).sqrt()),
  row("ReduceSumSquare", (x, axes, keep) => x.square().sum(axes, keep)),
  row("ReduceLogSum", (x, axes, keep) => x.sum(axes, keep).log()),
  row("ReduceLogSumExp", (x, axes, keep) => ops.logSumExp(x, axes, keep)),
  softmaxRow("Softmax", (x, axis) => ops.softmax(x, axis)),
  softmaxRow("LogSoftmax", (x, axis) => ops.logSoftmax(x, axis)),
  softmaxRow("Hardmax", hardmax),
  { op: "MatMul", run: (c) => c.input(0).matmul(c.input(1)) },
  { op: "Gemm", run: gemm },
  { op: "Det", run: (c) => ops.det(c.input(0)) },
  {
    op: "Einsum",
    run: (c) => ops.einsum(c.attributes.string("equation"), ...c.inputs.filter((x) => x !== null)),
  },
];
