/** collate: a list of elements as one element of tensors, which share their first axis. */
import { bytesPerElement, type DType, encodingOf, type HostData } from "../../core/dtype.js";
import { ShapeError, ValueError } from "../../core/errors.js";
import { formatShape, type Shape, sizeOf } from "../../core/shape.js";
import { Tensor } from "../../core/tensor.js";
import { type NestedNumbers, tensor } from "../../ops/convert.js";
import { DenseTensor, elementBytes, emptyDense } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { madeBy } from "./node.js";

/** What `collate` makes of a list of T: numbers, arrays and tensors become tensors, records are gone through by key. */
export type Collated<T> = T extends Tensor | number | boolean | HostData | readonly NestedNumbers[]
  ? Tensor
  : T extends string | bigint | null | undefined
    ? T[]
    : T extends readonly unknown[]
      ? { -readonly [K in keyof T]: Collated<T[K]> }
      : T extends object
        ? { -readonly [K in keyof T]: Collated<T[K]> }
        : T[];

export interface CollateOptions {
  /** Of numbers and plain arrays, by the name of their column ("" for elements that are no records). Default float32. */
  readonly dtypes?: Readonly<Record<string, DType>>;
  /** Of one element's typed array, by column: it knows but its length. */
  readonly shapes?: Readonly<Record<string, Shape>>;
}

/**
 * One element of tensors from a list of elements. Columns of typed arrays keep their dtype.
 * @throws ShapeError naming the column and the element whose shape is another than the first one's; ValueError for an
 *   empty list
 * @example data.collate([{ x: [1, 2], y: 0 }, { x: [3, 4], y: 1 }], { dtypes: { y: "int32" } }).y // [0, 1]
 */
export function collate<T>(list: readonly T[], options: CollateOptions = {}): Collated<T> {
  if (list.length === 0) throw new ValueError("collate: there is no element");
  return column(list, "", options) as Collated<T>;
}

function column(list: readonly unknown[], path: string, options: CollateOptions): unknown {
  const [first] = list;
  if (first instanceof Tensor) return stackTensors(list as readonly Tensor[], path);
  if (typeof first === "number" || typeof first === "boolean") return scalars(list, path, options);
  if (ArrayBuffer.isView(first)) return stackArrays(list as readonly HostData[], path, options);
  if (typeof first !== "object" || first === null) return [...list];
  if (Array.isArray(first) && isNumbers(first)) return stackNested(list, path, options);
  if (Array.isArray(first))
    return first.map((_, i) =>
      column(
        list.map((item) => (item as unknown[])[i]),
        below(path, String(i)),
        options,
      ),
    );
  const keys = Object.keys(first);
  return Object.fromEntries(
    keys.map((key) => {
      const values = list.map((item, i) => {
        if (typeof item !== "object" || item === null || !Object.hasOwn(item, key))
          throw new ShapeError(`collate: element ${i} has no column ${below(path, key)}, as element 0 has`);
        return (item as Record<string, unknown>)[key];
      });
      return [key, column(values, below(path, key), options)];
    }),
  );
}

const below = (path: string, key: string): string => (path === "" ? key : `${path}.${key}`);
const called = (path: string): string => (path === "" ? "" : ` of ${path}`);

function isNumbers(x: unknown): boolean {
  if (!Array.isArray(x)) return typeof x === "number" || typeof x === "boolean";
  return x.every(isNumbers);
}

function scalars(list: readonly unknown[], path: string, { dtypes }: CollateOptions): Tensor {
  const dtype = dtypes?.[path] ?? (typeof list[0] === "boolean" ? "bool" : "float32");
  const bad = list.findIndex((x) => typeof x !== typeof list[0]);
  if (bad >= 0)
    throw new ShapeError(
      `collate: element ${bad}${called(path)} is a ${typeof list[bad]}, element 0 a ${typeof list[0]}`,
    );
  return tensor(list as NestedNumbers, { dtype });
}

function stackNested(list: readonly unknown[], path: string, { dtypes }: CollateOptions): Tensor {
  try {
    return tensor(list as NestedNumbers, { dtype: dtypes?.[path] ?? "float32" });
  } catch (cause) {
    throw new ShapeError(
      `collate: the elements${called(path)} differ in shape (${(cause as Error).message}); paddedBatch fills them up`,
      { cause },
    );
  }
}

