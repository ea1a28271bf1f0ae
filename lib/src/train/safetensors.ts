/**
 * safetensors: tensors by name in one file: a 64-bit little-endian header length, a JSON header of dtypes, shapes and
 * byte ranges, then the elements. Nothing in it is executed. (huggingface/safetensors, format description.)
 */
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { bytesPerElement, type DType, hostView } from "../core/dtype.js";
import { MlsysError, ValueError } from "../core/errors.js";
import { sizeOf } from "../core/shape.js";
import type { Tensor } from "../core/tensor.js";
import { type DenseTensor, denseFrom } from "../runtime/dense.js";
import { getDevice } from "../runtime/devices.js";

const NAMES: Record<DType, string> = {
  float64: "F64",
  float32: "F32",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint8: "U8",
  bool: "BOOL",
};
const DTYPE_OF = new Map(Object.entries(NAMES).map(([dtype, name]) => [name, dtype as DType]));

/** Longest header that is read: what the reference implementation allows. */
const MAX_HEADER = 100_000_000;

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: [number, number];
}

/** The bytes of a safetensors file. */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const header: Record<string, unknown> = Object.keys(metadata).length > 0 ? { __metadata__: metadata } : {};
  const parts: Uint8Array[] = [];
  let at = 0;
  for (const [name, tensor] of tensors) {
    if (name === "__metadata__") throw new ValueError('safetensors: a tensor cannot be named "__metadata__"');
    const data = tensor.toTypedArray();
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    header[name] = { dtype: NAMES[tensor.dtype], shape: tensor.shape, data_offsets: [at, at + bytes.length] };
    parts.push(bytes);
    at += bytes.length;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const padded = Math.ceil(text.length / 8) * 8; // elements start at a multiple of 8
  const out = new Uint8Array(8 + padded + at);
  new DataView(out.buffer).setBigUint64(0, BigInt(padded), true);
  out.fill(0x20, 8 + text.length, 8 + padded);
  out.set(text, 8);
  let offset = 8 + padded;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

function parseHeader(bytes: Uint8Array, where: string): { header: Record<string, unknown>; start: number } {
  if (bytes.length < 8)
    throw new MlsysError(`${where}: not a safetensors file: it has ${bytes.length} bytes`);
  const length = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true);
  if (length > MAX_HEADER || Number(length) > bytes.length - 8) {
    throw new MlsysError(
      `${where}: not a safetensors file: it claims a header of ${length} bytes in a file of ${bytes.length}`,
    );
  }
  const start = 8 + Number(length);
  let header: unknown;
  try {
    header = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(8, start)));
  } catch (cause) {
    throw new MlsysError(`${where}: the header is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (typeof header !== "object" || header === null || Array.isArray(header))
    throw new MlsysError(`${where}: the header is not a JSON object`);
  return { header: header as Record<string, unknown>, start };
}

function checkEntry(name: string, entry: unknown, where: string): HeaderEntry {
  const { dtype, shape, data_offsets: range } = (entry ?? {}) as Partial<HeaderEntry>;
  const natural = (n: unknown): n is number => Number.isSafeInteger(n) && (n as number) >= 0;
  if (
    !Array.isArray(shape) ||
    !shape.every(natural) ||
    !Array.isArray(range) ||
    range.length !== 2 ||
    !range.every(natural) ||
    typeof dtype !== "string"
  ) {
    throw new MlsysError(`${where}: the entry of "${name}" is malformed: ${JSON.stringify(entry)}`);
  }
  const known = DTYPE_OF.get(dtype);
  if (!known)
    throw new MlsysError(
      `${where}: "${name}" has dtype ${dtype}; this library has ${[...DTYPE_OF.keys()].join(", ")}`,
    );
  const [from, to] = range;
  if (to - from !== sizeOf(shape) * bytesPerElement(known)) {
    throw new MlsysError(`${where}: "${name}" is ${dtype}(${shape}) but has ${to - from} bytes`);
  }
  return { dtype, shape, data_offsets: [from, to] };
}

/**
 * The tensors of a safetensors file.
 * @throws MlsysError naming the entry if the file is cut short, overlaps, has gaps or holds unknown dtypes.
 */
export function decodeSafetensors(bytes: Uint8Array, where = "safetensors"): Map<string, DenseTensor> {
  const { header, start } = parseHeader(bytes, where);
  const entries = Object.entries(header)
    .filter(([name]) => name !== "__metadata__")
    .map(([name, entry]): [string, HeaderEntry] => [name, checkEntry(name, entry, where)]);
  let end = 0;
  for (const [name, { data_offsets }] of [...entries].sort(
    ([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0] || a.data_offsets[1] - b.data_offsets[1],
  )) {
    if (data_offsets[0] !== end)
      throw new MlsysError(
        `${where}: "${name}" starts at byte ${data_offsets[0]}, expected ${end}: the entries overlap or leave a gap`,
      );
    end = data_offsets[1];
  }
  if (start + end !== bytes.length)
    throw new MlsysError(`${where}: the elements take ${end} bytes, the file has ${bytes.length - start}`);
  const out = new Map<string, DenseTensor>();
  for (const [name, { dtype, shape, data_offsets }] of entries) {
    const type = DTYPE_OF.get(dtype) as DType;
    const copy = bytes.slice(start + data_offsets[0], start + data_offsets[1]); // aligned, whatever the file's own alignment
    out.set(name, denseFrom(hostView(type, copy.buffer, 0, sizeOf(shape)), shape, type, getDevice()));
  }
  return out;
}

/** Writes tensors to a file: first beside it, then in its place, so that a crash leaves the old file whole. */
export async function saveSafetensors(
  file: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const bytes = encodeSafetensors(tensors, metadata);
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}.partial`;
  try {
    const handle = await open(partial, "w");
    try {
      await handle.writeFile(bytes);
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

/** Reads the tensors of a file. @throws MlsysError if it is damaged. */
export async function loadSafetensors(file: string): Promise<Map<string, DenseTensor>> {
  return decodeSafetensors(await readFile(file), file);
}
