/** The table of TensorFlow's ops. A new op is a row. */
import { isFloat } from "../../core/dtype.js";
import type { Tensor } from "../../core/tensor.js";
import * as ops from "../../ops/index.js";
import { activation } from "./activations.js";
import { convolve, convolveTransposed, depthwise, pool, resized } from "./images.js";
import type { GraphNode, NodeRow } from "./node.js";

const plain = (table: Readonly<Record<string, (...inputs: Tensor[]) => Tensor>>): NodeRow[] =>
  Object.entries(table).map(([op, f]) => ({
    op,
    run: (n) => f(...Array.from({ length: f.length }, (_, i) => n.input(i))),
  }));

type Reduce = (x: Tensor, axes: number[], keep: boolean) => Tensor;

const reductions = (table: Readonly<Record<string, Reduce>>): NodeRow[] =>
  Object.entries(table).map(([op, reduce]) => ({
    op,
    run: (n) => {
      const x = n.input(0);
      return reduce(
        x,
        n.numbers(1).map((axis) => n.axis(axis, x.ndim)),
        n.flag("keep_dims"),
      );
    },
  }));

const conv = (n: GraphNode): Tensor => {
  n.channelsLast();
  return convolve(n.input(0), n.input(1), {
    stride: n.window("strides"),
    dilation: n.window("dilations"),
    padding: n.padding,
  });
};

const depthwiseConv = (n: GraphNode): Tensor => {
  n.channelsLast();
  return depthwise(n.input(0), n.input(1), {
    stride: n.window("strides"),
    dilation: n.window("dilations"),
    padding: n.padding,
  });
};

function convTransposed(n: GraphNode): Tensor {
  n.channelsLast();
  const y = convolveTransposed(n.input(2), n.input(1), { stride: n.window("strides"), padding: n.padding });
  const wanted = n.numbers(0);
  if (y.shape.some((dim, i) => dim !== wanted[i])) n.fail(`it makes [${y.shape}], [${wanted}] was expected`);
  return y;
}

function product(n: GraphNode): Tensor {
  const flip = (x: Tensor, key: string): Tensor => (n.flag(key) ? x.swapAxes(x.ndim - 2, x.ndim - 1) : x);
  const names = n.op.startsWith("Batch") ? ["adj_x", "adj_y"] : ["transpose_a", "transpose_b"];
  return flip(n.input(0), names[0]).matmul(flip(n.input(1), names[1]));
}

/** An op with what the converter put behind it: bias, normalization, activation. */
const fused =
  (first: (n: GraphNode) => Tensor) =>
  (n: GraphNode): Tensor => {
    let y = first(n);
    const arguments_ = n.inputs.slice(2);
    for (const op of n.texts("fused_ops")) {
      const next = (): Tensor => arguments_.shift() ?? n.fail(`an input of the fused ${op} is missing`);
      if (op === "BiasAdd") y = y.add(next());
      else if (op === "FusedBatchNorm") {
        const [scale, offset, mean, variance] = [next(), next(), next(), next()];
        y = normalized(y, { scale, offset, mean, variance, epsilon: n.float("epsilon", 1e-3) });
      } else if (op === "LeakyRelu") y = y.leakyRelu(n.float("leakyrelu_alpha", 0.2));
      else if (op === "Prelu") y = ops.where(y.less(0), y.mul(next()), y);
      else y = activation(op, n.where)(y);
    }
    return y;
  };

interface Normalization {
  readonly scale: Tensor;
  readonly offset: Tensor;
  readonly mean: Tensor;
  readonly variance: Tensor;
  readonly epsilon: number;
}

const normalized = (x: Tensor, { scale, offset, mean, variance, epsilon }: Normalization): Tensor =>
  x.sub(mean).mul(variance.add(epsilon).rsqrt().mul(scale)).add(offset);

