/**
 * 2-D convolution (cross-correlation, as every framework calls it): images NCHW, filters OIHW.
 * The op and its two gradients are bilinear, and each one's derivative is made of the other two.
 */
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape, type Shape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import type { HostArray } from "../runtime/host-array.js";
import { apply } from "./bind.js";
import { promote, type TensorLike } from "./convert.js";
import { defineOp, type OpDef } from "./registry.js";
import { batchToFront, loopedBatch } from "./rules.js";

/** Static parameters: per spatial axis (height, width). */
export interface ConvAttrs {
  readonly stride: readonly [number, number];
  /** Zeros before and after. */
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
  readonly dilation: readonly [number, number];
  readonly groups: number;
  /** How devices of the host are to compute it; the result is the same up to rounding. Absent: as they choose. */
  readonly algorithm?: string;
}

interface ConvGradAttrs extends ConvAttrs {
  /** Shape of the result: of the images, or of the filters. */
  readonly shape: Shape;
}

/** Output size of a window that slides along an axis. */
export function windowCount(
  size: number,
  kernel: number,
  stride: number,
  padding: readonly [number, number],
  dilation: number,
): number {
  return Math.floor((size + padding[0] + padding[1] - dilation * (kernel - 1) - 1) / stride) + 1;
}

function outputShape(x: Shape, w: Shape, { stride, padding, dilation, groups }: ConvAttrs): Shape {
  if (x.length !== 4 || w.length !== 4) {
    throw new ShapeError(
      `conv2d: images (N, C, H, W) and filters (O, I, kH, kW) wanted, got ${formatShape(x)} and ${formatShape(w)}`,
    );
  }
  if (x[1] !== w[1] * groups || w[0] % groups !== 0) {
    throw new ShapeError(
      `conv2d: images ${formatShape(x)} have ${x[1]} channels; filters ${formatShape(w)} in ${groups} group(s) want ${w[1] * groups}`,
    );
  }
  const [h, v] = [0, 1].map((i) => windowCount(x[2 + i], w[2 + i], stride[i], padding[i], dilation[i]));
  if (h <= 0 || v <= 0)
    throw new ShapeError(
      `conv2d: filters ${formatShape(w)} are larger than the padded images ${formatShape(x)}`,
    );
  return [x[0], w[0], h, v];
}

/** Calls `visit` for every pair of image and filter element that meets in an output element. Positions are in `data`. */
function forEachProduct(
  x: HostArray,
  w: HostArray,
  y: HostArray,
  attrs: ConvAttrs,
  visit: (x: number, w: number, y: number) => void,
): void {
  const [n, , height, width] = x.shape;
  const [o, inner, kh, kw] = w.shape;
  const [, , oh, ow] = y.shape;
  const perGroup = o / attrs.groups;
  for (let b = 0; b < n; b++) {
    for (let f = 0; f < o; f++) {
      const firstChannel = Math.floor(f / perGroup) * inner;
      for (let r = 0; r < oh; r++) {
        for (let c = 0; c < ow; c++) {
          const at = y.offset + b * y.strides[0] + f * y.strides[1] + r * y.strides[2] + c * y.strides[3];
          for (let i = 0; i < inner; i++) {
            for (let p = 0; p < kh; p++) {
              const row = r * attrs.stride[0] - attrs.padding[0][0] + p * attrs.dilation[0];
              if (row < 0 || row >= height) continue;
              for (let q = 0; q < kw; q++) {
                const column = c * attrs.stride[1] - attrs.padding[1][0] + q * attrs.dilation[1];
                if (column < 0 || column >= width) continue;
                const from =
                  x.offset +
                  b * x.strides[0] +
                  (firstChannel + i) * x.strides[1] +
                  row * x.strides[2] +
                  column * x.strides[3];
                visit(
                  from,
                  w.offset + f * w.strides[0] + i * w.strides[1] + p * w.strides[2] + q * w.strides[3],
                  at,
                );
              }
            }
          }
        }
      }
    }
  }
}

const plain = {
  stride: [1, 1],
  padding: [
    [0, 0],
    [0, 0],
  ],
  dilation: [1, 1],
  groups: 1,
} as const satisfies ConvAttrs;
const uneven = {
  stride: [2, 1],
  padding: [
    [1, 0],
    [1, 2],
  ],
  dilation: [1, 2],
  groups: 2,
} as const satisfies ConvAttrs;

