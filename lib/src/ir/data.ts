/** Elements of constants as text: short and exact for people, base64 for the rest. */
import { bytesPerElement, type DType } from "../core/dtype.js";
import { sizeOf, type TensorType } from "../core/shape.js";
import { type DenseTensor, denseFrom, denseFromBytes, elementBytes } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";
import { outsideScopes } from "../runtime/tidy.js";
import { IRError } from "./graph.js";

/** The shortest text that reads back as the same element of this dtype. */
export function formatElement(value: number, dtype: DType): string {
  if (dtype === "bool") return value !== 0 ? "true" : "false";
  if (Object.is(value, -0)) return "-0";
  if (dtype !== "float32" || !Number.isFinite(value)) return String(value);
  for (let digits = 1; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short);
  }
  return String(value);
}

/** Little-endian bytes, row-major, as base64. */
export function encodeElements(data: DenseTensor): string {
  return Buffer.from(elementBytes(data)).toString("base64");
}

/** @throws IRError if the number of bytes does not fit the type. */
export function decodeElements(text: string, type: TensorType): DenseTensor {
  const bytes = Buffer.from(text, "base64");
  const count = sizeOf(type.shape);
  if (bytes.length !== count * bytesPerElement(type.dtype)) {
    throw new IRError(
      `a constant of ${count} ${type.dtype} elements needs ${count * bytesPerElement(type.dtype)} bytes, the text holds ${bytes.length}`,
    );
  }
  return outsideScopes(() => denseFromBytes(bytes, type.shape, type.dtype, getDevice()));
}

/** A tensor that belongs to no scope: a graph keeps it. */
export function constantOf(values: readonly number[], type: TensorType): DenseTensor {
  return outsideScopes(() => denseFrom(values, type.shape, type.dtype, getDevice()));
}