const batchNorm = (n: GraphNode): Tensor => {
  n.channelsLast();
  const [x, scale, offset, mean, variance] = [0, 1, 2, 3, 4].map((i) => n.input(i));
  return normalized(x, { scale, offset, mean, variance, epsilon: n.float("epsilon", 1e-4) });
};

const pooling =
  (how: "max" | "mean") =>
  (n: GraphNode): Tensor => {
    n.channelsLast();
    return pool(n.input(0), how, n.window("ksize"), { stride: n.window("strides"), padding: n.padding });
  };

function stridedSlice(n: GraphNode): Tensor {
  const x = n.input(0);
  const [begin, end, strides] = [1, 2, 3].map((i) => n.numbers(i));
  const mask = (key: string, i: number): boolean => ((n.int(key, 0) >> i) & 1) === 1;
  if (n.int("ellipsis_mask", 0) || n.int("new_axis_mask", 0))
    n.fail("ellipsis and new axes are not supported");
  const gone = begin.flatMap((_, i) => (mask("shrink_axis_mask", i) ? [i] : []));
  const parts = begin.map((from, i): [number | null, number | null, number] => {
    if (mask("shrink_axis_mask", i)) return [from, from === -1 ? null : from + 1, 1];
    return [mask("begin_mask", i) ? null : from, mask("end_mask", i) ? null : end[i], strides[i]];
  });
  const y = x.slice(...parts);
  return gone.length > 0 ? y.squeeze(gone) : y;
}

function slice(n: GraphNode): Tensor {
  const x = n.input(0);
  const [begin, size] = [n.numbers(1), n.numbers(2)];
  return x.slice(
    ...begin.map((from, i): [number, number] => [from, size[i] < 0 ? x.shape[i] : from + size[i]]),
  );
}

function pad(n: GraphNode): Tensor {
  const widths = n.numbers(1);
  const pairs = n.input(0).shape.map((_, i): [number, number] => [widths[2 * i], widths[2 * i + 1]]);
  if (n.op === "MirrorPad")
    return ops.padEdges(n.input(0), pairs, n.text("mode", "REFLECT") === "REFLECT" ? "reflect" : "symmetric");
  return ops.pad(n.input(0), pairs, n.inputs[2] ? n.numbers(2)[0] : 0);
}

function gather(n: GraphNode): Tensor {
  const x = n.input(0);
  if (n.int("batch_dims", 0)) n.fail("batch_dims is not 0");
  return ops.take(x, n.input(1).cast("int32"), n.axis(n.inputs[2] ? n.numbers(2)[0] : 0, x.ndim));
}

function split(n: GraphNode): Tensor[] {
  const sized = n.op === "SplitV";
  const x = n.input(sized ? 0 : 1);
  const axis = n.axis(n.numbers(sized ? 2 : 0)[0], x.ndim);
  return ops.split(x, sized ? n.numbers(1) : n.int("num_split", 1), axis);
}

function squeeze(n: GraphNode): Tensor {
  const x = n.input(0);
  const given = n.ints("squeeze_dims");
  const axes =
    given.length > 0
      ? given.map((axis) => n.axis(axis, x.ndim))
      : x.shape.flatMap((dim, i) => (dim === 1 ? [i] : []));
  return x.squeeze(axes);
}

const extreme =
  (find: (x: Tensor, axis: number) => Tensor) =>
  (n: GraphNode): Tensor =>
    find(n.input(0), n.axis(n.numbers(1)[0], n.input(0).ndim)).cast("int32");

const resize =
  (mode: "bilinear" | "nearest") =>
  (n: GraphNode): Tensor => {
    const [height, width] = n.numbers(1);
    return resized(n.input(0), [height, width], mode, {
      alignCorners: n.flag("align_corners"),
      halfPixels: n.flag("half_pixel_centers"),
    });
  };

const whole = (values: readonly number[]): Tensor =>
  ops.tensor([...values], { dtype: "int32", shape: [values.length] });

/** What one result may have, where shapes are the model's data. */
const MOST_ELEMENTS = 2 ** 28;

