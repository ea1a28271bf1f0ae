/** Weights as whole numbers: a scale per tensor, per channel, or per group of neighbours; two of 4 bits share a byte. */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import type { GraphEditor } from "../../ir/edit.js";
import type { Value } from "../../ir/graph.js";
import type { DenseTensor } from "../../runtime/dense.js";
import { outsideScopes } from "../../runtime/tidy.js";
import type { Target } from "./layer.js";
import { dequantized } from "./nodes.js";
import { dequantizeTensor, quantizeTensor, quantParams, type Range, type Scheme } from "./scheme.js";

export interface WeightOptions extends Scheme {
  /** A scale for each filter, or each column. Default true. */
  readonly perChannel?: boolean;
  /** Weights alone: so many neighbours along what is summed share a scale, where they fill it. Default: all. */
  readonly group?: number;
  /** Scales that keep each channel's deviation, and shifts that keep its mean (ŵ ← ζ(ŵ + u)). Default false. */
  readonly correction?: boolean;
}

export interface QuantizedWeight {
  readonly signalToNoise: number;
  /** Writes the weight, dequantized, into a graph. */
  readonly emit: (editor: GraphEditor) => Value;
}

/** The axis of a weight that is not summed over: filters of a convolution, columns of a product. */
const channelsOf = ({ node, weight }: Target): number =>
  node.op.name === "conv2d" ? 0 : weight.shape.length - 1;

/** Least and greatest elements over some axes, in the order of the others. */
function rangesOf(w: Tensor, axes: readonly number[]): Range[] {
  const [least, most] = [w.min(axes), w.max(axes)].map((x) => Array.from(x.toTypedArray()));
  return least.map((from, i): Range => [from, most[i]]);
}

function decibels(w: Tensor, found: Tensor): number {
  const noise = found.sub(w).square().sum().item();
  return noise === 0 ? Infinity : 10 * Math.log10(w.square().sum().item() / noise);
}

const kept = (make: () => Tensor[]): DenseTensor[] => outsideScopes(make) as DenseTensor[];

/** For layers whose input is quantized too. */
export function quantizedWeight(target: Target, options: WeightOptions): QuantizedWeight {
  const { perChannel = true, bits = 8, symmetric = true, correction = false } = options;
  const { weight: w } = target;
  const channel = channelsOf(target);
  const axes = w.shape.flatMap((_, i) => (perChannel && i === channel ? [] : [i]));
  const shape = perChannel ? w.shape.map((dim, i) => (i === channel ? dim : 1)) : [];
  const params = quantParams(rangesOf(w, axes), shape, { bits, symmetric });
  const [q] = kept(() => [quantizeTensor(w, params)]);
  const plain = dequantizeTensor(q, params);
  if (!correction)
    return {
      signalToNoise: decibels(w, plain),
      emit: (editor) => dequantized(editor, editor.constant(q), params),
    };
  // per channel: ζ keeps the deviation, u the mean
  const over = w.shape.flatMap((_, i) => (i === channel ? [] : [i]));
  const deviation = (x: Tensor): Tensor => x.std(over, true).add(1e-12);
  const zeta = deviation(w).div(deviation(plain));
  const [scale, shift] = kept(() => {
    const factor = params.scale.mul(zeta);
    return [factor, w.mean(over, true).sub(plain.mul(zeta).mean(over, true))];
  });
  const corrected = { ...params, scale };
  return {
    signalToNoise: decibels(w, plain.mul(zeta).add(shift)),
    emit: (editor) =>
      editor.emit("add", [dequantized(editor, editor.constant(q), corrected), editor.constant(shift)])[0],
  };
}

/**
 * For weights alone: groups of `group` neighbours along what is summed, symmetric; of 4 bits and fewer two to a byte.
 * Where groups don't fill what is summed, as in small filters, a channel is one.
 * @throws ValueError for a size that is none, and for corrections, which need samples.
 */
export function packedWeight(target: Target, options: WeightOptions): QuantizedWeight {
  const { bits = 8, symmetric = true } = options;
  const { weight: w, node } = target;
  const conv = node.op.name === "conv2d";
  const [channels, summed] = conv ? [w.shape[0], w.size / w.shape[0]] : [w.shape[1], w.shape[0]];
  const wanted = options.group ?? summed;
  if (!Number.isInteger(wanted) || wanted < 1)
    throw new ValueError(`quantize: ${wanted} is no size of a group`);
  if (options.correction)
    throw new ValueError("quantize: weights alone are not corrected; give samples, for activations");
  const group = summed % wanted === 0 ? wanted : summed; // small filters: a scale per channel
  // rows of groups: (channels · groups, group)
  const rows = (conv ? w.reshape([channels, summed]) : w.transpose([1, 0])).reshape([-1, group]);
  const params = quantParams(rangesOf(rows, [1]), [rows.shape[0], 1], { bits, symmetric });
  const [q] = kept(() => [quantizeTensor(rows, params)]);
  const plain = dequantizeTensor(q, params);
  const back = (editor: GraphEditor, flat: Value): Value => {
    const reshape = (x: Value, shape: readonly number[]): Value => editor.emit("reshape", [x], { shape })[0];
    if (conv) return reshape(flat, w.shape);
    return editor.emit("transpose", [reshape(flat, [channels, summed])], { axes: [1, 0] })[0];
  };
  const signalToNoise = decibels(rows, plain);
  if (bits > 4 || q.size % 2 !== 0)
    return { signalToNoise, emit: (editor) => back(editor, dequantized(editor, editor.constant(q), params)) };
  // symmetric numbers are moved to 0 … 2ᵇ − 1, so that a nibble holds them
  const [bytes, zero] = kept(() => {
    const lifted = q
      .cast("int32")
      .add(symmetric ? -params.low : 0)
      .reshape([-1, 2]);
    const [first, second] = [lifted.slice([null, null], 0), lifted.slice([null, null], 1)];
    const origin = params.zero.cast("int32").add(symmetric ? -params.low : 0);
    return [first.add(second.mul(16)).cast("uint8"), origin.cast("uint8")];
  });
  const nibbles = { ...params, zero, dtype: "uint8" as const };
  return {
    signalToNoise,
    emit: (editor) => {
      const one = (op: string, inputs: Value[], attrs: object = {}): Value =>
        editor.emit(op, inputs, attrs)[0];
      const packed = editor.constant(bytes);
      const low = one("bitwiseAnd", [packed, editor.scalar(15, "uint8")]);
      const high = one("rightShift", [packed, editor.scalar(4, "uint8")]);
      const column = (x: Value): Value => one("reshape", [x], { shape: [bytes.size, 1] });
      const both = one("concat", [column(low), column(high)], { axis: 1 });
      const values = one("reshape", [both], { shape: rows.shape });
      return back(editor, dequantized(editor, values, nibbles));
    },
  };
}
