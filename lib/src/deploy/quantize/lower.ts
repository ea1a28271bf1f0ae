/**
 * Quantized layers on whole numbers: where a convolution or a product reads dequantized numbers of 8 bits on both sides, one op
 * computes it on these, with bias, activation and the next layer's quantizing. Sums are exact; what stood between was
 * floating-point arithmetic on the same numbers.
 */
import type { Tensor } from "../../core/tensor.js";
import { GraphEditor } from "../../ir/edit.js";
import type { Graph, GraphNode, Value } from "../../ir/graph.js";
import { runPasses } from "../../ir/passes/index.js";
import type { ConvAttrs } from "../../ops/conv.js";
import { tensor } from "../../ops/convert.js";
import {
  packWeights,
  type QuantizedAttrs,
  quantizedConv2dOp,
  quantizedMatmulOp,
  type Requantize,
} from "../../ops/quantized.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { outsideScopes } from "../../runtime/tidy.js";

/** A graph on whole numbers, and how many layers are. */
export interface Lowered {
  readonly graph: Graph;
  readonly layers: number;
}

/** Numbers of 8 bits behind a dequantized value. */
interface Whole {
  readonly value: Value;
  readonly scale: DenseTensor;
  readonly zero: DenseTensor | null;
}

/** A layer, what follows it, and the value that the op gives in the end. */
interface Layer {
  readonly node: GraphNode;
  readonly x: Whole;
  readonly w: Whole;
  readonly bias: readonly number[] | null;
  readonly least: number | null;
  readonly most: number | null;
  readonly output: Requantize | null;
  readonly end: Value;
}

/**
 * Convolutions of one group, and products with a matrix, whose operands are dequantized: x by one scale, weights (constant,
 * symmetric) by one or by one for each channel. Others stay as they are.
 * @example deploy.lowerQuantized(deploy.quantize(new nn.Dense(8, 4), [ones([2, 8])], { samples: [[ones([2, 8])]] }).graph).layers // 1
 */
export function lowerQuantized(graph: Graph): Lowered {
  const reader = new Reader(graph);
  const layers = graph.nodes.flatMap((node) => reader.layer(node) ?? []);
  const byEnd = new Map(layers.map((layer) => [graph.producer(layer.end) as GraphNode, layer]));
  const editor = new GraphEditor(graph);
  for (const node of graph.nodes) {
    const layer = byEnd.get(node);
    if (layer)
      editor.replace(
        layer.end,
        outsideScopes(() => emitted(editor, reader, layer)),
      );
    else editor.push(editor.current(node));
  }
  return { graph: runPasses(editor.finish(), ["dce"]), layers: layers.length };
}

class Reader {
  private readonly constants: ReadonlyMap<Value, DenseTensor>;
  private readonly results: ReadonlySet<Value>;

  constructor(private readonly graph: Graph) {
    this.constants = new Map(graph.constants.map(({ value, data }) => [value, data]));
    this.results = new Set(graph.results);
  }

  constant(value: Value): DenseTensor | null {
    return this.constants.get(value) ?? null;
  }

  layer(node: GraphNode): Layer | null {
    const conv = node.op.name === "conv2d";
    if (!conv && node.op.name !== "matmul") return null;
    if (conv && (node.attrs as ConvAttrs).groups !== 1) return null;
    const [x, w] = node.inputs.map((input) => this.dequantized(input));
    if (!x || !w || x.scale.size !== 1 || (x.zero && x.zero.size !== 1) || x.value.shape.length < 2)
      return null;
    const count = w.value.shape[conv ? 0 : w.value.shape.length - 1];
    const symmetric = w.zero === null || Array.from(w.zero.toTypedArray()).every((z) => z === 0);
    const weight = this.constant(w.value)?.dtype === "int8" && (conv || w.value.shape.length === 2);
    if (!symmetric || !weight || !perChannel(w.scale, count, conv ? [count, 1, 1, 1] : [1, count]))
      return null;
    return this.followed({
      node,
      x,
      w,
      bias: null,
      least: null,
      most: null,
      output: null,
      end: node.outputs[0],
    });
  }

  /** (cast(q) − zero) · scale, the zero perhaps left out. */
  private dequantized(value: Value): Whole | null {
    const [product, scale] = this.binary(value, "mul") ?? [];
    if (!product || !scale) return null;
    const centred = this.binary(product, "sub");
    const cast = this.graph.producer(centred?.[0] ?? product);
    const from = cast?.inputs[0];
    if (cast?.op.name !== "cast" || !from || (from.dtype !== "int8" && from.dtype !== "uint8")) return null;
    return { value: from, scale, zero: centred?.[1] ?? null };
  }

  /** The operands of an op whose second one is constant. */
  private binary(value: Value, name: string): readonly [Value, DenseTensor] | null {
    const node = this.graph.producer(value);
    if (node?.op.name !== name) return null;
    const data = this.constant(node.inputs[1]);
    return data && [node.inputs[0], data];
  }

