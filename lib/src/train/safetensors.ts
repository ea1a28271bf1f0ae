/**
 * safetensors: tensors by name in one file: a 64-bit little-endian header length, a JSON header of dtypes, shapes and
 * byte ranges, then the elements. Nothing in it is executed. (huggingface/safetensors, format description.)
 */
import { type FileHandle, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { bytesPerElement, type DType } from "../core/dtype.js";
import { MlsysError, ValueError } from "../core/errors.js";
import { type Shape, sizeOf } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { needConcrete } from "../ops/read.js";
import { type DenseTensor, denseFromBytes, elementBytes } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";

const NAMES: Record<DType, string> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};
const DTYPE_OF = new Map(Object.entries(NAMES).map(([dtype, name]) => [name, dtype as DType]));

/** Tensors by name. */
export type NamedTensors = ReadonlyMap<string, Tensor> | Readonly<Record<string, Tensor>>;

/** What a file holds, without the elements. */
export interface SafetensorsHeader {
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: ReadonlyMap<string, { readonly dtype: DType; readonly shape: Shape }>;
}

/** Longest header that is read: what the reference implementation allows. */
const MAX_HEADER = 100_000_000;

/** Most bytes that one read may ask for. */
const MAX_READ = 2 ** 30;

const METADATA = "__metadata__";

interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** First byte, and the one behind the last, from the end of the header. */
  readonly from: number;
  readonly to: number;
}

interface Header {
  readonly metadata: Record<string, string>;
  readonly entries: readonly Entry[];
}

/**
 * The bytes of a safetensors file.
 * @throws ValueError for a tensor named `__metadata__`.
 * @example train.encodeSafetensors({ w: tensor([1, 2]) }).length // 72
 */
