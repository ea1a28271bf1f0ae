/** Convolutions and pooling, over one or two spatial axes. */
import type { Tensor } from "../../../core/tensor.js";
import { apply } from "../../../ops/bind.js";
import { conv2dInputGradOp, conv2dOp, windowCount } from "../../../ops/conv.js";
import * as ops from "../../../ops/index.js";
import { OnnxError } from "../schema.js";
import type { ImportRow, RowContext } from "./row.js";
import { window } from "./shapes.js";

type Pair = [number, number];

/** What the attributes say, per spatial axis; a single axis gets one of size 1 in front. */
interface Windows {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly padding: [Pair, Pair];
}

/** Gives (N, C, L) images a height of 1. @throws OnnxError for other ranks. */
function asImages(x: Tensor): Tensor {
  if (x.ndim === 4) return x;
  if (x.ndim === 3) return x.expandDims(2);
  throw new OnnxError(`${x.type}: one or two spatial axes are supported, it has ${x.ndim - 2}`);
}

function windowsOf(c: RowContext, x: Tensor, kernel: readonly number[]): Windows {
  const { attributes } = c;
  const rank = x.ndim - 2;
  const pair = (values: readonly number[], before: number): Pair =>
    (rank === 1 ? [before, values[0]] : [values[0], values[1]]) as Pair;
  const stride = attributes.ints("strides") ?? kernel.map(() => 1);
  const dilation = attributes.ints("dilations") ?? kernel.map(() => 1);
  for (const [name, list] of Object.entries({ kernel_shape: kernel, strides: stride, dilations: dilation }))
    if (list.length !== rank || !list.every((n) => Number.isInteger(n) && n >= 1))
      throw new OnnxError(`${name} is [${list.slice(0, 8)}] for ${rank} spatial axes`);
  const pads = padsOf(c, x.shape.slice(2), kernel, stride, dilation);
  const [first, second] = [0, 1].map((i): Pair => [pads[i] ?? 0, pads[rank + i] ?? 0]);
  c.room(x.shape.map((dim, i) => (i < 2 ? dim : dim + pads[i - 2] + pads[rank + i - 2])));
  return {
    kernel: pair(kernel, 1),
    stride: pair(stride, 1),
    dilation: pair(dilation, 1),
    padding: rank === 1 ? [[0, 0], first] : [first, second],
  };
}

function padsOf(
  c: RowContext,
  sizes: readonly number[],
  kernel: readonly number[],
  stride: readonly number[],
  dilation: readonly number[],
): number[] {
  const auto = c.attributes.string("auto_pad", "NOTSET");
  if (auto === "NOTSET" || auto === "") {
    const pads = c.attributes.ints("pads") ?? kernel.flatMap(() => [0, 0]);
    if (pads.length !== 2 * kernel.length || pads.some((n) => n < 0))
      throw new OnnxError(`pads are [${pads.slice(0, 8)}] for ${kernel.length} spatial axes`);
    return pads;
  }
  if (auto === "VALID") return kernel.flatMap(() => [0, 0]);
  if (auto !== "SAME_UPPER" && auto !== "SAME_LOWER") throw new OnnxError(`auto_pad is "${auto}"`);
  const total = sizes.map((size, i) =>
    Math.max(0, (Math.ceil(size / stride[i]) - 1) * stride[i] + (kernel[i] - 1) * dilation[i] + 1 - size),
  );
  const less = total.map((n) => Math.floor(n / 2));
  const more = total.map((n) => Math.ceil(n / 2));
  return auto === "SAME_UPPER" ? [...less, ...more] : [...more, ...less];
}

function withBias(c: RowContext, y: Tensor): Tensor {
  const bias = c.optional(2);
  return bias ? y.add(bias.reshape([1, bias.size, 1, 1])) : y;
}

const likeInput = (y: Tensor, x: Tensor): Tensor => (x.ndim === 3 ? y.squeeze(2) : y);

function conv(c: RowContext): Tensor {
  const [x, w] = [c.input(0), c.input(1)];
  const images = asImages(x);
  const { stride, dilation, padding } = windowsOf(c, x, w.shape.slice(2));
  const groups = c.attributes.int("group", 1);
  const y = apply(conv2dOp, [images, asImages(w)], { stride, dilation, padding, groups });
  return likeInput(withBias(c, y), x);
}

