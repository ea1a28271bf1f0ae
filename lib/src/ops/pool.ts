/** Pooling: windows as overlapping views of the images, reduced over their last two axes. */
import { ShapeError } from "../core/errors.js";
import type { Layout } from "../core/layout.js";
import { formatShape, type Shape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { elementPositions } from "../runtime/host-array.js";
import { apply } from "./bind.js";
import { pair, windowCount } from "./conv.js";
import { asTensor, type TensorLike } from "./convert.js";
import { defineOp, type OpDef } from "./registry.js";
import { batchToFront } from "./rules.js";
import { pad } from "./shape.js";

interface WindowAttrs {
  readonly size: readonly [number, number];
  readonly stride: readonly [number, number];
}

interface FoldAttrs extends WindowAttrs {
  readonly shape: Shape;
}

function windowLayout(x: Layout, { size, stride }: WindowAttrs): Layout {
  const [n, c, h, w] = x.shape;
  const [a, b, p, q] = x.strides;
  const [oh, ow] = [
    windowCount(h, size[0], stride[0], [0, 0], 1),
    windowCount(w, size[1], stride[1], [0, 0], 1),
  ];
  return {
    shape: [n, c, oh, ow, ...size],
    strides: [a, b, p * stride[0], q * stride[1], p, q],
    offset: x.offset,
  };
}

/** Merges the batch axis with the images' own. */
function merged(x: Tensor, axis: number | null): Tensor {
  const front = batchToFront(x, axis);
  return front.reshape([front.shape[0] * front.shape[1], ...front.shape.slice(2)]);
}

const windowsOp: OpDef<WindowAttrs> = defineOp<WindowAttrs>({
  name: "windows2d",
  kind: "view",
  type: ([x], attrs) => {
    if (x.shape.length !== 4)
      throw new ShapeError(`pooling: images (N, C, H, W) wanted, got ${formatShape(x.shape)}`);
    if (x.shape[2] < attrs.size[0] || x.shape[3] < attrs.size[1]) {
      throw new ShapeError(
        `pooling: windows of ${attrs.size.join("×")} do not fit into images ${formatShape(x.shape)}`,
      );
    }
    return [
      {
        shape: windowLayout({ shape: x.shape, strides: [0, 0, 0, 0], offset: 0 }, attrs).shape,
        dtype: x.dtype,
      },
    ];
  },
  view: windowLayout,
  reference: ([x], [out], attrs) => {
    const positions = elementPositions(windowLayout(x, attrs));
    for (let i = 0; i < positions.length; i++) out.data[i] = x.data[positions[i]];
  },
  vjp: ([g], { inputTypes: [x], attrs }) => [g && folded(g, attrs, x.shape)],
  jvp: (_x, [t], _y, attrs) => [t && apply(windowsOp, [t], attrs)],
  batch: ([x], [axis], attrs, size) => {
    const y = apply(windowsOp, [merged(x, axis)], attrs);
    return { outputs: [y.reshape([size, -1, ...y.shape.slice(1)])], axes: [0] };
  },
  samples: [{ shapes: [[1, 2, 4, 5]], attrs: { size: [2, 3], stride: [2, 1] } }],
});

/** The sum, at each place of the images, of what the windows have there. */
function folded(g: Tensor, { size, stride }: WindowAttrs, shape: Shape): Tensor {
  if (size[0] !== stride[0] || size[1] !== stride[1]) return apply(foldOp, [g], { size, stride, shape });
  // windows that do not overlap: nothing is added up, the elements only move back
  const [n, c, h, w] = shape;
  const [rows, columns] = [g.shape[2] * size[0], g.shape[3] * size[1]];
  const images = g.transpose([0, 1, 2, 4, 3, 5]).reshape([n, c, rows, columns]);
  if (rows === h && columns === w) return images;
  return pad(images, [
    [0, 0],
    [0, 0],
    [0, h - rows],
    [0, w - columns],
  ]);
}

const foldOp: OpDef<FoldAttrs> = defineOp<FoldAttrs>({
  name: "foldWindows2d",
  type: ([x], { shape }) => [{ shape, dtype: x.dtype }],
  reference: ([x], [out], attrs) => {
    out.data.fill(0);
    const from = elementPositions(x);
    const to = elementPositions(windowLayout(out, attrs));
    for (let i = 0; i < from.length; i++) out.data[to[i]] += x.data[from[i]];
  },
  vjp: ([g], { attrs: { size, stride } }) => [g && apply(windowsOp, [g], { size, stride })],
  jvp: (_x, [t], _y, attrs) => [t && apply(foldOp, [t], attrs)],
  batch: ([x], [axis], attrs, size) => {
    const [n, ...rest] = attrs.shape;
    const y = apply(foldOp, [merged(x, axis)], { ...attrs, shape: [size * n, ...rest] });
    return { outputs: [y.reshape([size, ...attrs.shape])], axes: [0] };
  },
  samples: [{ shapes: [[1, 2, 2, 3, 2, 3]], attrs: { size: [2, 3], stride: [2, 1], shape: [1, 2, 4, 5] } }],
});

export interface PoolOptions {
  /** Default: the window's size, so that windows do not overlap. */
  readonly stride?: number | readonly [number, number];
  readonly padding?: number | readonly [number, number];
}

function windows(
  x: TensorLike,
  size: number | readonly [number, number],
  { stride, padding = 0 }: PoolOptions,
  fill: number,
): Tensor {
  const t = asTensor(x);
  const window = pair(size, "pooling: window");
  const [h, w] = pair(padding, "pooling: padding", 0);
  const padded =
    h + w === 0
      ? t
      : pad(
          t,
          [
            [0, 0],
            [0, 0],
            [h, h],
            [w, w],
          ],
          fill,
        );
  return apply(windowsOp, [padded], {
    size: window,
    stride: stride === undefined ? window : pair(stride, "pooling: stride"),
  });
}

/**
 * Largest value of each window of images (N, C, H, W); padding counts as −∞.
 * @example maxPool2d([[[[1, 2], [3, 4]]]], 2) // [[[[4]]]]
 */
export function maxPool2d(
  x: TensorLike,
  size: number | readonly [number, number],
  options: PoolOptions = {},
): Tensor {
  return windows(x, size, options, Number.NEGATIVE_INFINITY).max([-2, -1]);
}

/**
 * Mean of each window of images (N, C, H, W); padding counts as 0.
 * @example avgPool2d([[[[1, 2], [3, 4]]]], 2) // [[[[2.5]]]]
 */
export function avgPool2d(
  x: TensorLike,
  size: number | readonly [number, number],
  options: PoolOptions = {},
): Tensor {
  return windows(x, size, options, 0).mean([-2, -1]);
}