const DTYPES: Readonly<Record<string, DType>> = {
  Float64Array: "float64",
  Float32Array: "float32",
  Int32Array: "int32",
  Int16Array: "int16",
  Int8Array: "int8",
  Uint8Array: "uint8",
  Uint8ClampedArray: "uint8",
  Buffer: "uint8",
};

function stackArrays(list: readonly HostData[], path: string, { dtypes, shapes }: CollateOptions): Tensor {
  const [first] = list;
  const kind = first.constructor.name;
  const dtype = dtypes?.[path] ?? DTYPES[kind];
  if (!dtype)
    throw new ValueError(`collate: elements${called(path)} are a ${kind}, which no dtype stands for`);
  const shape = shapes?.[path] ?? [first.length];
  if (sizeOf(shape) !== first.length)
    throw new ShapeError(
      `collate: elements${called(path)} have ${first.length} numbers, which are not ${formatShape(shape)}`,
    );
  const out = emptyDense([list.length, ...shape], dtype, getDevice());
  const place = encodingOf(dtype) || dtype === "bool" ? null : out.storage.data;
  for (let i = 0; i < list.length; i++) {
    const item = list[i];
    if (item?.length !== first.length || item.constructor !== first.constructor) {
      out.dispose();
      throw new ShapeError(
        `collate: element ${i}${called(path)} is ${item?.constructor.name}(${item?.length}), element 0 ${kind}(${first.length}); paddedBatch fills up what is shorter`,
      );
    }
    if (place) place.set(item, i * first.length);
    else out.storage.write(item, i * first.length);
  }
  return out;
}

function stackTensors(list: readonly Tensor[], path: string): Tensor {
  const [first] = list;
  const out = emptyDense([list.length, ...first.shape], first.dtype, first.device);
  const width = first.size * bytesPerElement(first.dtype);
  for (const [i, item] of list.entries()) {
    if (!(item instanceof DenseTensor) || item.type !== first.type) {
      out.dispose();
      throw new ShapeError(
        `collate: element ${i}${called(path)} is ${item instanceof Tensor ? item.type : typeof item}, element 0 ${first.type}`,
      );
    }
    out.storage.bytes().set(elementBytes(item), i * width);
  }
  return out;
}

type Lists = (list: readonly unknown[]) => unknown;

/** `collate` with these options. */
export const collator = (options: CollateOptions): Lists =>
  madeBy((list: readonly unknown[]) => collate(list, options), {
    module: import.meta.url,
    name: "collator",
    args: [options],
  });

/** What is shorter than the longest of its column is filled up with `value`; every axis of arrays may differ. */
export const paddingCollator = (value: number, options: CollateOptions): Lists =>
  madeBy((list: readonly unknown[]) => collate(pad(list, value), options), {
    module: import.meta.url,
    name: "paddingCollator",
    args: [value, options],
  });

function pad(list: readonly unknown[], value: number): unknown[] {
  const [first] = list;
  if (ArrayBuffer.isView(first)) {
    const arrays = list as readonly HostData[];
    const length = Math.max(...arrays.map((a) => a.length));
    return arrays.map((a) => {
      const out = new (a.constructor as new (n: number) => HostData)(length).fill(value);
      out.set(a);
      return out;
    });
  }
  if (Array.isArray(first) && (first.length === 0 || isNumbers(first))) {
    const sizes: number[] = [];
    for (const item of list) measure(item, 0, sizes);
    return list.map((item) => filled(item, 0, sizes, value));
  }
  if (typeof first !== "object" || first === null || first instanceof Tensor) return [...list];
  const keys = Object.keys(first);
  const columns = keys.map((key) =>
    pad(
      list.map((item) => (item as Record<string, unknown>)[key]),
      value,
    ),
  );
  return list.map((_, i) => {
    const entries = keys.map((key, k) => [key, columns[k][i]] as const);
    return Array.isArray(first) ? entries.map(([, x]) => x) : Object.fromEntries(entries);
  });
}

function measure(x: unknown, axis: number, sizes: number[]): void {
  if (!Array.isArray(x)) return;
  sizes[axis] = Math.max(sizes[axis] ?? 0, x.length);
  for (const item of x) measure(item, axis + 1, sizes);
}

function filled(x: unknown, axis: number, sizes: readonly number[], value: number): unknown {
  if (axis === sizes.length) return x;
  const list = Array.isArray(x) ? x : [];
  return Array.from({ length: sizes[axis] }, (_, i) =>
    i < list.length || axis + 1 < sizes.length ? filled(list[i], axis + 1, sizes, value) : value,
  );
}
