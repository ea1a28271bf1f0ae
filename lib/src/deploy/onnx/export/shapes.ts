/** Arrangement, reductions, products and indices, written in ONNX. */
import { OnnxError } from "../schema.js";
import { castName } from "./elementwise.js";
import type { Size } from "./exporter.js";
import { maxPool, padsOf, windows } from "./pools.js";
import type { ExportRow, NodeExport } from "./row.js";

interface SliceAttrs {
  readonly starts: readonly Size[];
  readonly sizes: readonly Size[];
  readonly steps: readonly number[];
}

interface Reduced {
  readonly axes: readonly number[];
  readonly keepDims: boolean;
}

/** Reductions take their axes as an input from opset 18 on (sums: from 13 on), as an attribute before. */
function reduce(n: NodeExport, op: string, x: string): string {
  const { axes, keepDims } = n.attrs<Reduced>();
  if (axes.length === 0) return n.emit("Identity", [x]);
  const keepdims = keepDims ? 1 : 0;
  if (n.exporter.opset >= 18 || op === "ReduceSum")
    return n.emit(op, [x, n.exporter.ints(axes)], { keepdims });
  return n.emit(op, [x], { keepdims, axes });
}

/** Truth values are counted: a count of none is 0, also over an empty axis. */
const anyOf = (n: NodeExport, truths: string): string =>
  castName(n, reduce(n, "ReduceSum", castName(n, truths, "int32")), "bool");

const truths = (n: NodeExport): string =>
  n.dtype === "bool" ? n.inputs[0] : castName(n, n.inputs[0], "bool");

const extreme = (op: string, onnx: string): ExportRow => ({
  op,
  write: (n) => {
    const { axis } = n.attrs<{ axis: number }>();
    return castName(n, n.emit(onnx, n.inputs, { axis, keepdims: 0 }), n.node.outputs[0].dtype);
  },
});

function slice(n: NodeExport): string {
  const { starts, sizes, steps } = n.attrs<SliceAttrs>();
  const axes = starts.map((_, i) => i);
  if (axes.length === 0) return n.emit("Identity", n.inputs);
  const { exporter } = n;
  return n.emit("Slice", [
    n.inputs[0],
    exporter.sizes(starts),
    exporter.ends(starts, sizes, steps),
    exporter.ints(axes),
    exporter.ints(steps),
  ]);
}

/** Zeros with the operand in the places of a slice: pads, or a scatter where elements lie apart. */
function unslice(n: NodeExport): string {
  const pads = padsOf(n.node);
  if (pads) return n.emit("Pad", [n.inputs[0], n.exporter.ints([...pads.before, ...pads.after])]);
  const { starts, sizes, steps } = n.attrs<SliceAttrs>();
  const { shape } = n.attrs<{ shape: readonly Size[] }>();
  const all = [...starts, ...sizes, ...shape];
  if (!all.every((size) => typeof size === "number"))
    throw new OnnxError("pads between elements of axes whose size is left open");
  const [from, count, whole] = [starts, sizes, shape] as [number[], number[], number[]];
  let positions = [0];
  whole.forEach((dim, i) => {
    positions = positions.flatMap((p) =>
      Array.from({ length: count[i] }, (_, k) => p * dim + from[i] + k * steps[i]),
    );
  });
  const size = whole.reduce((a, b) => a * b, 1);
  const zeros = n.emit("Expand", [n.number(0), n.exporter.ints([size])]);
  const flat = n.emit("Reshape", [n.inputs[0], n.exporter.ints([-1])]);
  const made = n.emit("ScatterElements", [zeros, n.exporter.ints(positions), flat], { axis: 0 });
  return n.emit("Reshape", [made, n.exporter.ints(whole)]);
}

