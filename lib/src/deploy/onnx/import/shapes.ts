/** Ops of ONNX that arrange elements, tell shapes, or make tensors. */
import type { DType } from "../../../core/dtype.js";
import type { Tensor } from "../../../core/tensor.js";
import { apply } from "../../../ops/bind.js";
import * as ops from "../../../ops/index.js";
import { getOp } from "../../../ops/registry.js";
import { dtypeOf } from "../elements.js";
import { OnnxError } from "../schema.js";
import { numberLike } from "./elementwise.js";
import type { ImportRow, RowContext } from "./row.js";

export const int64 = (values: readonly number[], shape: readonly number[] = [values.length]): Tensor =>
  ops.tensor(Float64Array.from(values), { shape, dtype: "int64" });

/** 0 keeps a size (unless `allowzero`), −1 is what is left. */
function reshape(c: RowContext): Tensor {
  const x = c.input(0);
  const keep = c.attributes.int("allowzero", 0) === 0;
  const wanted = c.numbers(1, "shape").map((dim, i) => (dim === 0 && keep ? (x.shape[i] ?? 0) : dim));
  return x.reshape(wanted);
}

function transpose(c: RowContext): Tensor {
  const x = c.input(0);
  return x.transpose(c.attributes.ints("perm") ?? x.shape.map((_, i) => x.ndim - 1 - i));
}

function squeeze(c: RowContext): Tensor {
  const x = c.input(0);
  const given = c.numbersOrInts(1, "axes");
  const axes = given ? c.axes(given, x.ndim) : x.shape.flatMap((dim, i) => (dim === 1 ? [i] : []));
  if (axes.some((axis) => x.shape[axis] !== 1))
    throw new OnnxError(`axes ${axes} of ${x.type} are not all 1`);
  return x.reshape(x.shape.filter((_, i) => !axes.includes(i)));
}

function unsqueeze(c: RowContext): Tensor {
  const x = c.input(0);
  const given = c.numbersOrInts(1, "axes") ?? [];
  const rank = x.ndim + given.length;
  const axes = new Set(c.axes(given, rank));
  if (axes.size !== given.length) throw new OnnxError(`axes ${given} name one twice`);
  let next = 0;
  return x.reshape(Array.from({ length: rank }, (_, i) => (axes.has(i) ? 1 : x.shape[next++])));
}

function flatten(c: RowContext): Tensor {
  const x = c.input(0);
  const given = c.attributes.int("axis", 1);
  const axis = given < 0 ? given + x.ndim : given;
  const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);
  return x.reshape([product(x.shape.slice(0, axis)), product(x.shape.slice(axis))]);
}

function concat(c: RowContext): Tensor {
  const parts = c.inputs.filter((x) => x !== null);
  return ops.concat(parts, c.axis(c.attributes.int("axis"), c.input(0).ndim));
}

function split(c: RowContext): Tensor[] {
  const x = c.input(0);
  const axis = c.axis(c.attributes.int("axis", 0), x.ndim);
  let sizes = c.numbersOrInts(1, "split");
  if (!sizes) {
    const parts = c.attributes.int("num_outputs", c.outputs);
    const each = Math.ceil(x.shape[axis] / parts);
    sizes = Array.from({ length: parts }, (_, i) => Math.min(each, x.shape[axis] - i * each));
  }
  let at = 0;
  return sizes.map((size) => {
    at += size;
    return window(x, axis, at - size, size);
  });
}

/** `size` elements from `start` along one axis. */
export function window(x: Tensor, axis: number, start: number, size: number, step = 1): Tensor {
  if (start === 0 && size === x.shape[axis] && step === 1) return x;
  return apply(getOp("slice"), [x], {
    starts: x.shape.map((_, i) => (i === axis ? start : 0)),
    sizes: x.shape.map((dim, i) => (i === axis ? size : dim)),
    steps: x.shape.map((_, i) => (i === axis ? step : 1)),
  });
}

