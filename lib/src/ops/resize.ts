/** Pooling and resizing that work axis by axis: adaptive pooling, nearest and bilinear interpolation; and 1-D pooling. */
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { pair } from "./conv.js";
import { asFloat, asTensor, type TensorLike, tensor } from "./convert.js";
import { take } from "./gather.js";
import { avgPool2d, maxPool2d } from "./pool.js";
import { type Index, slice, stack, transpose } from "./shape.js";

export interface Pool1dOptions {
  /** Default: the window's size. */
  readonly stride?: number;
  readonly padding?: number;
}

function as2d(x: TensorLike, where: string): Tensor {
  const t = asTensor(x);
  if (t.ndim !== 3) throw new ShapeError(`${where}: sequences (N, C, L) wanted, got ${formatShape(t.shape)}`);
  return t.expandDims(2);
}

const onLength = (size: number, { stride = size, padding = 0 }: Pool1dOptions) =>
  ({ stride: [1, stride], padding: [0, padding] }) as const;

/**
 * Largest value of each window of sequences (N, C, L); padding counts as −∞.
 * @example maxPool1d([[[1, 3, 2, 5]]], 2) // [[[3, 5]]]
 */
export function maxPool1d(x: TensorLike, size: number, options: Pool1dOptions = {}): Tensor {
  return maxPool2d(as2d(x, "maxPool1d"), [1, size], onLength(size, options)).squeeze(2);
}

/**
 * Mean of each window of sequences (N, C, L); padding counts as 0.
 * @example avgPool1d([[[1, 3, 2, 5]]], 2) // [[[2, 3.5]]]
 */
export function avgPool1d(x: TensorLike, size: number, options: Pool1dOptions = {}): Tensor {
  return avgPool2d(as2d(x, "avgPool1d"), [1, size], onLength(size, options)).squeeze(2);
}

/** Windows of adaptive pooling: from ⌊i·n/m⌋ to ⌈(i+1)·n/m⌉. */
const adaptiveWindow = (i: number, n: number, m: number): [number, number] => [
  Math.floor((i * n) / m),
  Math.ceil(((i + 1) * n) / m),
];

/** Applies a matrix (m, n) to an axis of size n. */
function alongAxis(x: Tensor, axis: number, matrix: Tensor): Tensor {
  const last = x.ndim - 1;
  const order = x.shape.map((_, i) => (i === axis ? last : i === last ? axis : i));
  return transpose(transpose(x, order).matmul(matrix.transpose()), order);
}

function matrixOf(
  m: number,
  n: number,
  like: Tensor,
  weight: (row: number, put: (column: number, w: number) => void) => void,
): Tensor {
  const values = new Float64Array(m * n);
  for (let row = 0; row < m; row++)
    weight(row, (column, w) => {
      values[row * n + column] += w;
    });
  return tensor(values, { shape: [m, n], dtype: like.dtype });
}

function images(x: TensorLike, where: string): Tensor {
  const t = asFloat(x);
  if (t.ndim !== 4) throw new ShapeError(`${where}: images (N, C, H, W) wanted, got ${formatShape(t.shape)}`);
  return t;
}

/**
 * Means of windows that divide images (N, C, H, W) into `size` rows and columns, whatever their own size is.
 * @example adaptiveAvgPool2d([[[[1, 2, 3, 4]]]], [1, 2]) // [[[[1.5, 3.5]]]]
 */
export function adaptiveAvgPool2d(x: TensorLike, size: number | readonly [number, number]): Tensor {
  const t = images(x, "adaptiveAvgPool2d");
  return pair(size, "adaptiveAvgPool2d: size").reduce((y, m, i) => {
    const n = y.shape[2 + i];
    const means = matrixOf(m, n, y, (row, put) => {
      const [from, to] = adaptiveWindow(row, n, m);
      for (let column = from; column < to; column++) put(column, 1 / (to - from));
    });
    return alongAxis(y, 2 + i, means);
  }, t);
}

/**
 * Largest values of windows that divide images (N, C, H, W) into `size` rows and columns.
 * @example adaptiveMaxPool2d([[[[1, 2, 3, 4]]]], [1, 2]) // [[[[2, 4]]]]
 */
export function adaptiveMaxPool2d(x: TensorLike, size: number | readonly [number, number]): Tensor {
  const t = images(x, "adaptiveMaxPool2d");
  return pair(size, "adaptiveMaxPool2d: size").reduce((y, m, i) => {
    const axis = 2 + i;
    const windows = Array.from({ length: m }, (_, row) =>
      slice(y, ...y.shape.map((n, a): Index => (a === axis ? adaptiveWindow(row, n, m) : ":"))).max(axis),
    );
    return stack(windows, axis);
  }, t);
}

export interface ResizeOptions {
  /** Default "bilinear". */
  readonly mode?: "nearest" | "bilinear";
  /** The corners' centres meet (PyTorch's `align_corners`); else the corners themselves. Default false. */
  readonly alignCorners?: boolean;
}

/**
 * Images (N, C, H, W) at another size, as PyTorch's `interpolate`.
 * @example resize([[[[0, 1]]]], [1, 4]) // [[[[0, 0.25, 0.75, 1]]]]
 */
export function resize(
  x: TensorLike,
  size: number | readonly [number, number],
  { mode = "bilinear", alignCorners = false }: ResizeOptions = {},
): Tensor {
  const t = images(x, "resize");
  const target = pair(size, "resize: size");
  if (mode !== "nearest" && mode !== "bilinear")
    throw new ValueError(`resize: the mode is "nearest" or "bilinear", got ${JSON.stringify(mode)}`);
  return target.reduce((y, m, i) => {
    const n = y.shape[2 + i];
    if (n === m) return y;
    if (mode === "nearest") {
      const places = Int32Array.from({ length: m }, (_, row) => Math.min(n - 1, Math.floor((row * n) / m)));
      return take(y, tensor(places), 2 + i);
    }
    const weights = matrixOf(m, n, y, (row, put) => {
      const place = alignCorners
        ? m === 1
          ? 0
          : (row * (n - 1)) / (m - 1)
        : Math.max(0, ((row + 0.5) * n) / m - 0.5);
      const low = Math.min(n - 1, Math.floor(place));
      const part = place - low;
      put(low, 1 - part);
      put(Math.min(n - 1, low + 1), part);
    });
    return alongAxis(y, 2 + i, weights);
  }, t);
}