/** Sizes with 0 would keep the operand's. */
function reshape(n: NodeExport): string {
  const { shape } = n.attrs<{ shape: readonly Size[] }>();
  const zero = shape.some((dim) => dim === 0);
  if (zero && n.exporter.opset < 14) throw new OnnxError("an empty tensor needs opset 14 or newer");
  return n.emit("Reshape", [n.inputs[0], n.exporter.sizes(shape)], zero ? { allowzero: 1 } : {});
}

interface ConvAttrs {
  readonly stride: readonly [number, number];
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}

const convAttributes = ({ stride, padding: [rows, columns], dilation, groups }: ConvAttrs) => ({
  strides: [...stride],
  pads: [rows[0], columns[0], rows[1], columns[1]],
  dilations: [...dilation],
  group: groups,
});

function convTranspose(n: NodeExport): string {
  const attrs = n.attrs<ConvAttrs & { shape: readonly Size[] }>();
  const [x, w] = [n.value(0), n.value(1)];
  const extra = [0, 1].map((i) => {
    const [input, whole] = [x.shape[2 + i], attrs.shape[2 + i]];
    if (typeof input !== "number" || typeof whole !== "number")
      throw new OnnxError("a transposed convolution over axes whose size is left open");
    const reach = (w.shape[2 + i] - 1) * attrs.dilation[i] + 1;
    return whole - (attrs.stride[i] * (input - 1) + reach - attrs.padding[i][0] - attrs.padding[i][1]);
  });
  return n.emit("ConvTranspose", n.inputs, { ...convAttributes(attrs), output_padding: extra });
}

function sort(n: NodeExport): string[] {
  const { axis, descending } = n.attrs<{ axis: number; descending: boolean }>();
  const size = n.exporter.sizes([n.value(0).shape[axis]]);
  const [values, indices] = n.exporter.emit(
    "TopK",
    [n.inputs[0], size],
    { axis, largest: descending ? 1 : 0, sorted: 1 },
    2,
  );
  return [values, castName(n, indices, n.node.outputs[1].dtype)];
}

/** Values added up at positions along an axis that is not there yet. */
function scatterAdd(n: NodeExport): string {
  const { axis, size, rank } = n.attrs<{ axis: number; size: number; rank: number }>();
  if (axis !== 0) throw new OnnxError(`scatterAdd along axis ${axis}; it can be written along axis 0`);
  const values = n.value(1);
  const zeros = zerosOf(n, [size, ...values.shape.slice(rank)], values.dtype);
  const places = n.emit("Unsqueeze", [castName(n, n.inputs[0], "int64"), n.exporter.ints([-1])]);
  return n.emit("ScatterND", [zeros, places, n.inputs[1]], { reduction: "add" });
}

function scatterAlong(n: NodeExport): string {
  const { axis, size } = n.attrs<{ axis: number; size: number }>();
  const values = n.value(1);
  const zeros = zerosOf(
    n,
    values.shape.map((dim, i) => (i === axis ? size : dim)),
    values.dtype,
  );
  return n.emit("ScatterElements", [zeros, n.inputs[0], n.inputs[1]], { axis, reduction: "add" });
}

/** Values combined with what stands at positions along an axis. */
function scatterReduce(n: NodeExport): string {
  const { axis, reduce: form } = n.attrs<{ axis: number; reduce: "prod" | "max" | "min" }>();
  const reduction = form === "prod" ? "mul" : form;
  if (reduction !== "mul" && n.exporter.opset < 18)
    throw new OnnxError(`reduction ${form} needs opset 18 or newer`);
  return n.emit("ScatterElements", [n.inputs[0], castName(n, n.inputs[1], "int64"), n.inputs[2]], {
    axis,
    reduction,
  });
}

/** Ascending edges below each value are counted. */
function searchsorted(n: NodeExport): string {
  const { right } = n.attrs<{ right: boolean }>();
  const last = n.emit("Unsqueeze", [n.inputs[1], n.exporter.ints([-1])]);
  const below = n.emit(right ? "LessOrEqual" : "Less", [n.inputs[0], last]);
  const whole = castName(n, below, n.node.outputs[0].dtype);
  return n.emit("ReduceSum", [whole, n.exporter.ints([-1])], { keepdims: 0 });
}