/** Folds a batch of images into N where the filters are shared. */
const foldBatch = (x: Tensor, axis: number): Tensor => {
  const front = batchToFront(x, axis);
  return front.reshape([front.shape[0] * front.shape[1], ...front.shape.slice(2)]);
};

const sum = (a: Tensor | null, b: Tensor | null): Tensor | null => (a && b ? a.add(b) : (a ?? b));

export const conv2dOp: OpDef<ConvAttrs> = defineOp<ConvAttrs>({
  name: "conv2d",
  kind: "contraction",
  type: ([x, w], attrs) => [{ shape: outputShape(x.shape, w.shape, attrs), dtype: x.dtype }],
  reference: ([x, w], [y], attrs) => {
    y.data.fill(0);
    forEachProduct(x, w, y, attrs, (i, k, o) => {
      y.data[o] += x.data[i] * w.data[k];
    });
  },
  saves: { inputs: "all" },
  vjp: ([g], { inputs: [x, w], inputTypes: [xt, wt], attrs, needs }) => [
    g && needs[0] ? apply(conv2dInputGradOp, [g, w], { ...attrs, shape: xt.shape }) : null,
    g && needs[1] ? apply(weightGradOp, [x, g], { ...attrs, shape: wt.shape }) : null,
  ],
  jvp: ([x, w], [tx, tw], _y, attrs) => [
    sum(tx && apply(conv2dOp, [tx, w], attrs), tw && apply(conv2dOp, [x, tw], attrs)),
  ],
  batch: (inputs, axes, attrs, size) => {
    if (axes[1] !== null || axes[0] === null) return loopedBatch(() => conv2dOp)(inputs, axes, attrs, size);
    const y = apply(conv2dOp, [foldBatch(inputs[0], axes[0]), inputs[1]], attrs);
    return { outputs: [y.reshape([size, -1, ...y.shape.slice(1)])], axes: [0] };
  },
  samples: [
    {
      shapes: [
        [2, 3, 4, 5],
        [2, 3, 3, 2],
      ],
      attrs: plain,
    },
    {
      shapes: [
        [1, 4, 5, 4],
        [2, 2, 2, 2],
      ],
      attrs: uneven,
    },
  ],
});

export const conv2dInputGradOp: OpDef<ConvGradAttrs> = defineOp<ConvGradAttrs>({
  name: "conv2dInputGrad",
  kind: "contraction",
  type: ([g], { shape }) => [{ shape, dtype: g.dtype }],
  reference: ([g, w], [x], attrs) => {
    x.data.fill(0);
    forEachProduct(x, w, g, attrs, (i, k, o) => {
      x.data[i] += g.data[o] * w.data[k];
    });
  },
  saves: { inputs: "all" },
  vjp: ([c], { inputs: [g, w], inputTypes: [, wt], attrs, needs }) => [
    c && needs[0] ? apply(conv2dOp, [c, w], strip(attrs)) : null,
    c && needs[1] ? apply(weightGradOp, [c, g], { ...attrs, shape: wt.shape }) : null,
  ],
  jvp: ([g, w], [tg, tw], _y, attrs) => [
    sum(tg && apply(conv2dInputGradOp, [tg, w], attrs), tw && apply(conv2dInputGradOp, [g, tw], attrs)),
  ],
  batch: (inputs, axes, attrs, size) => {
    if (axes[1] !== null || axes[0] === null)
      return loopedBatch(() => conv2dInputGradOp)(inputs, axes, attrs, size);
    const [n, ...rest] = attrs.shape;
    const x = apply(conv2dInputGradOp, [foldBatch(inputs[0], axes[0]), inputs[1]], {
      ...attrs,
      shape: [size * n, ...rest],
    });
    return { outputs: [x.reshape([size, ...attrs.shape])], axes: [0] };
  },
  samples: [
    {
      shapes: [
        [2, 2, 2, 4],
        [2, 3, 3, 2],
      ],
      attrs: { ...plain, shape: [2, 3, 4, 5] },
    },
    {
      shapes: [
        [1, 2, 3, 5],
        [2, 2, 2, 2],
      ],
      attrs: { ...uneven, shape: [1, 4, 5, 4] },
    },
  ],
});