/** As NumPy's slices: bounds beyond the ends are the ends. */
function slice(c: RowContext): Tensor {
  const x = c.input(0);
  const starts = c.numbersOrInts(1, "starts") ?? [];
  const ends = c.numbersOrInts(2, "ends") ?? [];
  const axes = c.axes(c.numbersOrInts(3, "axes") ?? starts.map((_, i) => i), x.ndim);
  const steps = c.optionalNumbers(4, "steps") ?? starts.map(() => 1);
  if (new Set([starts.length, ends.length, axes.length, steps.length]).size !== 1)
    throw new OnnxError(
      `starts, ends, axes and steps have ${starts.length}, ${ends.length}, ${axes.length} and ${steps.length} entries`,
    );
  let y = x;
  axes.forEach((axis, k) => {
    const dim = x.shape[axis];
    const step = steps[k];
    if (step === 0) throw new OnnxError("a step is 0");
    const [least, most] = step > 0 ? [0, dim] : [-1, dim - 1];
    const inside = (n: number): number => Math.min(Math.max(n < 0 ? n + dim : n, least), most);
    const [from, to] = [inside(starts[k]), inside(ends[k])];
    y = window(y, axis, from, Math.max(0, Math.ceil((to - from) / step)), step);
  });
  return y;
}

/** The shape to which two others broadcast. */
function broadcastShape(a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  const [x, y] = [a, b].map((shape) => [...new Array<number>(rank - shape.length).fill(1), ...shape]);
  return x.map((dim, i) => (dim === 1 ? y[i] : dim));
}

function expand(c: RowContext): Tensor {
  const x = c.input(0);
  return x.broadcastTo(c.room(broadcastShape(x.shape, c.numbers(1, "shape"))));
}

function tile(c: RowContext): Tensor {
  const x = c.input(0);
  const repeats = c.numbers(1, "repeats");
  c.room(x.shape.map((dim, i) => dim * repeats[i]));
  return ops.tile(x, repeats);
}

function pad(c: RowContext): Tensor {
  const x = c.input(0);
  const mode = c.attributes.string("mode", "constant");
  const pads = c.numbersOrInts(1, "pads") ?? [];
  const axes = c.axes(c.optionalNumbers(3, "axes") ?? x.shape.map((_, i) => i), x.ndim);
  if (pads.length !== 2 * axes.length) throw new OnnxError(`${pads.length} pads for ${axes.length} axes`);
  const widths = x.shape.map((): [number, number] => [0, 0]);
  axes.forEach((axis, k) => {
    widths[axis] = [pads[k], pads[axes.length + k]];
  });
  c.room(x.shape.map((dim, i) => Math.max(0, dim + widths[i][0] + widths[i][1])));
  // negative widths cut off
  let cut = x;
  widths.forEach(([before, after], axis) => {
    const start = Math.max(0, -before);
    cut = window(cut, axis, start, x.shape[axis] - start - Math.max(0, -after));
  });
  const grown = widths.map(([before, after]): [number, number] => [Math.max(0, before), Math.max(0, after)]);
  if (grown.every(([before, after]) => before + after === 0)) return cut;
  if (mode === "constant") {
    const value = c.optional(2) ? c.number(2, "constant_value") : 0;
    return ops.pad(cut, grown, value);
  }
  if (mode === "edge" || mode === "reflect" || mode === "wrap") return ops.padEdges(cut, grown, mode);
  throw new OnnxError(`mode is "${mode}"`);
}

function shapeOf(c: RowContext): Tensor {
  const { shape } = c.input(0);
  const end = c.attributes.has("end") ? c.attributes.int("end") : shape.length;
  return int64(shape.slice(c.attributes.int("start", 0), end));
}

function constant(c: RowContext): Tensor {
  const { attributes } = c;
  const value = attributes.tensor("value");
  if (value) return value;
  if (attributes.has("value_float")) return ops.tensor(attributes.float("value_float"));
  if (attributes.has("value_int")) return int64([attributes.int("value_int")], []);
  const [ints, floats] = [attributes.ints("value_ints"), attributes.floats("value_floats")];
  if (ints) return int64(ints);
  if (floats) return ops.tensor(Float32Array.from(floats));
  throw new OnnxError("its value is of a kind that this library lacks (strings, sparse tensors)");
}

