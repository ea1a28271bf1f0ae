/** Tensors as regions of the heap, and what is asked of them: axes before others, rows for members, names as numbers. */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { ShapeError, TransformError, ValueError } from "../../core/errors.js";
import { contiguousLayout, isContiguous } from "../../core/layout.js";
import { formatType, normalizeAxis, type Shape, sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { transpose } from "../../ops/shape.js";
import { DenseTensor, elementBytes } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";
import { Storage } from "../../runtime/storage.js";
import { outsideScopes } from "../../runtime/tidy.js";
import { evenCounts } from "../collectives/parts.js";
import type { Region } from "./protocol.js";

/** A tensor's elements, row-major, for as long as an operation needs them. */
export interface Held {
  readonly region: Region;
  release(): void;
}

/** Rows for each of `size` members, as even as possible: the first get one more. */
export const rowsOf = (rows: number, size: number): number[] => evenCounts(rows, size, "uint8");

export const sum = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);

export const fresh = (shape: Shape, dtype: DType): Storage =>
  outsideScopes(() => new Storage(dtype, sizeOf(shape)));

export const regionOf = (storage: Storage): Region => ({ at: storage.ptr, bytes: storage.byteLength });

export const tensorOf = (storage: Storage, shape: Shape): DenseTensor =>
  new DenseTensor(storage, contiguousLayout(shape), getDevice());

export function denseOf(x: Tensor, where: string): DenseTensor {
  if (x instanceof DenseTensor) {
    x.needAlive();
    return x;
  }
  throw new TransformError(
    `${where}: a tensor with elements expected, given a tracer of ${formatType(x)}: collectives are no ops that a transformation (grad, jit, vmap) sees through`,
  );
}

export function axisOf(shape: Shape, axis: number | undefined, where: string): number {
  if (shape.length === 0)
    throw new ShapeError(`${where}: a scalar has no axis along which it could be parted or joined`);
  return normalizeAxis(axis ?? 0, shape.length, where);
}

/** With `axis` before all others. */
export function toFront(x: Tensor, axis: number): Tensor {
  if (axis === 0) return x;
  const others = x.shape.map((_, i) => i).filter((i) => i !== axis);
  return transpose(x, [axis, ...others]);
}

/** With the first axis as axis number `axis`. */
export function fromFront(x: Tensor, axis: number): Tensor {
  if (axis === 0) return x;
  const order = x.shape.map((_, i) => i).slice(1);
  order.splice(axis, 0, 0);
  return transpose(x, order);
}

export function tagOf(tag = 0): number {
  if (Number.isInteger(tag) && tag >= 0 && tag < 2 ** 20) return tag;
  throw new ValueError(`tag ${tag}: whole numbers from 0 to ${2 ** 20 - 1} expected`);
}

/** FNV-1a, 31 bits: groups are numbered by their names, as members don't count alike. */
export function hash(name: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < name.length; i++) h = Math.imul(h ^ name.charCodeAt(i), 0x01000193);
  return h >>> 1 || 1;
}

export function hold(x: Tensor, where: string): Held {
  const dense = denseOf(x, where);
  const width = bytesPerElement(x.dtype);
  const bytes = x.size * width;
  if (isContiguous(dense)) {
    const storage = dense.storage.retain();
    return {
      region: { at: storage.readable + dense.offset * width, bytes },
      release: () => storage.drop(),
    };
  }
  const copy = fresh(x.shape, x.dtype);
  copy.bytes().set(elementBytes(dense));
  return { region: regionOf(copy), release: () => copy.drop() };
}
