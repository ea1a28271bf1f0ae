/**
 * The manifest of a distributed checkpoint: which tensors there are, and which file has which elements of them. It appears
 * when all files are there, by one rename: a checkpoint is there whole or not at all.
 *
 *     DIR/checkpoint.json                             the manifest
 *     DIR/save-00000007/rank-00000-of-00002.safetensors   what rank 0 wrote: vectors of elements, row-major
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type DType, isDType } from "../../core/dtype.js";
import { MlsysError } from "../../core/errors.js";
import { type Shape, sizeOf } from "../../core/shape.js";

export const MANIFEST = "checkpoint.json";
const FORMAT = "mlsys.distributed.checkpoint";
const VERSION = 1;

export interface ManifestFile {
  /** From the checkpoint's folder. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Elements of a tensor that follow one another, row-major, in a file. */
export interface ManifestPart {
  readonly file: number;
  /** Of the first element, in the file. */
  readonly offset: number;
  /** Of the elements, in the tensor. */
  readonly from: number;
  readonly count: number;
}

export interface ManifestTensor {
  readonly dtype: DType;
  readonly shape: Shape;
  /** In the order of the elements, without gaps. */
  readonly parts: readonly ManifestPart[];
}

export interface Manifest {
  /** Number of ranks that wrote it. */
  readonly ranks: number;
  readonly folder: string;
  readonly files: readonly ManifestFile[];
  /** By names as in a plain checkpoint: `model.…`, `optimizer.…`. */
  readonly tensors: ReadonlyMap<string, ManifestTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

export function manifestText({ ranks, folder, files, tensors, metadata }: Manifest): string {
  const all = Object.fromEntries(tensors);
  return `${JSON.stringify({ format: FORMAT, version: VERSION, ranks, folder, files, metadata, tensors: all })}\n`;
}

/** @throws MlsysError if there is none, or it is damaged */
export async function readManifest(dir: string): Promise<Manifest> {
  const file = join(dir, MANIFEST);
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new MlsysError(`${dir}: there is no checkpoint (${MANIFEST} is missing)`, { cause });
  }
  return parseManifest(text, file);
}

/** @throws MlsysError naming what is wrong */
export function parseManifest(text: string, where: string): Manifest {
  const bad = (what: string): never => {
    throw new MlsysError(`${where}: the manifest is damaged: ${what}`);
  };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new MlsysError(`${where}: the manifest is damaged: it is not JSON`, { cause });
  }
  const found = (isRecord(parsed) ? parsed : bad("it is no object")) as Record<string, unknown>;
  if (found.format !== FORMAT) bad(`its format is ${JSON.stringify(found.format)}, not ${FORMAT}`);
  if (found.version !== VERSION)
    bad(`it has version ${String(found.version)}; this library reads version ${VERSION}`);
  const { ranks, folder, files, tensors, metadata } = found;
  if (!isNatural(ranks) || ranks < 1) bad("the number of ranks is missing");
  if (typeof folder !== "string" || !/^save-\d+$/.test(folder)) bad("the folder is missing");
  if (!Array.isArray(files) || !files.every(isFile)) bad("the list of files is malformed");
  if (!isRecord(metadata) || !Object.values(metadata).every((text) => typeof text === "string"))
    bad("the metadata are no texts");
  if (!isRecord(tensors)) bad("the tensors are missing");
  const list = Object.entries(tensors as Record<string, unknown>).map(
    ([name, entry]): [string, ManifestTensor] => {
      if (!isTensor(entry)) return bad(`the entry of ${JSON.stringify(name)} is malformed`);
      let at = 0;
      for (const { file, from, count } of entry.parts) {
        if (file >= (files as unknown[]).length)
          bad(`${JSON.stringify(name)} is in file ${file}, which is not listed`);
        if (from !== at) bad(`${JSON.stringify(name)} has a part at element ${from}, expected ${at}`);
        at += count;
      }
      if (at !== sizeOf(entry.shape))
        bad(`${JSON.stringify(name)} has ${at} of ${sizeOf(entry.shape)} elements`);
      return [name, entry];
    },
  );
  return { ranks, folder, files, metadata, tensors: new Map(list) } as Manifest;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const isNatural = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

const isFile = (value: unknown): value is ManifestFile =>
  isRecord(value) &&
  typeof value.path === "string" &&
  /^rank-\d+-of-\d+\.safetensors$/.test(value.path) &&
  isNatural(value.bytes) &&
  typeof value.sha256 === "string";

const isTensor = (value: unknown): value is ManifestTensor =>
  isRecord(value) &&
  typeof value.dtype === "string" &&
  isDType(value.dtype) &&
  Array.isArray(value.shape) &&
  value.shape.every(isNatural) &&
  Array.isArray(value.parts) &&
  value.parts.every(
    (part: unknown) =>
      isRecord(part) &&
      isNatural(part.file) &&
      isNatural(part.offset) &&
      isNatural(part.from) &&
      isNatural(part.count),
  );
