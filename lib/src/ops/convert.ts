/** From what users write (tensors, numbers, nested arrays) to tensors; and NumPy's promotion of operands to one dtype. */
import {
  DEFAULT_FLOAT,
  type DType,
  dtypeKind,
  type HostData,
  isFloat,
  promoteTypes,
  weakScalarType,
} from "../core/dtype.js";
import { ShapeError, ValueError } from "../core/errors.js";
import { formatShape, type Shape } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { type DenseTensor, denseFrom, denseFromBytes } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";
import { outsideScopes } from "../runtime/tidy.js";
import { apply } from "./bind.js";
import { defineOp, type OpDef } from "./registry.js";
import { elementwiseBatch, mapReference } from "./rules.js";

export type NestedNumbers = number | boolean | readonly NestedNumbers[];

/** Whatever an operation takes where it wants a tensor. */
export type TensorLike = Tensor | NestedNumbers;

declare module "../core/tensor.js" {
  interface Tensor {
    /** The same values as another dtype; to integers they are truncated, to bool compared with 0. */
    cast(dtype: DType): Tensor;
  }
}

interface CastAttrs {
  readonly dtype: DType;
}

export const castOp: OpDef<CastAttrs> = defineOp<CastAttrs>({
  name: "cast",
  kind: "elementwise",
  type: ([x], { dtype }) => [{ shape: x.shape, dtype }],
  reference: (inputs, outputs, { dtype }) =>
    mapReference(dtype === "bool" ? (x) => (x === 0 ? 0 : 1) : (x) => x)(inputs, outputs, undefined),
  vjp: ([g], { inputTypes: [x], outputTypes: [y] }) => [
    isFloat(x.dtype) && isFloat(y.dtype) && g ? g.cast(x.dtype) : null,
  ],
  jvp: (_primals, [t], [y]) => [t && isFloat(y.dtype) ? t.cast(y.dtype) : null],
  batch: elementwiseBatch(() => castOp),
  samples: [{ shapes: [[2, 3]], attrs: { dtype: "float64" } }],
});

/** @example cast([1.7, -1.7], "int32") // [1, -1] */
export function cast(x: TensorLike, dtype: DType): Tensor {
  const t = asTensor(x);
  return t.dtype === dtype ? t : apply(castOp, [t], { dtype });
}

Tensor.prototype.cast = function (dtype) {
  return cast(this, dtype);
};

/** Shape of nested arrays. @throws ShapeError if they are ragged, with the place. */
function nestedShape(data: NestedNumbers): number[] {
  const shape: number[] = [];
  for (let level: NestedNumbers = data; Array.isArray(level); level = level[0]) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  return shape;
}

function flattenInto(data: NestedNumbers, shape: Shape, axis: number, path: string, out: number[]): void {
  if (!Array.isArray(data)) {
    if (axis !== shape.length || (typeof data !== "number" && typeof data !== "boolean")) {
      throw new ShapeError(
        `tensor: ${path || "the data"} is ${JSON.stringify(data)}, expected ${axis === shape.length ? "a number" : `an array of ${shape[axis]}`}`,
      );
    }
    out.push(Number(data));
    return;
  }
  if (axis === shape.length || data.length !== shape[axis]) {
    const expected = axis === shape.length ? "a number" : `${shape[axis]} entries as in the first row`;
    throw new ShapeError(
      `tensor: ${path || "the data"} has ${data.length} entries, expected ${expected}; for rows of unequal length see RaggedTensor`,
    );
  }
  for (let i = 0; i < data.length; i++) flattenInto(data[i], shape, axis + 1, `${path}[${i}]`, out);
}

function firstLeaf(data: NestedNumbers): number | boolean | undefined {
  let leaf: NestedNumbers | undefined = data;
  while (Array.isArray(leaf)) leaf = leaf[0];
  return leaf as number | boolean | undefined;
}

export interface TensorOptions {
  /** Default: float32, or bool for booleans, or the typed array's own. */
  readonly dtype?: DType;
  /** Needed for typed arrays of more than one axis. */
  readonly shape?: Shape;
}

