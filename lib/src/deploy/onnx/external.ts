/**
 * Files beside a model that hold its weights. A model names them; it may name nothing outside its own folder (CVE-2022-25882,
 * CVE-2024-27318: path traversal through `location`), links included.
 */
import { closeSync, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { isAbsolute, relative, resolve, sep } from "node:path";
import type { ExternalReader } from "./elements.js";
import { OnnxError, quoted } from "./schema.js";

/** Most bytes that one read may ask for. */
const MAX_READ = 2 ** 30;

/** Reads files of this folder, each opened once; `close` when done. */
export function folderReader(folder: string): { read: ExternalReader; close: () => void } {
  const open = new Map<string, { descriptor: number; size: number }>();
  const find = (location: string, where: string) => {
    const known = open.get(location);
    if (known) return known;
    const descriptor = openSync(insideOf(folder, location, where), "r");
    const made = { descriptor, size: fstatSync(descriptor).size };
    open.set(location, made);
    return made;
  };
  return {
    read: (location, offset, length, where) => {
      const { descriptor, size } = find(location, where);
      if (offset + length > size)
        throw new OnnxError(
          `${where}: bytes ${offset} to ${offset + length} of ${quoted(location)}, which has ${size}`,
        );
      const out = new Uint8Array(length);
      for (let at = 0; at < length; ) {
        const count = readSync(descriptor, out, at, Math.min(length - at, MAX_READ), offset + at);
        if (count === 0) throw new OnnxError(`${where}: ${quoted(location)} ended while it was read`);
        at += count;
      }
      return out;
    },
    close: () => {
      for (const { descriptor } of open.values()) closeSync(descriptor);
      open.clear();
    },
  };
}

/** The path of a file inside the folder. @throws OnnxError if it is missing or lies elsewhere. */
function insideOf(folder: string, location: string, where: string): string {
  const leaves = (path: string): boolean => path === ".." || path.startsWith(`..${sep}`) || isAbsolute(path);
  const refuse = (): OnnxError =>
    new OnnxError(`${where}: its elements are said to be in ${quoted(location)}, outside the model's folder`);
  if (isAbsolute(location) || location.includes("\0") || leaves(relative(folder, resolve(folder, location))))
    throw refuse();
  let real: string;
  try {
    real = realpathSync(resolve(folder, location));
  } catch {
    throw new OnnxError(`${where}: its elements are in ${quoted(location)}, which is not beside the model`);
  }
  if (leaves(relative(realpathSync(folder), real))) throw refuse();
  return real;
}