function constantOfShape(c: RowContext): Tensor {
  const shape = c.room(c.numbers(0, "shape"));
  const value = c.attributes.tensor("value");
  if (!value) return ops.zeros(shape);
  return value.reshape([]).broadcastTo(shape);
}

function range(c: RowContext): Tensor {
  const [start, limit, delta] = [c.number(0, "start"), c.number(1, "limit"), c.number(2, "delta")];
  const [count] = c.room([Math.max(0, Math.ceil((limit - start) / delta))]);
  const values = Float64Array.from({ length: count }, (_, i) => start + i * delta);
  return ops.tensor(values, { dtype: c.input(0).dtype });
}

function depthToSpace(c: RowContext): Tensor {
  const x = c.input(0);
  const block = c.attributes.int("blocksize");
  const [n, channels, h, w] = x.shape;
  const less = channels / block ** 2;
  const [shape, order] =
    c.attributes.string("mode", "DCR") === "DCR"
      ? [
          [n, block, block, less, h, w],
          [0, 3, 4, 1, 5, 2],
        ]
      : [
          [n, less, block, block, h, w],
          [0, 1, 4, 2, 5, 3],
        ];
  return x
    .reshape(shape)
    .transpose(order)
    .reshape([n, less, h * block, w * block]);
}

function spaceToDepth(c: RowContext): Tensor {
  const x = c.input(0);
  const block = c.attributes.int("blocksize");
  const [n, channels, h, w] = x.shape;
  return x
    .reshape([n, channels, h / block, block, w / block, block])
    .transpose([0, 3, 5, 1, 2, 4])
    .reshape([n, channels * block ** 2, h / block, w / block]);
}

function triangle(c: RowContext): Tensor {
  const k = c.optional(1) ? c.number(1, "k") : 0;
  return c.attributes.int("upper", 1) ? ops.triu(c.input(0), k) : ops.tril(c.input(0), k);
}

function eyeLike(c: RowContext): Tensor {
  const x = c.input(0);
  const [n, m] = c.room(x.shape);
  const dtype: DType = c.attributes.has("dtype") ? dtypeOf(c.attributes.int("dtype"), "EyeLike") : x.dtype;
  const k = c.attributes.int("k", 0);
  const values = Float64Array.from({ length: n * m }, (_, i) => ((i % m) - Math.floor(i / m) === k ? 1 : 0));
  return ops.tensor(values, { shape: [n, m], dtype });
}

function oneHot(c: RowContext): Tensor {
  const indices = c.input(0);
  const depth = c.number(1, "depth");
  const values = c.input(2);
  const axis = c.axis(c.attributes.int("axis", -1), indices.ndim + 1);
  c.room([...indices.shape, depth]);
  const whole = indices.cast("int64").expandDims(axis);
  const classes = int64(
    Array.from({ length: depth }, (_, i) => i),
    Array.from({ length: indices.ndim + 1 }, (_, i) => (i === axis ? depth : 1)),
  );
  const wrapped = ops.where(whole.less(numberLike(whole, 0)), whole.add(numberLike(whole, depth)), whole);
  return ops.where(wrapped.equal(classes), values.at(1), values.at(0));
}

export const SHAPES: readonly ImportRow[] = [
  { op: "Reshape", run: reshape },
  { op: "Transpose", run: transpose },
  { op: "Squeeze", run: squeeze },
  { op: "Unsqueeze", run: unsqueeze },
  { op: "Flatten", run: flatten },
  { op: "Concat", run: concat },
  { op: "Split", run: split },
  { op: "Slice", run: slice },
  { op: "Expand", run: expand },
  { op: "Tile", run: tile },
  { op: "Pad", run: pad },
  { op: "Shape", run: shapeOf },
  { op: "Size", run: (c) => int64([c.input(0).size], []) },
  { op: "Constant", run: constant },
  { op: "ConstantOfShape", run: constantOfShape },
  { op: "Range", run: range },
  { op: "DepthToSpace", run: depthToSpace },
  { op: "SpaceToDepth", run: spaceToDepth },
  { op: "Trilu", run: triangle },
  { op: "EyeLike", run: eyeLike },
  { op: "OneHot", run: oneHot },
];