const TYPED: readonly [new (n: number) => HostData, DType][] = [
  [Float64Array, "float64"],
  [Float32Array, "float32"],
  [Int32Array, "int32"],
  [Int16Array, "int16"],
  [Int8Array, "int8"],
  [Uint8Array, "uint8"],
];

/**
 * A tensor of the given values, copied.
 * @example tensor([[1, 2], [3, 4]]) // float32(2, 2)
 * @throws ShapeError if nested arrays are ragged or `shape` does not fit.
 */
export function tensor(data: NestedNumbers | HostData | BigInt64Array, options: TensorOptions = {}): Tensor {
  const device = getDevice();
  if (data instanceof BigInt64Array) {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const made = denseFromBytes(bytes, options.shape ?? [data.length], "int64", device);
    return options.dtype ? cast(made, options.dtype) : made;
  }
  const typed = TYPED.find(([type]) => data instanceof type);
  if (typed) {
    const values = data as HostData;
    return denseFrom(values, options.shape ?? [values.length], options.dtype ?? typed[1], device);
  }
  if (ArrayBuffer.isView(data))
    throw new ValueError(`tensor: ${(data as object).constructor.name} is not supported`);
  const nested = data as NestedNumbers;
  const shape = nestedShape(nested);
  const values: number[] = [];
  flattenInto(nested, shape, 0, "", values);
  const dtype = options.dtype ?? (typeof firstLeaf(nested) === "boolean" ? "bool" : DEFAULT_FLOAT);
  return denseFrom(values, options.shape ?? shape, dtype, device);
}

const scalars = new Map<string, DenseTensor>();
const MAX_SCALARS = 4096;

/** A shared constant without axes. It outlives every scope: callers must not dispose it. */
export function scalar(value: number | boolean, dtype: DType): DenseTensor {
  const key = `${dtype}:${Object.is(value, -0) ? "-0" : value}`;
  const known = scalars.get(key);
  if (known && !known.isDisposed) return known;
  if (scalars.size >= MAX_SCALARS) scalars.clear();
  const made = outsideScopes(() => denseFrom([Number(value)], [], dtype, getDevice()));
  scalars.set(key, made);
  return made;
}

/** `x` as a tensor; numbers take their dtype from `like` where that loses nothing. */
export function asTensor(x: TensorLike, like?: DType): Tensor {
  if (x instanceof Tensor) return x;
  if (typeof x === "number" || typeof x === "boolean") return scalar(x, weakScalarType(x, like));
  if (Array.isArray(x)) return tensor(x, like ? { dtype: weakScalarType(firstLeaf(x) ?? 0, like) } : {});
  throw new ValueError(`expected a tensor, a number or nested arrays of numbers, got ${describe(x)}`);
}

function describe(x: unknown): string {
  if (x === null || x === undefined) return String(x);
  return typeof x === "object"
    ? `a ${x.constructor?.name ?? "null-prototype object"}`
    : `the ${typeof x} ${JSON.stringify(x)}`;
}

/** Both operands as tensors of one dtype. */
export function promote(a: TensorLike, b: TensorLike): [Tensor, Tensor] {
  const x = asTensor(a, b instanceof Tensor ? b.dtype : undefined);
  const y = asTensor(b, x.dtype);
  if (x.dtype === y.dtype) return [x, y];
  const dtype = promoteTypes(x.dtype, y.dtype);
  return [cast(x, dtype), cast(y, dtype)];
}

/** `x` as a floating-point tensor: other dtypes become float32. */
export function asFloat(x: TensorLike): Tensor {
  const t = asTensor(x);
  return isFloat(t.dtype) ? t : cast(t, DEFAULT_FLOAT);
}

/** Integer or boolean tensor. @throws ValueError for floats, naming the place. */
export function asIndices(x: TensorLike, where: string): Tensor {
  const t = x instanceof Tensor ? x : tensor(x, { dtype: "int32" });
  if (dtypeKind(t.dtype) === "float") {
    throw new ValueError(
      `${where}: indices are integers, got ${t.dtype}${formatShape(t.shape)}; cast them with .cast("int32")`,
    );
  }
  return t;
}
