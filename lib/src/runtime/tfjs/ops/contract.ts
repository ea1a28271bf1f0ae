/**
 * Products: matmul, and convolutions with their gradients. TensorFlow wants images as (N, H, W, C) and filters as
 * (H, W, I, O), pads only evenly, and takes either a stride or a dilation: images are padded and filters dilated before.
 */
import { broadcastShapes } from "../../../core/shape.js";
import type { DeviceArray } from "../../remote.js";
import type { Piece } from "../memory.js";
import { type Call, float, type Row } from "../row.js";
import type { Tfjs, TfTensor } from "../tfjs.js";
import { operand } from "../view.js";
import { dilated } from "./move.js";

interface Conv {
  readonly stride: readonly [number, number];
  readonly padding: readonly [readonly [number, number], readonly [number, number]];
  readonly dilation: readonly [number, number];
  readonly groups: number;
}
interface ConvGrad extends Conv {
  readonly shape: readonly [number, number, number, number];
}

const channelsLast = (t: Tfjs, x: TfTensor): TfTensor => t.transpose(x, [0, 2, 3, 1]);
const channelsFirst = (t: Tfjs, x: TfTensor): TfTensor => t.transpose(x, [0, 3, 1, 2]);
const spatialFirst = (t: Tfjs, w: TfTensor): TfTensor => t.transpose(w, [2, 3, 1, 0]);
const spatialLast = (t: Tfjs, w: TfTensor): TfTensor => t.transpose(w, [3, 2, 0, 1]);

/** (N, H, W, C), with its border of zeros. */
const framed = (t: Tfjs, x: TfTensor, { padding: [h, w] }: Conv): TfTensor => {
  const images = channelsLast(t, x);
  if (h[0] + h[1] + w[0] + w[1] === 0) return images;
  return t.pad(images, [[0, 0], [...h], [...w], [0, 0]]);
};

/** (H, W, I, O), spread by the dilation. */
const spreadOut = (t: Tfjs, w: TfTensor, { dilation }: Conv): TfTensor =>
  dilated(t, dilated(t, spatialFirst(t, w), 0, dilation[0] - 1), 1, dilation[1] - 1);

/** The k-th of `groups` equal parts along an axis. */
function part(t: Tfjs, x: TfTensor, axis: number, k: number, groups: number): TfTensor {
  if (groups === 1) return x;
  const size = x.shape[axis] / groups;
  return t.slice(
    x,
    x.shape.map((_, i) => (i === axis ? k * size : 0)),
    x.shape.map((dim, i) => (i === axis ? size : dim)),
  );
}

/** Each group by itself; its results side by side along `axis`. */
function byGroup(t: Tfjs, groups: number, axis: number, one: (k: number) => TfTensor): TfTensor {
  return groups === 1 ? one(0) : t.concat(Array.from({ length: groups }, (_, k) => one(k)), axis); // biome-ignore format: one line
}

const run = (t: Tfjs, kernel: string, inputs: object, attrs: object): TfTensor =>
  t.engine().runKernel(kernel, inputs as never, attrs as never) as TfTensor;

const plain = { pad: "valid", dataFormat: "NHWC", dimRoundingMode: undefined } as const;

const conv2d: Call<Conv> = (t, [x, w], attrs) => {
  const [images, filters] = [framed(t, x, attrs), spreadOut(t, w, attrs)];
  const { groups, stride } = attrs;
  const y = byGroup(t, groups, 3, (k) =>
    t.conv2d(
      part(t, images, 3, k, groups) as never,
      part(t, filters, 3, k, groups) as never,
      [...stride],
      "valid",
    ),
  );
  return channelsFirst(t, y);
};

const conv2dInputGrad: Call<ConvGrad> = (t, [g, w], attrs) => {
  const { groups, stride, padding, shape } = attrs;
  const [gradient, filters] = [channelsLast(t, g), spreadOut(t, w, attrs)];
  const [n, c, height, width] = shape;
  const [top, left] = [padding[0][0], padding[1][0]];
  const whole = [n, height + top + padding[0][1], width + left + padding[1][1], c / groups];
  const x = byGroup(t, groups, 3, (k) =>
    run(
      t,
      "Conv2DBackpropInput",
      { dy: part(t, gradient, 3, k, groups), filter: part(t, filters, 3, k, groups) },
      { ...plain, strides: [...stride], inputShape: whole },
    ),
  );
  return channelsFirst(t, t.slice(x, [0, top, left, 0], [n, height, width, c]));
};

const conv2dWeightGrad: Call<ConvGrad> = (t, [x, g], attrs) => {
  const { groups, stride, dilation, shape } = attrs;
  const [images, gradient] = [framed(t, x, attrs), channelsLast(t, g)];
  const [o, inner, kh, kw] = shape;
  const [height, width] = [(kh - 1) * dilation[0] + 1, (kw - 1) * dilation[1] + 1];
  const wide = byGroup(t, groups, 3, (k) =>
    run(
      t,
      "Conv2DBackpropFilter",
      { x: part(t, images, 3, k, groups), dy: part(t, gradient, 3, k, groups) },
      { ...plain, strides: [...stride], filterShape: [height, width, inner, o / groups] },
    ),
  );
  // Of a dilated filter, only its own elements have a gradient.
  const own =
    dilation[0] * dilation[1] === 1
      ? wide
      : t.stridedSlice(wide, [0, 0, 0, 0], wide.shape, [...dilation, 1, 1]);
  return spatialLast(t, own);
};

/**
 * One matrix for all of a batch makes one product; other batches are made alike first, as not every backend broadcasts them
 * rightly.
 */
function matmul(t: Tfjs, [left, right]: readonly DeviceArray<Piece>[]): TfTensor {
  const [a, b] = [operand(t, left), operand(t, right)];
  const [batch, other] = [left, right].map(({ shape }) => shape.slice(0, -2));
  const product = (x: TfTensor, y: TfTensor) => t.matMul(x, y, a.transposed, b.transposed);
  if (batch.join() === other.join()) return product(a.matrix, b.matrix);
  if (other.length === 0 && !a.transposed)
    return product(t.reshape(a.matrix, [-1, left.shape[left.shape.length - 1]]), b.matrix);
  const common = broadcastShapes([batch, other], "matmul");
  const [x, y] = [a, b].map(({ matrix }) => t.broadcastTo(matrix, [...common, ...matrix.shape.slice(-2)]));
  return product(x, y);
}

export const CONTRACT: Readonly<Record<string, Row>> = {
  matmul: { takes: ["float32", "int32"], run: matmul },
  conv2d: float(conv2d),
  conv2dInputGrad: float(conv2dInputGrad),
  conv2dWeightGrad: float(conv2dWeightGrad, { needs: ["Conv2DBackpropFilter"] }),
};
