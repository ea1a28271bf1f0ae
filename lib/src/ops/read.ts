/** Getting values out: nested arrays, numbers, text. */
import { type HostData, isFloat } from "../core/dtype.js";
import { DTypeError, ShapeError, TransformError } from "../core/errors.js";
import { contiguousStrides } from "../core/layout.js";
import { formatShape, formatType, type Shape } from "../core/shape.js";
import { Tensor } from "../core/tensor.js";
import { DenseTensor, elementBytes } from "../runtime/dense.js";

/** Nested arrays of a tensor's values; booleans for bool. */
export type NestedValues = number | boolean | NestedValues[];

/** The dense tensor under any tracers, or `null` where there is none yet (while a graph is captured or a batch mapped). */
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

/** Longest axis that is printed whole; longer ones in large tensors show their ends, as NumPy does. */
const EDGE = 3;
const SUMMARIZE_ABOVE = 1000;

function formatNumber(value: number, float: boolean, digits: number, exponent: boolean): string {
  if (!float) return String(value);
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  if (exponent) return value.toExponential(Math.min(digits, 4));
  const text = value.toFixed(digits);
  return digits === 0 ? `${text}.` : text;
}

/** NumPy-like text of the values, without type. */
export function formatValues(x: DenseTensor): string {
  const data = x.toTypedArray();
  const float = isFloat(x.dtype);
  const summarize = data.length > SUMMARIZE_ABOVE;
  const strides = contiguousStrides(x.shape);
  const shown: number[] = [];
  const visit = (axis: number, offset: number, each: (at: number) => void): void => {
    if (axis === x.ndim) {
      each(offset);
      return;
    }
    const dim = x.shape[axis];
    for (let i = 0; i < dim; i++) {
      if (summarize && dim > 2 * EDGE && i === EDGE) i = dim - EDGE;
      visit(axis + 1, offset + i * strides[axis], each);
    }
  };
  visit(0, 0, (at) => shown.push(data[at]));
  const finite = shown.filter((v) => Number.isFinite(v) && v !== 0).map(Math.abs);
  const exponent = finite.length > 0 && (Math.max(...finite) >= 1e8 || Math.min(...finite) < 1e-4);
  const digits = float
    ? Math.max(
        0,
        ...shown.map((v) =>
          Number.isFinite(v) ? (String(Number(v.toFixed(4))).split(".")[1] ?? "").length : 0,
        ),
      )
    : 0;
  const text = (v: number) =>
    x.dtype === "bool"
      ? v !== 0
        ? "true"
        : "false"
      : formatNumber(v, float, exponent ? 4 : digits, exponent);
  const width = Math.max(0, ...shown.map((v) => text(v).length));
  const build = (axis: number, offset: number, indent: number): string => {
    if (axis === x.ndim) return text(data[offset]).padStart(width);
    const parts: string[] = [];
    const dim = x.shape[axis];
    for (let i = 0; i < dim; i++) {
      if (summarize && dim > 2 * EDGE && i === EDGE) {
        parts.push("...");
        i = dim - EDGE;
      }
      parts.push(build(axis + 1, offset + i * strides[axis], indent + 1));
    }
    const last = axis === x.ndim - 1;
    const gap = last ? ", " : `,${"\n".repeat(x.ndim - 1 - axis)}${" ".repeat(indent + 1)}`;
    return `[${parts.join(gap)}]`;
  };
  return x.ndim === 0 ? text(data[0]) : build(0, 0, 0);
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
  const pad = " ".repeat(label.length + 1);
  return `${label}(${formatValues(dense).replaceAll("\n", `\n${pad}`)}, ${formatType(x)})`;
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