  /** What alone reads a value; `null` where it is read by several, or is a result. */
  private reader(value: Value): GraphNode | null {
    const users = this.graph.users(value);
    return users.length === 1 && !this.results.has(value) ? users[0] : null;
  }

  private followed(layer: Layer): Layer {
    return this.withOutput(this.withActivation(this.withBias(layer)));
  }

  private withBias(layer: Layer): Layer {
    const next = this.reader(layer.end);
    const data =
      next?.op.name === "add" && next.inputs[0] === layer.end ? this.constant(next.inputs[1]) : null;
    const [y] = layer.node.outputs;
    const conv = layer.node.op.name === "conv2d";
    const count = y.shape[conv ? 1 : y.shape.length - 1];
    if (!next || !data || next.outputs[0].shape.length !== y.shape.length) return layer;
    if (!perChannel(data, count, conv ? [count, 1, 1] : [count])) return layer;
    return { ...layer, bias: spread(data, count), end: next.outputs[0] };
  }

  private withActivation(layer: Layer): Layer {
    const next = this.reader(layer.end);
    const limits = next && ACTIVATIONS[next.op.name]?.(next.attrs as Limits);
    return next && limits ? { ...layer, least: limits[0], most: limits[1], end: next.outputs[0] } : layer;
  }

  /** cast(clip(round(y / scale) + zero)) behind it, and nothing else. */
  private withOutput(layer: Layer): Layer {
    const chain: GraphNode[] = [];
    let value = layer.end;
    for (const name of ["div", "round", "add", "clip", "cast"]) {
      const next = this.reader(value);
      if (next?.op.name !== name || next.inputs[0] !== value) return layer;
      chain.push(next);
      value = next.outputs[0];
    }
    const [scale, zero] = [this.constant(chain[0].inputs[1]), this.constant(chain[2].inputs[1])];
    const { low, high } = chain[3].attrs as { low: number; high: number };
    const { dtype } = value;
    if (scale?.size !== 1 || zero?.size !== 1 || (dtype !== "int8" && dtype !== "uint8")) return layer;
    return { ...layer, output: { dtype, scale: scale.item(), zero: zero.item(), low, high }, end: value };
  }
}

type Limits = { readonly low: number | null; readonly high: number | null };

const ACTIVATIONS: Readonly<Record<string, (attrs: Limits) => readonly [number | null, number | null]>> = {
  relu: () => [0, null],
  relu6: () => [0, 6],
  clip: ({ low, high }) => [finite(low), finite(high)],
};

const finite = (limit: number | null): number | null =>
  limit === null || !Number.isFinite(limit) ? null : limit;

/** One number, or one for each channel, lying along this shape (more axes of size 1 in front do no harm). */
function perChannel(data: Tensor, count: number, shape: readonly number[]): boolean {
  if (data.size === 1) return true;
  const dims = data.shape.slice(-shape.length);
  const lead = data.shape.slice(0, -shape.length);
  const wanted = shape.slice(-dims.length);
  return data.size === count && lead.every((dim) => dim === 1) && dims.every((dim, i) => dim === wanted[i]);
}

function spread(data: Tensor, count: number): number[] {
  const values = Array.from(data.toTypedArray());
  return values.length === count ? values : new Array<number>(count).fill(values[0]);
}

/** The op of a layer. */
function emitted(editor: GraphEditor, reader: Reader, layer: Layer): Value {
  const { node, x, w, bias, least, most, output } = layer;
  const conv = node.op.name === "conv2d";
  const weight = reader.constant(w.value) as DenseTensor;
  const count = weight.shape[conv ? 0 : 1];
  const filters = conv ? weight : weight.transpose([1, 0]).reshape([count, -1, 1, 1]);
  const constant = (data: Tensor): Value => editor.constant(data as DenseTensor);
  const [step] = x.scale.toTypedArray();
  const operands = [
    editor.now(x.value),
    constant(packWeights(filters)),
    constant(filters.cast("int32").sum([1, 2, 3]).cast("int32")),
    constant(
      tensor(
        spread(w.scale, count).map((scale) => Math.fround(scale * step)),
        { dtype: "float32" },
      ),
    ),
    constant(tensor(bias ?? new Array<number>(count).fill(0), { dtype: "float32" })),
  ];
  const attrs: QuantizedAttrs = { zero: x.zero?.item() ?? 0, least, most, output };
  if (!conv) return editor.emit(quantizedMatmulOp.name, operands, { ...attrs, columns: count }, node.loc)[0];
  const { stride, padding, dilation } = node.attrs as ConvAttrs;
  const [, , kh, kw] = weight.shape;
  const more = { filters: count, kernel: [kh, kw], stride, padding, dilation };
  return editor.emit(quantizedConv2dOp.name, operands, { ...attrs, ...more }, node.loc)[0];
}