const weightGradOp: OpDef<ConvGradAttrs> = defineOp<ConvGradAttrs>({
  name: "conv2dWeightGrad",
  kind: "contraction",
  type: ([x], { shape }) => [{ shape, dtype: x.dtype }],
  reference: ([x, g], [w], attrs) => {
    w.data.fill(0);
    forEachProduct(x, w, g, attrs, (i, k, o) => {
      w.data[k] += x.data[i] * g.data[o];
    });
  },
  saves: { inputs: "all" },
  vjp: ([c], { inputs: [x, g], inputTypes: [xt], attrs, needs }) => [
    c && needs[0] ? apply(conv2dInputGradOp, [g, c], { ...attrs, shape: xt.shape }) : null,
    c && needs[1] ? apply(conv2dOp, [x, c], strip(attrs)) : null,
  ],
  jvp: ([x, g], [tx, tg], _y, attrs) => [
    sum(tx && apply(weightGradOp, [tx, g], attrs), tg && apply(weightGradOp, [x, tg], attrs)),
  ],
  batch: loopedBatch(() => weightGradOp),
  samples: [
    {
      shapes: [
        [2, 3, 4, 5],
        [2, 2, 2, 4],
      ],
      attrs: { ...plain, shape: [2, 3, 3, 2] },
    },
    {
      shapes: [
        [1, 4, 5, 4],
        [1, 2, 3, 5],
      ],
      attrs: { ...uneven, shape: [2, 2, 2, 2] },
    },
  ],
});

function strip({ stride, padding, dilation, groups }: ConvAttrs): ConvAttrs {
  return { stride, padding, dilation, groups };
}

export interface Conv2dOptions {
  readonly stride?: number | readonly [number, number];
  /** Zeros on each side; "same" keeps the size at stride 1. Default 0. */
  readonly padding?: number | readonly [number, number] | "same" | "valid";
  readonly dilation?: number | readonly [number, number];
  readonly groups?: number;
  /**
   * On the devices `wasm` and `native`, for float32: the name of one of `compiler.convolution.algorithms()`, or `"measured"`,
   * the fastest of them here. Default: as the device chooses. An algorithm that does not take the sizes is a ValueError.
   */
  readonly algorithm?: string;
}

/** `n` as a pair of positive integers. */
export function pair(
  n: number | readonly [number, number],
  what: string,
  least = 1,
): readonly [number, number] {
  const both = typeof n === "number" ? ([n, n] as const) : n;
  if (both.some((v) => !Number.isInteger(v) || v < least))
    throw new ValueError(`${what} is one integer or two, at least ${least}; got ${JSON.stringify(n)}`);
  return both;
}

/**
 * y[n, o, r, c] = Σ x[n, i, r·stride + p·dilation − padding, …] · w[o, i, p, q].
 * @param x images (N, C, H, W)
 * @param w filters (O, C/groups, kH, kW)
 * @example conv2d([[[[1, 2, 3], [4, 5, 6]]]], [[[[1, 1]]]]) // [[[[3, 5], [9, 11]]]]
 */
export function conv2d(x: TensorLike, w: TensorLike, options: Conv2dOptions = {}): Tensor {
  const [images, filters] = promote(x, w);
  const stride = pair(options.stride ?? 1, "conv2d: stride");
  const dilation = pair(options.dilation ?? 1, "conv2d: dilation");
  let padding: ConvAttrs["padding"];
  if (options.padding === "same") {
    const total = [0, 1].map((i) => dilation[i] * ((filters.shape[2 + i] ?? 1) - 1));
    padding = [
      [Math.floor(total[0] / 2), Math.ceil(total[0] / 2)],
      [Math.floor(total[1] / 2), Math.ceil(total[1] / 2)],
    ];
  } else {
    const [h, v] = pair(options.padding === "valid" ? 0 : (options.padding ?? 0), "conv2d: padding", 0);
    padding = [
      [h, h],
      [v, v],
    ];
  }
  const { groups = 1, algorithm } = options;
  const how = algorithm === undefined ? {} : { algorithm };
  return apply(conv2dOp, [images, filters], { stride, padding, dilation, groups, ...how });
}
