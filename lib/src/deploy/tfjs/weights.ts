/** Weights of TF.js models: a manifest in the model's JSON, elements one after the other in shards. */
import { bytesPerElement, type DType } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";
import { sizeOf } from "../../core/shape.js";
import type { Tensor } from "../../core/tensor.js";
import { tensor } from "../../ops/convert.js";
import { denseFromBytes } from "../../runtime/dense.js";
import { getDevice } from "../../runtime/devices.js";

/** A TF.js model that is damaged, or has what this library can't do. Names the layer or node. */
export class TfjsError extends MlsysError {
  override name = "TfjsError";
}

export type Json = Readonly<Record<string, unknown>>;

export const isJson = (value: unknown): value is Json =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export const shown = (value: unknown): string => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
};

/** How elements of fewer bits stand for floats: value = min + scale · element (float16: as they are). */
interface Quantization {
  readonly dtype: string;
  readonly scale?: number;
  readonly min?: number;
}

interface Entry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly quantization?: Quantization;
}

export interface Group {
  readonly paths: readonly string[];
  readonly weights: readonly Entry[];
}

const STORED: Readonly<Record<string, { bytes: number; read: (bytes: Uint8Array) => ArrayLike<number> }>> = {
  uint8: { bytes: 1, read: (bytes) => bytes },
  uint16: { bytes: 2, read: (bytes) => new Uint16Array(bytes.slice().buffer) },
};

/** @throws TfjsError if the manifest is malformed. */
export function manifestOf(json: Json, where: string): Group[] {
  const found = json.weightsManifest ?? [];
  const fail = (what: string): never => {
    throw new TfjsError(`${where}: the weights' manifest is malformed: ${what}`);
  };
  if (!Array.isArray(found)) return fail(shown(found));
  return found.map((group: unknown) => {
    if (!isJson(group) || !Array.isArray(group.paths) || !Array.isArray(group.weights))
      return fail(shown(group));
    const named = group.paths.every((path) => typeof path === "string");
    if (!named) fail(shown(group.paths));
    for (const entry of group.weights as unknown[]) {
      const fits =
        isJson(entry) &&
        typeof entry.name === "string" &&
        typeof entry.dtype === "string" &&
        Array.isArray(entry.shape) &&
        entry.shape.every((dim) => Number.isSafeInteger(dim) && (dim as number) >= 0) &&
        Number.isSafeInteger(8 * sizeOf(entry.shape as number[]));
      if (!fits) fail(shown(entry));
    }
    return group as unknown as Group;
  });
}

/**
 * The weights of a group by name, from its bytes.
 * @throws TfjsError naming the weight for which there are too few, or whose dtype is unknown.
 */
export function weightsOf(groups: readonly Group[], bytes: Uint8Array, where: string): Map<string, Tensor> {
  const out = new Map<string, Tensor>();
  let at = 0;
  for (const { weights } of groups)
    for (const entry of weights) {
      const { made, length } = weightOf(entry, bytes.subarray(at), `${where}: weight ${shown(entry.name)}`);
      out.set(entry.name, made);
      at += length;
    }
  if (at !== bytes.length)
    throw new TfjsError(`${where}: the weights take ${at} bytes, the shards have ${bytes.length}`);
  return out;
}

function weightOf(
  { shape, dtype, quantization }: Entry,
  bytes: Uint8Array,
  where: string,
): { made: Tensor; length: number } {
  const size = sizeOf(shape);
  const take = (length: number): Uint8Array => {
    if (bytes.length < length)
      throw new TfjsError(`${where}: it takes ${length} bytes, ${bytes.length} are left`);
    return bytes.subarray(0, length);
  };
  if (quantization && quantization.dtype !== "float16") {
    const stored = STORED[quantization.dtype];
    if (!stored) throw new TfjsError(`${where}: quantized as ${shown(quantization.dtype)}`);
    const { scale = 1, min = 0 } = quantization;
    const elements = stored.read(take(size * stored.bytes));
    const values = Float64Array.from(elements, (q) => {
      const value = min + scale * q;
      return dtype === "int32" ? Math.round(value) : value;
    });
    return {
      made: tensor(values, { shape, dtype: dtype === "int32" ? "int32" : "float32" }),
      length: size * stored.bytes,
    };
  }
  const own = (quantization?.dtype ?? dtype) as DType;
  if (!["float32", "int32", "bool", "float16"].includes(own))
    throw new TfjsError(`${where}: dtype ${shown(own)}; float32, int32, bool and quantized ones can be read`);
  const length = size * bytesPerElement(own);
  const made = denseFromBytes(take(length), shape, own, getDevice());
  return { made: own === "float16" ? made.cast("float32") : made, length };
}
