/** New tensors: constants, ranges, identities. */
import { DEFAULT_FLOAT, type DType } from "../core/dtype.js";
import { ValueError } from "../core/errors.js";
import { checkShape, type Shape } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { denseFrom, emptyDense } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";

export interface CreateOptions {
  /** Default: float32. */
  readonly dtype?: DType;
}

/**
 * A tensor of one value.
 * @example full([2], 7) // [7, 7]
 */
export function full(
  shape: Shape,
  value: number | boolean,
  { dtype = typeof value === "boolean" ? "bool" : DEFAULT_FLOAT }: CreateOptions = {},
): Tensor {
  const out = emptyDense(checkShape(shape, "full"), dtype, getDevice());
  out.storage.fill(Number(value));
  return out;
}

/**
 * A tensor of zeros.
 * @example zeros([2, 2]) // [[0, 0], [0, 0]]
 */
export function zeros(shape: Shape, { dtype = DEFAULT_FLOAT }: CreateOptions = {}): Tensor {
  return full(shape, 0, { dtype });
}

/**
 * A tensor of ones.
 * @example ones([3]) // [1, 1, 1]
 */
export function ones(shape: Shape, { dtype = DEFAULT_FLOAT }: CreateOptions = {}): Tensor {
  return full(shape, 1, { dtype });
}

/**
 * Zeros of the shape and dtype of `x`.
 * @example zerosLike(tensor([1, 2], { dtype: "int32" })).type // "int32(2,)"
 */
export function zerosLike(x: Tensor): Tensor {
  return full(x.shape, 0, { dtype: x.dtype });
}

/**
 * Ones of the shape and dtype of `x`.
 * @example onesLike(tensor([5, 6])) // [1, 1]
 */
export function onesLike(x: Tensor): Tensor {
  return full(x.shape, 1, { dtype: x.dtype });
}

/**
 * start, start + step, … below stop (`arange(stop)` starts at 0). Default dtype: int32 for integers, else float32.
 * @example arange(2, 8, 2) // [2, 4, 6]
 */
export function arange(start: number, stop?: number, step = 1, options: CreateOptions = {}): Tensor {
  const [from, to] = stop === undefined ? [0, start] : [start, stop];
  if (step === 0 || !Number.isFinite((to - from) / step))
    throw new ValueError(`arange: cannot go from ${from} to ${to} in steps of ${step}`);
  const count = Math.max(0, Math.ceil((to - from) / step));
  const dtype = options.dtype ?? ([from, to, step].every(Number.isInteger) ? "int32" : DEFAULT_FLOAT);
  return denseFrom(
    Array.from({ length: count }, (_, i) => from + i * step),
    [count],
    dtype,
    getDevice(),
  );
}

/**
 * `count` evenly spaced numbers from `start` to `stop`, both included.
 * @example linspace(0, 1, 5) // [0, 0.25, 0.5, 0.75, 1]
 */
export function linspace(
  start: number,
  stop: number,
  count = 50,
  { dtype = DEFAULT_FLOAT }: CreateOptions = {},
): Tensor {
  const step = count > 1 ? (stop - start) / (count - 1) : 0;
  const values = Array.from({ length: count }, (_, i) =>
    i === count - 1 && count > 1 ? stop : start + i * step,
  );
  return denseFrom(values, [count], dtype, getDevice());
}

/**
 * Ones on the diagonal of an n × m matrix, zeros elsewhere.
 * @example eye(2) // [[1, 0], [0, 1]]
 */
export function eye(n: number, m = n, { dtype = DEFAULT_FLOAT }: CreateOptions = {}): Tensor {
  checkShape([n, m], "eye");
  const values = new Float64Array(n * m);
  for (let i = 0; i < Math.min(n, m); i++) values[i * m + i] = 1;
  return denseFrom(values, [n, m], dtype, getDevice());
}
