/**
 * Memory layouts of images: where element (n, c, h, w) lies. (Book, chapter 5: NCHW, NHWC, and blocked layouts, oneDNN's
 * nChw8c and nChw16c, Ascend's 5HD with blocks of 16 channels.)
 */
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { asTensor, type TensorLike } from "../../ops/convert.js";
import { pad } from "../../ops/shape.js";

export type ImageLayout = "NCHW" | "NHWC" | "nChw8c" | "nChw16c" | "5HD";

/** Channels that lie side by side in blocked layouts. */
const BLOCK: Readonly<Partial<Record<ImageLayout, number>>> = { nChw8c: 8, nChw16c: 16, "5HD": 16 };

const LAYOUTS: readonly string[] = ["NCHW", "NHWC", ...Object.keys(BLOCK)];

/**
 * Position of element (n, c, h, w) of images (N, C, H, W), in elements.
 * NCHW: n·CHW + c·HW + h·W + w. NHWC: n·HWC + h·WC + w·C + c. Blocked by B: ((n·⌈C/B⌉ + ⌊c/B⌋)·HW + h·W + w)·B + c mod B.
 * @throws ValueError for an unknown layout.
 * @example compiler.imageOffset("NHWC", [8, 3, 32, 32], [1, 2, 0, 1]) // 3077
 */
export function imageOffset(
  layout: ImageLayout,
  [, C, H, W]: readonly [number, number, number, number],
  [n, c, h, w]: readonly [number, number, number, number],
): number {
  const block = blockOf(layout);
  if (layout === "NCHW") return ((n * C + c) * H + h) * W + w;
  if (layout === "NHWC") return ((n * H + h) * W + w) * C + c;
  return (((n * Math.ceil(C / block) + Math.floor(c / block)) * H + h) * W + w) * block + (c % block);
}

/**
 * The elements in another layout: (N, H, W, C), or (N, ⌈C/B⌉, H, W, B) with zeros for channels that fill up a block.
 * @param channels C, which a blocked tensor alone does not tell; default: all that there are
 * @throws ShapeError for a tensor that does not have that layout's axes.
 * @example compiler.toImageLayout(ones([2, 16, 5, 4]), "NCHW", "nChw8c").shape // [2, 2, 5, 4, 8]
 */
export function toImageLayout(x: TensorLike, from: ImageLayout, to: ImageLayout, channels?: number): Tensor {
  const t = asTensor(x);
  const [a, b] = [blockOf(from), blockOf(to)];
  const rank = a > 1 ? 5 : 4;
  if (t.ndim !== rank)
    throw new ShapeError(`toImageLayout: ${from} has ${rank} axes, the tensor is ${formatShape(t.shape)}`);
  if (from === to || (a > 1 && a === b)) return t;
  return fromPlanar(planar(t, from, a, channels), to, b);
}

function planar(t: Tensor, from: ImageLayout, block: number, channels: number | undefined): Tensor {
  if (from === "NCHW") return t;
  if (from === "NHWC") return t.transpose([0, 3, 1, 2]);
  const [n, blocks, h, w] = t.shape;
  const all = t.transpose([0, 1, 4, 2, 3]).reshape([n, blocks * block, h, w]);
  const wanted = channels ?? blocks * block;
  return wanted === blocks * block ? all : all.slice(":", [0, wanted]);
}

function fromPlanar(t: Tensor, to: ImageLayout, block: number): Tensor {
  if (to === "NCHW") return t;
  if (to === "NHWC") return t.transpose([0, 2, 3, 1]);
  const [n, c, h, w] = t.shape;
  const blocks = Math.ceil(c / block);
  const filling = [
    [0, 0],
    [0, blocks * block - c],
    [0, 0],
    [0, 0],
  ] as const;
  const filled = blocks * block === c ? t : pad(t, filling);
  return filled.reshape([n, blocks, block, h, w]).transpose([0, 1, 3, 4, 2]);
}

function blockOf(layout: ImageLayout): number {
  if (!LAYOUTS.includes(layout))
    throw new ValueError(`unknown layout "${layout}"; there are ${LAYOUTS.join(", ")}`);
  return BLOCK[layout] ?? 1;
}
