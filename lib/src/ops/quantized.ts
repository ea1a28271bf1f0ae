/**
 * Convolutions and products of whole numbers of 8 bits, with what follows them in one op: int32 sums, scale, bias, limits of an
 * activation, and quantizing for the next layer. Forward alone: they stand in graphs that quantization made. Weights come
 * packed, so that kernels find four neighbours of a sum in one word and sixteen channels side by side. (Book, chapter 8.)
 */
import { DTypeError, ShapeError } from "../core/errors.js";
import { formatShape, type TensorType } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import type { HostArray } from "../runtime/host-array.js";
import { type ConvAttrs, windowCount } from "./conv.js";
import { defineOp, NOT_DIFFERENTIABLE, type OpDef, type OpSample } from "./registry.js";
import { loopedBatch } from "./rules.js";
import { pad } from "./shape.js";

/** How a result becomes whole numbers: clip(round(y · (1/scale)) + zero, low, high), halves to even. */
export interface Requantize {
  readonly dtype: "int8" | "uint8";
  readonly scale: number;
  readonly zero: number;
  readonly low: number;
  readonly high: number;
}

export interface QuantizedAttrs {
  /** Zero point of x. */
  readonly zero: number;
  /** Limits of the activation behind the bias; `null`: none. */
  readonly least: number | null;
  readonly most: number | null;
  /** `null`: the result stays in floating point. */
  readonly output: Requantize | null;
}

export interface QuantizedMatmulAttrs extends QuantizedAttrs {
  /** Columns of the weight. */
  readonly columns: number;
}

export interface QuantizedConvAttrs extends QuantizedAttrs, Omit<ConvAttrs, "groups" | "algorithm"> {
  readonly filters: number;
  readonly kernel: readonly [number, number];
}

/** Channels of a panel of packed weights, and neighbours of a sum in a word. */
export const PANEL = 16;
export const GROUP = 4;

/**
 * Filters (O, I, kH, kW), or a weight (I, O) seen as filters of 1×1, packed: [O/16][taps][I/4][16][4], zeros where it ends.
 * @param w int8 (O, I, kH, kW)
 */
export function packWeights(w: Tensor): Tensor {
  const [filters, channels, kh, kw] = w.shape;
  const up = (n: number, by: number): number => Math.ceil(n / by) * by;
  const [panels, groups] = [up(filters, PANEL) / PANEL, up(channels, GROUP) / GROUP];
  const wide = pad(w.transpose([0, 2, 3, 1]), [
    [0, panels * PANEL - filters],
    [0, 0],
    [0, 0],
    [0, groups * GROUP - channels],
  ]);
  const parts = wide.reshape([panels, PANEL, kh * kw, groups, GROUP]).transpose([0, 2, 3, 1, 4]);
  return parts.reshape([-1]).reshape(parts.shape); // moved once, not at each call
}

/** Checks the operands behind x: packed weights, their sums, scales and biases of each channel. */
function checkOperands(
  op: string,
  inputs: readonly TensorType[],
  packed: readonly number[],
  count: number,
): void {
  const [x, w, sums, scale, bias] = inputs;
  if ((x.dtype !== "uint8" && x.dtype !== "int8") || w.dtype !== "int8" || sums.dtype !== "int32")
    throw new DTypeError(
      `${op}: x of 8 bits, int8 weights and int32 sums wanted, got ${x.dtype}, ${w.dtype} and ${sums.dtype}`,
    );
  const fits = w.shape.length === 5 && packed.every((dim, i) => w.shape[i] === dim);
  if (!fits)
    throw new ShapeError(`${op}: packed weights ${formatShape(packed)} wanted, got ${formatShape(w.shape)}`);
  for (const each of [sums, scale, bias])
    if (each.shape.length !== 1 || each.shape[0] !== count)
      throw new ShapeError(`${op}: ${count} sums, scales and biases wanted, got ${formatShape(each.shape)}`);
}

const panelShape = (count: number, taps: number, channels: number): readonly number[] => [
  ...[Math.ceil(count / PANEL), taps, Math.ceil(channels / GROUP), PANEL, GROUP],
];