function convTranspose(c: RowContext): Tensor {
  const [x, w] = [c.input(0), c.input(1)];
  const images = asImages(x);
  const filters = asImages(w);
  const found = windowsOf(c, x, w.shape.slice(2));
  const groups = c.attributes.int("group", 1);
  const rank = x.ndim - 2;
  const both = (list: readonly number[] | null, otherwise: number): number[] =>
    list ? (rank === 1 ? [otherwise, list[0]] : [...list]) : [otherwise, otherwise];
  const extra = both(c.attributes.ints("output_padding"), 0);
  const wanted = c.attributes.ints("output_shape");
  const full = [0, 1].map(
    (i) =>
      found.stride[i] * (images.shape[2 + i] - 1) + extra[i] + (found.kernel[i] - 1) * found.dilation[i] + 1,
  );
  let padding = found.padding;
  let sizes = full.map((size, i) => size - padding[i][0] - padding[i][1]);
  const auto = c.attributes.string("auto_pad", "NOTSET");
  if (wanted || auto.startsWith("SAME")) {
    sizes = wanted ? both(wanted.slice(-rank), 1) : [0, 1].map((i) => images.shape[2 + i] * found.stride[i]);
    padding = full.map((size, i): Pair => {
      const total = Math.max(0, size - sizes[i]);
      const half = auto === "SAME_UPPER" ? Math.floor(total / 2) : Math.ceil(total / 2);
      return [half, total - half];
    }) as [Pair, Pair];
  }
  const shape = c.room([x.shape[0], w.shape[1] * groups, ...sizes]);
  const { stride, dilation } = found;
  const y = apply(conv2dInputGradOp, [images, filters], { stride, dilation, padding, groups, shape });
  return likeInput(withBias(c, y), x);
}

/** Pads of nothing are none: they would cut a pool off from the convolution in front of it. */
function around(images: Tensor, widths: readonly Pair[], value: number): Tensor {
  return widths.flat().some((width) => width > 0)
    ? ops.pad(images, [[0, 0], [0, 0], ...widths], value)
    : images;
}

/** The images with what pooling sees around them: pads, and what rounding up adds behind. */
function padded(c: RowContext, images: Tensor, windows: Windows, value: number, behind = value): Tensor {
  const { kernel, stride, dilation, padding } = windows;
  const y = around(images, padding, value);
  if (c.attributes.int("ceil_mode", 0) === 0) return y;
  const more = [0, 1].map((i): Pair => {
    const size = y.shape[2 + i];
    const reach = (kernel[i] - 1) * dilation[i] + 1;
    let count = Math.ceil((size - reach) / stride[i]) + 1;
    // a window that would start in the padding behind is left out
    if ((count - 1) * stride[i] >= images.shape[2 + i] + padding[i][0]) count--;
    return [0, Math.max(0, (count - 1) * stride[i] + reach - size)];
  });
  return around(y, more, behind);
}

function maxPool(c: RowContext): Tensor {
  if (c.outputs > 1) throw new OnnxError("its second output, Indices, is not supported");
  const x = c.input(0);
  const windows = windowsOf(c, x, c.attributes.ints("kernel_shape") ?? []);
  const images = padded(c, asImages(x), windows, -Infinity);
  const { kernel, stride, dilation } = windows;
  if (dilation.every((n) => n === 1)) return likeInput(ops.maxPool2d(images, kernel, { stride }), x);
  const [rows, columns] = [0, 1].map((i) =>
    windowCount(images.shape[2 + i], kernel[i], stride[i], [0, 0], dilation[i]),
  );
  let best: Tensor | null = null;
  for (let p = 0; p < kernel[0]; p++)
    for (let q = 0; q < kernel[1]; q++) {
      const row = window(images, 2, p * dilation[0], rows, stride[0]);
      const part = window(row, 3, q * dilation[1], columns, stride[1]);
      best = best ? ops.maximum(best, part) : part;
    }
  return likeInput(best as Tensor, x);
}

function averagePool(c: RowContext): Tensor {
  const x = c.input(0);
  const windows = windowsOf(c, x, c.attributes.ints("kernel_shape") ?? []);
  if (windows.dilation.some((n) => n !== 1)) throw new OnnxError(`dilations are ${windows.dilation}`);
  const images = asImages(x);
  const { kernel, stride } = windows;
  const y = ops.avgPool2d(padded(c, images, windows, 0), kernel, { stride });
  // what a mean divides by: elements of the image, with or without the pads
  const inside = ops.ones([1, 1, ...images.shape.slice(2)], { dtype: x.dtype });
  const counted = padded(c, inside, windows, c.attributes.int("count_include_pad", 0) ? 1 : 0, 0);
  const share = ops.avgPool2d(counted, kernel, { stride });
  const whole = Array.from(share.toTypedArray()).every((value) => Math.abs(value - 1) < 1e-6);
  return likeInput(whole ? y : y.div(share), x);
}

const spatial = (x: Tensor): number[] => x.shape.flatMap((_, i) => (i < 2 ? [] : [i]));

export const IMAGES: readonly ImportRow[] = [
  { op: "Conv", run: conv },
  { op: "ConvTranspose", run: convTranspose },
  { op: "MaxPool", run: maxPool },
  { op: "AveragePool", run: averagePool },
  { op: "GlobalAveragePool", run: (c) => c.input(0).mean(spatial(c.input(0)), true) },
  { op: "GlobalMaxPool", run: (c) => c.input(0).max(spatial(c.input(0)), true) },
];
