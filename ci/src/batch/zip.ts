/**
 * Submissions in a zip file. Whoever handed them in may have named them as they liked: nothing is written outside the
 * folder, no link is made, and what is too large, too many or not what it says is told, entry by entry.
 */
import { createWriteStream } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { crc32 } from "node:zlib";
import * as yauzl from "yauzl";
import { InputError, type InputProblem, messageOf } from "../errors.js";
import { MAX_NOTEBOOK_BYTES } from "../notebook/format.js";

export interface ZipLimits {
  entries: number;
  /** Of one file, unpacked. */
  fileBytes: number;
  /** Of all files that are unpacked. */
  totalBytes: number;
}

export const ZIP_LIMITS: ZipLimits = {
  entries: 50_000,
  fileBytes: MAX_NOTEBOOK_BYTES,
  totalBytes: 4 * 1024 ** 3,
};

/** An entry that is not there on the disk, and why. */
export interface RefusedEntry {
  /** As the archive has it: show it with care. */
  name: string;
  problem: InputProblem;
  message: string;
}

const S_IFMT = 0o170000;
const S_IFREG = 0o100000;
const MADE_ON_UNIX = 3;
const MAX_NAME = 240;

/**
 * Unpacks what grading reads: notebooks and nbgrader's `timestamp.txt`.
 * @returns the entries that were refused
 * @throws InputError when the file as a whole is no zip file, or has too many entries
 */
export async function unpack(
  path: string,
  folder: string,
  limits: ZipLimits = ZIP_LIMITS,
): Promise<RefusedEntry[]> {
  // Names are checked here, one by one: the library would give up the whole archive for one of them.
  const zip = await yauzl
    .openPromise(path, { decodeStrings: false, validateEntrySizes: true })
    .catch((error: unknown) => {
      throw new InputError(
        "bad-archive",
        `${path}: is not a zip file that can be read (${messageOf(error)})`,
      );
    });
  const refused: RefusedEntry[] = [];
  const seen = new Set<string>();
  let left = limits.totalBytes;
  let entries = 0;
  try {
    for await (const entry of zip.eachEntry()) {
      if (++entries > limits.entries)
        throw new InputError("bad-archive", `${path}: has more than ${limits.entries} entries`);
      const name = nameOf(entry);
      if (!isWanted(name)) continue;
      const refuse = (problem: InputProblem, message: string) =>
        refused.push({ name, problem, message: `${name}: ${message}` });
      const fault = faultOf(entry, name, limits, left);
      if (fault) {
        refuse(...fault);
        continue;
      }
      const target = join(folder, name);
      if (seen.has(name.normalize("NFC").toLowerCase())) {
        refuse("bad-archive", "stands twice in the archive");
        continue;
      }
      seen.add(name.normalize("NFC").toLowerCase());
      try {
        left -= await extract(zip, entry, target, Math.min(limits.fileBytes, left));
      } catch (error) {
        await rm(target, { force: true });
        refuse("bad-archive", `can't be unpacked (${messageOf(error)})`);
      }
    }
  } catch (error) {
    if (error instanceof InputError) throw error;
    throw new InputError("bad-archive", `${path}: the archive is damaged (${messageOf(error)})`);
  } finally {
    zip.close();
  }
  return refused;
}

function isWanted(name: string): boolean {
  const parts = name.split(/[\\/]/);
  const file = parts.at(-1) ?? "";
  // macOS keeps a twin of each file there.
  if (parts.includes("__MACOSX") || parts.includes(".ipynb_checkpoints")) return false;
  return (file.endsWith(".ipynb") && !file.startsWith(".")) || file === "timestamp.txt";
}

function faultOf(
  entry: yauzl.Entry,
  name: string,
  limits: ZipLimits,
  left: number,
): [InputProblem, string] | undefined {
  const wrong = yauzl.validateFileName(name);
  if (wrong !== null || name.includes("\0")) return ["bad-archive", "the path leads out of the archive"];
  if (name.split("/").some((part) => part === "" || part === "." || part.length > MAX_NAME))
    return ["bad-archive", "the path is not one of a file"];
  if (name.split("/").length > 12) return ["bad-archive", "lies too deep in folders"];
  const mode = (entry.externalFileAttributes >>> 16) & S_IFMT;
  if (entry.versionMadeBy >>> 8 === MADE_ON_UNIX && mode !== 0 && mode !== S_IFREG)
    return ["unreadable", "is not a regular file (links are not followed)"];
  if (entry.isEncrypted())
    return ["bad-archive", "is encrypted; unpack it with its password and give the folder"];
  if (entry.uncompressedSize > limits.fileBytes)
    return [
      "too-large",
      `${megabytes(entry.uncompressedSize)} unpacked is more than the limit of ${megabytes(limits.fileBytes)}`,
    ];
  if (entry.uncompressedSize > left)
    return ["too-large", `the archive holds more than ${megabytes(limits.totalBytes)} unpacked`];
  return undefined;
}

async function extract(
  zip: yauzl.ZipFile,
  entry: yauzl.Entry,
  target: string,
  maxBytes: number,
): Promise<number> {
  await mkdir(dirname(target), { recursive: true });
  let bytes = 0;
  let sum = 0;
  const meter = new Transform({
    transform(chunk: Buffer, _, next) {
      bytes += chunk.length;
      sum = crc32(chunk, sum);
      next(bytes > maxBytes ? new Error(`more than ${megabytes(maxBytes)}`) : null, chunk);
    },
  });
  const source = await zip.openReadStreamPromise(entry);
  // "wx": whatever is there already is not written over, and no link is followed.
  await pipeline(source, meter, createWriteStream(target, { flags: "wx", mode: 0o600 }));
  if (sum !== entry.crc32) throw new Error("its checksum is wrong: the archive is damaged");
  return bytes;
}

function nameOf(entry: yauzl.Entry): string {
  const raw = entry.fileNameRaw;
  return yauzl.getFileNameLowLevel(entry.generalPurposeBitFlag, raw, entry.extraFields, false);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(bytes < 1024 ** 2 ? 3 : 0)} MiB`;
}
