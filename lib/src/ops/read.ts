/** Getting values out: nested arrays, numbers, text. */
import type { HostData } from "../core/dtype.js";
import { DTypeError, ShapeError, TransformError } from "../core/errors.js";
import { contiguousStrides } from "../core/layout.js";
import { formatShape, formatType, type Shape } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { DenseTensor, elementBytes } from "../runtime/dense.js";
import { formatValues } from "./format.js";

/** Nested arrays of a tensor's values; booleans for bool. */
export type NestedValues = number | boolean | NestedValues[];

/**
 * The dense tensor under any tracers, or `null` where there is none yet (while a graph is captured or a batch mapped).
 * @example concrete(tensor([1, 2])) // [1, 2]
 */
export function concrete(x: Tensor): DenseTensor | null {
  let value: Tensor | null = x;
  while (value !== null && !(value instanceof DenseTensor)) value = value.peel();
  return value;
}

/** The dense tensor under any tracers. @throws TransformError, naming `what` was to read it, where there is none yet. */
export function needConcrete(x: Tensor, what: string): DenseTensor {
  const dense = concrete(x);
  if (dense) return dense;
  const name = (x.trace as { name?: string } | null)?.name ?? "a transformation";
  throw new TransformError(
    `${what}: this ${formatType(x)} has no elements yet, because ${name} is running the function on placeholders. Values cannot steer the host program here: use cond, whileLoop, scan or where`,
  );
}

function nest(data: HostData, shape: Shape, dtype: string): NestedValues {
  const strides = contiguousStrides(shape);
  const build = (axis: number, offset: number): NestedValues => {
    if (axis === shape.length) return dtype === "bool" ? data[offset] !== 0 : data[offset];
    return Array.from({ length: shape[axis] }, (_, i) => build(axis + 1, offset + i * strides[axis]));
  };
  return build(0, 0);
}

declare module "../core/tensor.js" {
  interface Tensor {
    /** Nested arrays of the values (booleans for bool). @throws TransformError while a graph is captured. */
    toArray(): NestedValues;
    /** The value of a tensor with one element. @throws ShapeError if it has more. */
    item(): number;
    /**
     * A copy of the values, row-major: of int64 as float64 (exact up to ±2⁵³, see `toBigInt64Array`), of float16 and bfloat16
     * as float32.
     */
    toTypedArray(): HostData;
    /** A copy of the values of an int64 tensor, row-major and exact. @throws DTypeError for other dtypes. */
    toBigInt64Array(): BigInt64Array;
    /** The values, row-major, read back from whichever device holds them. */
    data(): Promise<HostData>;
  }
}

Tensor.prototype.toArray = function () {
  const dense = needConcrete(this, "toArray");
  return nest(dense.toTypedArray(), dense.shape, dense.dtype);
};
Tensor.prototype.item = function () {
  const dense = needConcrete(this, "item");
  if (dense.size !== 1)
    throw new ShapeError(
      `item: a tensor of shape ${formatShape(dense.shape)} has ${dense.size} elements, not one`,
    );
  const host = dense.host();
  return host.data[host.offset];
};
Tensor.prototype.toTypedArray = function () {
  return needConcrete(this, "toTypedArray").toTypedArray();
};
Tensor.prototype.toBigInt64Array = function () {
  if (this.dtype !== "int64")
    throw new DTypeError(`toBigInt64Array: the tensor is ${this.type}; cast it with .cast("int64")`);
  return new BigInt64Array(elementBytes(needConcrete(this, "toBigInt64Array")).buffer);
};
Tensor.prototype.data = async function () {
  return needConcrete(this, "data").toTypedArray();
};
Tensor.prototype.toString = function () {
  const label = this.trace === null ? "tensor" : ((this.trace as { name?: string }).name ?? "traced");
  return formatTensor(this, label);
};

/** Values as NumPy prints them, after `label`, with the type. */
export function formatTensor(x: Tensor, label: string): string {
  const dense = concrete(x);
  if (!dense) return `${label}(${formatType(x)})`;
  if (dense.isDisposed) return `${label}(${formatType(x)}, disposed)`;
  return `${label}(${formatValues(dense, label.length + 1)}, ${formatType(x)})`;
}

const inspect = Symbol.for("nodejs.util.inspect.custom");
const display = Symbol.for("Jupyter.display");

Object.defineProperty(Tensor.prototype, inspect, {
  value(this: Tensor) {
    return this.toString();
  },
});
Object.defineProperty(Tensor.prototype, display, {
  value(this: Tensor) {
    return { "text/plain": this.toString() };
  },
});