const zerosOf = (n: NodeExport, shape: readonly Size[], dtype: NodeExport["dtype"]): string =>
  n.emit("Expand", [n.number(0, dtype), n.exporter.sizes(shape)]);

/** A size that is left open, as a number; or one over it. */
function dimension(n: NodeExport): string {
  const { value, reciprocal, dtype } = n.attrs<{
    value: Size;
    reciprocal: boolean;
    dtype: NodeExport["dtype"];
  }>();
  const size = n.emit("Reshape", [n.exporter.sizes([value]), n.exporter.ints([])]);
  const number = castName(n, size, dtype);
  return reciprocal ? n.emit("Reciprocal", [number]) : number;
}

export const SHAPES: readonly ExportRow[] = [
  { op: "reshape", write: reshape },
  {
    op: "transpose",
    write: (n) => n.emit("Transpose", n.inputs, { perm: n.attrs<{ axes: number[] }>().axes }),
  },
  {
    op: "broadcastTo",
    write: (n) => n.emit("Expand", [n.inputs[0], n.exporter.sizes(n.attrs<{ shape: Size[] }>().shape)]),
  },
  { op: "concat", write: (n) => n.emit("Concat", n.inputs, { axis: n.attrs<{ axis: number }>().axis }) },
  { op: "slice", write: slice },
  { op: "unslice", write: unslice },
  { op: "windows2d", write: windows },
  { op: "dimension", write: dimension },
  { op: "sum", write: (n) => reduce(n, "ReduceSum", n.inputs[0]) },
  { op: "prod", write: (n) => reduce(n, "ReduceProd", n.inputs[0]) },
  { op: "max", write: (n) => maxPool(n) ?? reduce(n, "ReduceMax", n.inputs[0]) },
  { op: "min", write: (n) => reduce(n, "ReduceMin", n.inputs[0]) },
  { op: "any", write: (n) => anyOf(n, truths(n)) },
  { op: "all", write: (n) => n.emit("Not", [anyOf(n, n.emit("Not", [truths(n)]))]) },
  extreme("argmax", "ArgMax"),
  extreme("argmin", "ArgMin"),
  { op: "softmax", write: (n) => n.emit("Softmax", n.inputs, { axis: n.attrs<{ axis: number }>().axis }) },
  {
    op: "logSoftmax",
    write: (n) => n.emit("LogSoftmax", n.inputs, { axis: n.attrs<{ axis: number }>().axis }),
  },
  {
    op: "cumsum",
    write: (n) =>
      n.emit("CumSum", [n.inputs[0], n.exporter.scalar(n.attrs<{ axis: number }>().axis, "int64")]),
  },
  { op: "sort", write: sort },
  { op: "take", write: (n) => n.emit("Gather", n.inputs, { axis: n.attrs<{ axis: number }>().axis }) },
  {
    op: "takeAlongAxis",
    write: (n) => n.emit("GatherElements", n.inputs, { axis: n.attrs<{ axis: number }>().axis }),
  },
  { op: "scatterAdd", since: 16, write: scatterAdd },
  { op: "scatterAddAlongAxis", since: 16, write: scatterAlong },
  { op: "scatterReduce", since: 16, write: scatterReduce },
  { op: "replace", write: (n) => n.emit("ScatterElements", n.inputs, { axis: 0 }) },
  { op: "searchsorted", write: searchsorted },
  { op: "matmul", write: (n) => n.emit("MatMul", n.inputs) },
  { op: "conv2d", write: (n) => n.emit("Conv", n.inputs, convAttributes(n.attrs<ConvAttrs>())) },
  { op: "conv2dInputGrad", write: convTranspose },
  { op: "det", write: (n) => n.emit("Det", n.inputs) },
];