/** From an exact sum to the element: in the arithmetic of the scale's dtype, rounded at each step. */
export function finisher(
  [, , , scale, bias]: readonly HostArray[],
  { least, most, output }: QuantizedAttrs,
): (sum: number, channel: number) => number {
  const rounded = scale.dtype === "float64" ? (v: number): number => v : Math.fround;
  const at = (array: HostArray, i: number): number => array.data[array.offset + i * array.strides[0]];
  return (sum, channel) => {
    let y = rounded(rounded(rounded(sum) * at(scale, channel)) + at(bias, channel));
    if (least !== null) y = Math.max(y, least);
    if (most !== null) y = Math.min(y, most);
    if (!output) return y;
    const { scale: step, zero, low, high } = output;
    return Math.min(high, Math.max(low, toEven(rounded(y * rounded(1 / step))) + zero));
  };
}

function toEven(x: number): number {
  const floor = Math.floor(x);
  const rest = x - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Reads the packed weight of a channel, a tap and a place along the sum. */
function weightOf(w: HostArray): (channel: number, tap: number, k: number) => number {
  const [p, t, g, c, i] = w.strides;
  return (channel, tap, k) =>
    w.data[
      w.offset +
        Math.floor(channel / PANEL) * p +
        tap * t +
        Math.floor(k / GROUP) * g +
        (channel % PANEL) * c +
        (k % GROUP) * i
    ];
}

const plain = { zero: 3, least: null, most: null, output: null };
const requantized = {
  ...{ zero: 0, least: 0, most: 6 },
  output: { dtype: "uint8", scale: 0.02, zero: 5, low: 0, high: 255 },
} as const;
const DTYPES = ["uint8", "int8", "int32", "float32", "float32"] as const;

const convSample = (attrs: QuantizedConvAttrs, x: readonly number[]): OpSample<QuantizedConvAttrs> => ({
  shapes: [
    x,
    panelShape(attrs.filters, attrs.kernel[0] * attrs.kernel[1], x[1]),
    ...[0, 1, 2].map(() => [attrs.filters]),
  ],
  dtypes: attrs.zero === 0 ? ["int8", ...DTYPES.slice(1)] : DTYPES,
  ranges: [attrs.zero === 0 ? [-9, 9] : [0, 9], [-9, 9], [0, 1], [0.01, 0.1], [-1, 1]],
  attrs,
});

export const quantizedConv2dOp: OpDef<QuantizedConvAttrs> = defineOp<QuantizedConvAttrs>({
  name: "quantizedConv2d",
  kind: "contraction",
  type: (inputs, attrs) => {
    const [x, , , scale] = inputs;
    const { kernel, stride, padding, dilation, filters, output } = attrs;
    if (x.shape.length !== 4)
      throw new ShapeError(`quantizedConv2d: images (N, C, H, W) wanted, got ${formatShape(x.shape)}`);
    checkOperands("quantizedConv2d", inputs, panelShape(filters, kernel[0] * kernel[1], x.shape[1]), filters);
    const size = [0, 1].map((i) =>
      windowCount(x.shape[2 + i], kernel[i], stride[i], padding[i], dilation[i]),
    );
    if (size.some((n) => n <= 0))
      throw new ShapeError(
        `quantizedConv2d: filters of ${kernel.join("×")} are larger than the padded images ${formatShape(x.shape)}`,
      );
    return [{ shape: [x.shape[0], filters, ...size], dtype: output?.dtype ?? scale.dtype }];
  },
  reference: (inputs, [y], attrs) => {
    const [x, w] = inputs;
    const [n, channels, height, width] = x.shape;
    const [, filters, oh, ow] = y.shape;
    const { kernel, stride, padding, dilation, zero } = attrs;
    const [finish, weight] = [finisher(inputs, attrs), weightOf(w)];
    let at = y.offset;
    for (let b = 0; b < n; b++)
      for (let f = 0; f < filters; f++)
        for (let r = 0; r < oh; r++)
          for (let c = 0; c < ow; c++) {
            let sum = 0;
            for (let p = 0; p < kernel[0]; p++) {
              const row = r * stride[0] + p * dilation[0] - padding[0][0];
              if (row < 0 || row >= height) continue;
              for (let q = 0; q < kernel[1]; q++) {
                const column = c * stride[1] + q * dilation[1] - padding[1][0];
                if (column < 0 || column >= width) continue;
                const from = x.offset + b * x.strides[0] + row * x.strides[2] + column * x.strides[3];
                for (let i = 0; i < channels; i++)
                  sum += (x.data[from + i * x.strides[1]] - zero) * weight(f, p * kernel[1] + q, i);
              }
            }
            y.data[at++] = finish(sum, f);
          }
  },
  vjp: NOT_DIFFERENTIABLE,
  jvp: NOT_DIFFERENTIABLE,
  batch: loopedBatch(() => quantizedConv2dOp),
  samples: [
    convSample(
      {
        ...plain,
        filters: 3,
        kernel: [3, 2],
        stride: [1, 2],
        padding: [
          [1, 1],
          [0, 1],
        ],
        dilation: [1, 1],
      },
      [2, 5, 4, 6],
    ),
    convSample(
      {
        ...requantized,
        filters: 17,
        kernel: [1, 1],
        stride: [1, 1],
        padding: [
          [0, 0],
          [0, 0],
        ],
        dilation: [1, 1],
      },
      [1, 4, 3, 3],
    ),
  ],
});

export const quantizedMatmulOp: OpDef<QuantizedMatmulAttrs> = defineOp<QuantizedMatmulAttrs>({
  name: "quantizedMatmul",
  kind: "contraction",
  type: (inputs, { columns, output }) => {
    const [x, , , scale] = inputs;
    if (x.shape.length < 1)
      throw new ShapeError(`quantizedMatmul: rows (…, K) wanted, got ${formatShape(x.shape)}`);
    const lead = x.shape.slice(0, -1);
    checkOperands("quantizedMatmul", inputs, panelShape(columns, 1, x.shape[lead.length]), columns);
    return [{ shape: [...lead, columns], dtype: output?.dtype ?? scale.dtype }];
  },
  reference: (inputs, [y], attrs) => {
    const [x, w] = inputs;
    const rank = x.shape.length;
    const depth = x.shape[rank - 1];
    const [finish, weight] = [finisher(inputs, attrs), weightOf(w)];
    const rows = y.data.length === 0 ? 0 : y.shape.slice(0, -1).reduce((n, dim) => n * dim, 1);
    const index = new Array<number>(rank - 1).fill(0);
    let at = y.offset;
    for (let row = 0; row < rows; row++) {
      const from = index.reduce((sum, i, d) => sum + i * x.strides[d], x.offset);
      for (let column = 0; column < attrs.columns; column++) {
        let sum = 0;
        for (let k = 0; k < depth; k++)
          sum += (x.data[from + k * x.strides[rank - 1]] - attrs.zero) * weight(column, 0, k);
        y.data[at++] = finish(sum, column);
      }
      for (let d = rank - 2; d >= 0 && ++index[d] === x.shape[d]; d--) index[d] = 0;
    }
  },
  vjp: NOT_DIFFERENTIABLE,
  jvp: NOT_DIFFERENTIABLE,
  batch: loopedBatch(() => quantizedMatmulOp),
  samples: [
    {
      shapes: [[2, 3, 6], panelShape(5, 1, 6), [5], [5], [5]],
      dtypes: DTYPES,
      ranges: [
        [0, 9],
        [-9, 9],
        [0, 1],
        [0.01, 0.1],
        [-1, 1],
      ],
      attrs: { ...plain, columns: 5 },
    },
    {
      shapes: [[4, 8], panelShape(18, 1, 8), [18], [18], [18]],
      dtypes: ["int8", ...DTYPES.slice(1)],
      ranges: [
        [-9, 9],
        [-9, 9],
        [0, 1],
        [0.01, 0.1],
        [-1, 1],
      ],
      attrs: { ...requantized, columns: 18 },
    },
  ],
});