export function encodeSafetensors(
  tensors: NamedTensors,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const parts = safetensorsParts(tensors, metadata);
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/**
 * The tensors of a safetensors file.
 * @throws MlsysError naming the entry if the file is cut short, overlaps, has gaps or holds unknown dtypes.
 * @example train.decodeSafetensors(train.encodeSafetensors({ w: tensor([1, 2]) })).get("w") // [1, 2]
 */
export function decodeSafetensors(bytes: Uint8Array, where = "safetensors"): Map<string, DenseTensor> {
  const length = headerLength(bytes.subarray(0, PREFIX), bytes.length, where);
  const start = PREFIX + length;
  const { entries } = parseHeader(bytes.subarray(PREFIX, start), bytes.length - start, where);
  return new Map(
    entries.map((entry) => [entry.name, toTensor(entry, bytes.slice(start + entry.from, start + entry.to))]),
  ); // slices are aligned, whatever the file's own alignment
}

/**
 * Writes tensors to a file: first beside it, then in its place, so that a crash leaves the old file whole.
 * @example await train.saveSafetensors("/tmp/mlsys-example.safetensors", { w: tensor([1, 2]) })
 */
export async function saveSafetensors(
  file: string,
  tensors: NamedTensors,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeWhole(file, safetensorsParts(tensors, metadata));
}

/** Writes bytes to a file that appears whole or not at all: first beside it, then in its place. */
export async function writeWhole(file: string, parts: readonly (Uint8Array | string)[]): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}.partial`;
  try {
    const handle = await open(partial, "w");
    try {
      for (const part of parts) await handle.writeFile(part);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}

/**
 * Reads the tensors of a file, one after the other.
 * @throws MlsysError naming the file and the entry if it is damaged.
 * @example await train.saveSafetensors("/tmp/mlsys-example.safetensors", { w: tensor([1, 2]) }); (await train.loadSafetensors("/tmp/mlsys-example.safetensors")).get("w") // [1, 2]
 */
export async function loadSafetensors(file: string): Promise<Map<string, DenseTensor>> {
  return withHeader(file, async ({ entries }, handle, start) => {
    const out = new Map<string, DenseTensor>();
    for (const entry of entries)
      out.set(
        entry.name,
        toTensor(entry, await readBytes(handle, start + entry.from, entry.to - entry.from, file)),
      );
    return out;
  });
}

/**
 * What a file holds; its elements are not read. @throws MlsysError if the header is damaged.
 * @example await train.saveSafetensors("/tmp/mlsys-example.safetensors", { w: tensor([1, 2]) }); (await train.readSafetensorsHeader("/tmp/mlsys-example.safetensors")).tensors.get("w")?.dtype // "float32"
 */
export async function readSafetensorsHeader(file: string): Promise<SafetensorsHeader> {
  return withHeader(file, async ({ metadata, entries }) => ({
    metadata,
    tensors: new Map(entries.map(({ name, dtype, shape }) => [name, { dtype, shape }])),
  }));
}

/** Bytes of the header's length. */
const PREFIX = 8;

/** What a file consists of: the header with its length, then the elements of each tensor. */
export function safetensorsParts(
  tensors: NamedTensors,
  metadata: Readonly<Record<string, string>>,
): Uint8Array[] {
  const list: [string, Tensor][] = tensors instanceof Map ? [...tensors] : Object.entries(tensors);
  const header: [string, unknown][] = Object.keys(metadata).length > 0 ? [[METADATA, metadata]] : [];
  let at = 0;
  const parts = list.map(([name, tensor]) => {
    if (name === METADATA) throw new ValueError(`safetensors: a tensor cannot be named "${METADATA}"`);
    const bytes = elementBytes(needConcrete(tensor, `safetensors: ${quoted(name)}`));
    const range = [at, at + bytes.length];
    header.push([name, { dtype: NAMES[tensor.dtype], shape: tensor.shape, data_offsets: range }]);
    at += bytes.length;
    return bytes;
  });
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  const padded = Math.ceil(text.length / 8) * 8; // elements start at a multiple of 8
  const first = new Uint8Array(PREFIX + padded).fill(0x20);
  new DataView(first.buffer).setBigUint64(0, BigInt(padded), true);
  first.set(text, PREFIX);
  return [first, ...parts];
}

/** Opens a file, checks its header, and lets `body` read on from `start`. */
async function withHeader<T>(
  file: string,
  body: (header: Header, handle: FileHandle, start: number) => Promise<T>,
): Promise<T> {
  const handle = await open(file, "r");
  try {
    const { size } = await handle.stat();
    const prefix = await readBytes(handle, 0, Math.min(PREFIX, size), file);
    const length = headerLength(prefix, size, file);
    const start = PREFIX + length;
    const header = parseHeader(await readBytes(handle, PREFIX, length, file), size - start, file);
    return await body(header, handle, start);
  } finally {
    await handle.close();
  }
}

async function readBytes(
  handle: FileHandle,
  from: number,
  length: number,
  where: string,
): Promise<Uint8Array> {
  const out = new Uint8Array(length);
  for (let at = 0; at < length; ) {
    const { bytesRead } = await handle.read(out, at, Math.min(length - at, MAX_READ), from + at);
    if (bytesRead === 0) throw new MlsysError(`${where}: the file ended while it was read`);
    at += bytesRead;
  }
  return out;
}

function headerLength(prefix: Uint8Array, size: number, where: string): number {
  if (prefix.length < PREFIX)
    throw new MlsysError(`${where}: not a safetensors file: it has ${prefix.length} bytes`);
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER || Number(length) > size - PREFIX) {
    throw new MlsysError(
      `${where}: not a safetensors file: it claims a header of ${length} bytes in a file of ${size}`,
    );
  }
  return Number(length);
}

/** @param space bytes behind the header */
function parseHeader(bytes: Uint8Array, space: number, where: string): Header {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new MlsysError(`${where}: the header is not JSON: ${shortened((cause as Error).message)}`, {
      cause,
    });
  }
  if (!isRecord(parsed)) throw new MlsysError(`${where}: the header is not a JSON object`);
  const entries: Entry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(parsed)) {
    if (name === METADATA) metadata = checkMetadata(entry, where);
    else entries.push(checkEntry(name, entry, where));
  }
  let end = 0;
  for (const { name, from, to } of [...entries].sort((a, b) => a.from - b.from || a.to - b.to)) {
    if (from !== end)
      throw new MlsysError(
        `${where}: ${quoted(name)} starts at byte ${from}, expected ${end}: the entries overlap or leave a gap`,
      );
    end = to;
  }
  if (end !== space) throw new MlsysError(`${where}: the elements take ${end} bytes, the file has ${space}`);
  return { metadata, entries };
}

function checkMetadata(found: unknown, where: string): Record<string, string> {
  if (!isRecord(found) || !Object.values(found).every((value) => typeof value === "string"))
    throw new MlsysError(`${where}: ${METADATA} must map names to strings`);
  return found as Record<string, string>;
}

function checkEntry(name: string, found: unknown, where: string): Entry {
  const { dtype, shape, data_offsets: range } = isRecord(found) ? found : {};
  if (!isNaturals(shape) || !isNaturals(range) || range.length !== 2 || typeof dtype !== "string")
    throw new MlsysError(
      `${where}: the entry of ${quoted(name)} is malformed; it needs dtype, shape and data_offsets`,
    );
  const known = DTYPE_OF.get(dtype);
  if (!known)
    throw new MlsysError(
      `${where}: ${quoted(name)} has dtype ${shortened(dtype)}; this library has ${[...DTYPE_OF.keys()].join(", ")}`,
    );
  const [from, to] = range;
  if (to - from !== sizeOf(shape) * bytesPerElement(known))
    throw new MlsysError(
      `${where}: ${quoted(name)} is ${dtype}(${shortened(shape.join(", "))}) but has ${to - from} bytes`,
    );
  return { name, dtype: known, shape, from, to };
}

function toTensor({ dtype, shape }: Entry, bytes: Uint8Array): DenseTensor {
  return denseFromBytes(bytes, shape, dtype, getDevice());
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isNaturals = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);

/** Names and texts of a file in messages: a hostile one has them as long as itself. */
const shortened = (text: string): string => (text.length > 80 ? `${text.slice(0, 80)}…` : text);
const quoted = (name: string): string => JSON.stringify(shortened(name));