function filled(n: GraphNode): Tensor {
  const shape = n.numbers(0);
  if (shape.reduce((a, b) => a * b, 1) > MOST_ELEMENTS) n.fail(`it would make [${shape.slice(0, 8)}]`);
  return n.input(1).broadcastTo(shape);
}

export const NODES: readonly NodeRow[] = [
  ...plain({
    ...{ Identity: (x: Tensor) => x, StopGradient: (x: Tensor) => x, NoOp: (x: Tensor) => x },
    ...{ Abs: (x: Tensor) => x.abs(), Neg: (x: Tensor) => x.neg(), Sign: (x: Tensor) => x.sign() },
    ...{ Exp: (x: Tensor) => x.exp(), Expm1: (x: Tensor) => x.expm1(), Log: (x: Tensor) => x.log() },
    ...{ Log1p: (x: Tensor) => x.log1p(), Sqrt: (x: Tensor) => x.sqrt(), Rsqrt: (x: Tensor) => x.rsqrt() },
    ...{
      Square: (x: Tensor) => x.square(),
      Reciprocal: (x: Tensor) => x.reciprocal(),
      Erf: (x: Tensor) => x.erf(),
    },
    ...{ Floor: (x: Tensor) => x.floor(), Ceil: (x: Tensor) => x.ceil(), Round: (x: Tensor) => x.round() },
    ...{ Sin: (x: Tensor) => x.sin(), Cos: (x: Tensor) => x.cos(), Tanh: (x: Tensor) => x.tanh() },
    ...{
      Sigmoid: (x: Tensor) => x.sigmoid(),
      Softplus: (x: Tensor) => x.softplus(),
      Softsign: (x: Tensor) => x.softsign(),
    },
    ...{
      Relu: (x: Tensor) => x.relu(),
      Relu6: (x: Tensor) => x.relu6(),
      Elu: (x: Tensor) => x.elu(),
      Selu: (x: Tensor) => x.selu(),
    },
    ...{ Softmax: (x: Tensor) => x.softmax(x.ndim - 1), LogSoftmax: (x: Tensor) => x.logSoftmax(x.ndim - 1) },
    ...{
      Add: (a: Tensor, b: Tensor) => a.add(b),
      AddV2: (a: Tensor, b: Tensor) => a.add(b),
      BiasAdd: (a: Tensor, b: Tensor) => a.add(b),
    },
    ...{
      Sub: (a: Tensor, b: Tensor) => a.sub(b),
      Mul: (a: Tensor, b: Tensor) => a.mul(b),
      Pow: (a: Tensor, b: Tensor) => a.pow(b),
    },
    RealDiv: (a: Tensor, b: Tensor) => (isFloat(a.dtype) ? a.div(b) : a.floorDivide(b)),
    FloorDiv: (a: Tensor, b: Tensor) => a.floorDivide(b),
    FloorMod: (a: Tensor, b: Tensor) => a.remainder(b),
    SquaredDifference: (a: Tensor, b: Tensor) => a.sub(b).square(),
    ...{
      Maximum: (a: Tensor, b: Tensor) => ops.maximum(a, b),
      Minimum: (a: Tensor, b: Tensor) => ops.minimum(a, b),
    },
    ...{
      Greater: (a: Tensor, b: Tensor) => a.greater(b),
      GreaterEqual: (a: Tensor, b: Tensor) => a.greaterEqual(b),
    },
    ...{ Less: (a: Tensor, b: Tensor) => a.less(b), LessEqual: (a: Tensor, b: Tensor) => a.lessEqual(b) },
    ...{ Equal: (a: Tensor, b: Tensor) => a.equal(b), NotEqual: (a: Tensor, b: Tensor) => a.notEqual(b) },
    ...{
      LogicalAnd: (a: Tensor, b: Tensor) => a.logicalAnd(b),
      LogicalOr: (a: Tensor, b: Tensor) => a.logicalOr(b),
    },
    LogicalNot: (x: Tensor) => x.logicalNot(),
    Prelu: (x: Tensor, slope: Tensor) => ops.where(x.less(0), x.mul(slope), x),
    ...{
      Select: (t: Tensor, a: Tensor, b: Tensor) => ops.where(t, a, b),
      SelectV2: (t: Tensor, a: Tensor, b: Tensor) => ops.where(t, a, b),
    },
    Shape: (x: Tensor) => whole(x.shape),
    ZerosLike: (x: Tensor) => ops.zerosLike(x),
  }),
  ...reductions({
    Mean: (x, axes, keep) => x.mean(axes, keep),
    Sum: (x, axes, keep) => x.sum(axes, keep),
    Max: (x, axes, keep) => x.max(axes, keep),
    Min: (x, axes, keep) => x.min(axes, keep),
    Prod: (x, axes, keep) => x.prod(axes, keep),
    All: (x, axes, keep) => x.all(axes, keep),
    Any: (x, axes, keep) => x.any(axes, keep),
  }),
  { op: "LeakyRelu", run: (n) => n.input(0).leakyRelu(n.float("alpha", 0.2)) },
  { op: "ClipByValue", run: (n) => ops.minimum(ops.maximum(n.input(0), n.input(1)), n.input(2)) },
  ...["MatMul", "BatchMatMul", "BatchMatMulV2"].map((op) => ({ op, run: product })),
  { op: "_FusedMatMul", run: fused(product) },
  { op: "Conv2D", run: conv },
  { op: "_FusedConv2D", run: fused(conv) },
  { op: "DepthwiseConv2dNative", run: depthwiseConv },
  { op: "FusedDepthwiseConv2dNative", run: fused(depthwiseConv) },
  { op: "Conv2DBackpropInput", run: convTransposed },
  ...["FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"].map((op) => ({ op, run: batchNorm })),
  { op: "MaxPool", run: pooling("max") },
  { op: "AvgPool", run: pooling("mean") },
  { op: "Reshape", run: (n) => n.input(0).reshape(n.numbers(1)) },
  { op: "Squeeze", run: squeeze },
  { op: "ExpandDims", run: (n) => n.input(0).expandDims(n.axis(n.numbers(1)[0], n.input(0).ndim + 1)) },
  { op: "Transpose", run: (n) => n.input(0).transpose(n.numbers(1)) },
  {
    op: "ConcatV2",
    run: (n) => ops.concat(n.inputs.slice(0, -1), n.axis(n.numbers(n.inputs.length - 1)[0], n.input(0).ndim)),
  },
  { op: "Pack", run: (n) => ops.stack([...n.inputs], n.axis(n.int("axis", 0), n.input(0).ndim + 1)) },
  { op: "Unpack", run: (n) => ops.unstack(n.input(0), n.axis(n.int("axis", 0), n.input(0).ndim)) },
  ...["Pad", "PadV2", "MirrorPad"].map((op) => ({ op, run: pad })),
  { op: "StridedSlice", run: stridedSlice },
  { op: "Slice", run: slice },
  ...["Split", "SplitV"].map((op) => ({ op, run: split })),
  ...["GatherV2", "Gather"].map((op) => ({ op, run: gather })),
  { op: "Tile", run: (n) => ops.tile(n.input(0), n.numbers(1)) },
  { op: "Fill", run: filled },
  {
    op: "Range",
    run: (n) => ops.arange(n.numbers(0)[0], n.numbers(1)[0], n.numbers(2)[0], { dtype: n.input(0).dtype }),
  },
  { op: "Cast", run: (n) => n.input(0).cast(n.dtype("DstT")) },
  { op: "ArgMax", run: extreme((x, axis) => x.argmax(axis)) },
  { op: "ArgMin", run: extreme((x, axis) => x.argmin(axis)) },
  { op: "ResizeBilinear", run: resize("bilinear") },
  { op: "ResizeNearestNeighbor", run: resize("nearest") },
  { op: "Einsum", run: (n) => ops.einsum(n.text("equation", ""), ...n.inputs) },
];
