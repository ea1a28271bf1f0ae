/**
 * Models on disk: single files, or folders laid out as Triton's model repositories are: `NAME/VERSION/model.onnx`, with a
 * `NAME/config.json` where the defaults do not do.
 */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, extname, join } from "node:path";
import type { ModelFormat, ModelSource } from "./backend.js";
import { type ModelOptions, optionsFromJson, type VersionPolicy } from "./config.js";
import { quoted, ServeError } from "./errors.js";

/** A file of a version, and what tells whether it is still the same. */
export interface VersionFile {
  readonly path: string;
  readonly format: ModelFormat;
  readonly stamp: string;
}

export interface FoundModel {
  readonly options: ModelOptions;
  /** By number, oldest first. */
  readonly versions: ReadonlyMap<string, VersionFile>;
}

const FORMATS: Readonly<Record<string, ModelFormat>> = {
  ".onnx": "onnx",
  ".mlsys": "mlsys",
  ".json": "tfjs",
};
const KNOWN = "model.onnx, model.mlsys or model.json (TF.js)";

/** Largest configuration that is read. */
const MOST_CONFIG = 2 ** 20;

/** Names are parts of paths and of URLs. */
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const VERSION = /^[1-9][0-9]{0,15}$/;

/** @throws ServeError INVALID_ARGUMENT */
export function checkName(name: string): string {
  if (NAME.test(name)) return name;
  throw new ServeError(
    "INVALID_ARGUMENT",
    `a model's name has up to 128 letters, digits, "_", "." and "-", got ${quoted(name)}`,
  );
}

/** @throws ServeError INVALID_ARGUMENT */
export function checkVersion(version: string | number): string {
  const text = String(version);
  if (VERSION.test(text)) return text;
  throw new ServeError("INVALID_ARGUMENT", `a version is a whole number from 1, got ${quoted(text)}`);
}

export const byNumber = (a: string, b: string): number => Number(a) - Number(b);

/** Those of the versions that the policy keeps. */
export function kept(versions: Iterable<string>, policy: VersionPolicy): string[] {
  const sorted = [...versions].sort(byNumber);
  if (policy === "all") return sorted;
  if ("latest" in policy) return sorted.slice(-policy.latest);
  const wanted = new Set(policy.map(String));
  return sorted.filter((version) => wanted.has(version));
}

/** @throws ServeError NOT_FOUND, or INVALID_ARGUMENT for a file that is no model by its name. */
export async function modelFile(path: string): Promise<VersionFile> {
  const format = FORMATS[extname(path).toLowerCase()];
  const info = await stat(path).catch(() => null);
  if (!info?.isFile()) throw new ServeError("NOT_FOUND", `${path}: there is no such file`);
  if (!format)
    throw new ServeError(
      "INVALID_ARGUMENT",
      `${path}: not a model by its name; known: ${Object.keys(FORMATS).join(", ")}`,
    );
  return { path, format, stamp: `${path} ${info.size} ${info.mtimeMs} ${info.ino}` };
}

const subfolders = async (folder: string): Promise<string[]> => {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink()).map(({ name }) => name);
};

/** Whether a folder is one model's: it has versions. */
export async function isModelFolder(folder: string): Promise<boolean> {
  return (await subfolders(folder)).some((name) => VERSION.test(name));
}

/** Names of the models in a repository. */
export async function modelsIn(repository: string): Promise<string[]> {
  const names = (await subfolders(repository)).filter((name) => NAME.test(name));
  const found = await Promise.all(names.map((name) => isModelFolder(join(repository, name))));
  return names.filter((_, i) => found[i]).sort();
}

/** A model's folder as it is now. @throws ServeError NOT_FOUND or INVALID_ARGUMENT naming the file. */
export async function readModelFolder(folder: string): Promise<FoundModel> {
  const options = await readConfig(join(folder, "config.json"));
  const numbers = (await subfolders(folder)).filter((name) => VERSION.test(name)).sort(byNumber);
  const versions = new Map<string, VersionFile>();
  for (const number of numbers) {
    const files = (await readdir(join(folder, number))).filter((name) =>
      /^model\.(onnx|mlsys|json)$/.test(name),
    );
    if (files.length > 1)
      throw new ServeError(
        "INVALID_ARGUMENT",
        `${join(folder, number)}: one of ${files.join(", ")} is meant, which?`,
      );
    if (files.length === 1) versions.set(number, await modelFile(join(folder, number, files[0])));
  }
  if (versions.size === 0)
    throw new ServeError("NOT_FOUND", `${folder}: no version of a model is there (1/ with ${KNOWN})`);
  return { options, versions };
}

async function readConfig(file: string): Promise<ModelOptions> {
  const info = await stat(file).catch(() => null);
  if (info === null) return {};
  if (info.size > MOST_CONFIG)
    throw new ServeError("INVALID_ARGUMENT", `${file}: ${info.size} bytes are no configuration`);
  let json: unknown;
  try {
    json = JSON.parse(await readFile(file, "utf8"));
  } catch (cause) {
    throw new ServeError("INVALID_ARGUMENT", `${file}: not JSON: ${(cause as Error).message.slice(0, 200)}`, {
      cause,
    });
  }
  return optionsFromJson(json, file);
}

/** The name that a file or folder gives its model. */
export const nameOf = (path: string): string =>
  checkName(basename(path, extname(path)).replaceAll(/[^A-Za-z0-9_.-]/g, "_"));

export const sourceOf = (
  name: string,
  version: string,
  { path, format }: VersionFile,
): Pick<ModelSource, "name" | "version" | "path" | "format"> => ({ name, version, path, format });
