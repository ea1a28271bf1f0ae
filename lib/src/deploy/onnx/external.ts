/** Files beside a model that hold its weights, read as far as its tensors say. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { insideOf } from "../inside.js";
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
    const descriptor = openSync(
      insideOf(folder, location, (problem) => {
        throw new OnnxError(`${where}: its elements are ${problem}`);
      }),
      "r",
    );
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
