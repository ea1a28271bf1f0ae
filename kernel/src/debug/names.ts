/** What sources are called: cells by the hash of their text, as front ends do; and which scripts are never shown. */
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { murmur2 } from "./murmur2.js";

/**
 * JupyterLab shows the cell's number in the place of a path that has "ipykernel_" in it, and the path itself otherwise.
 * The same in every kernel: after a restart JupyterLab restores breakpoints twice over, at once, and where the prefix has
 * changed one of the two keeps the paths of before.
 */
export const TMP_PREFIX = join(tmpdir(), "ipykernel_mlsys") + sep;
export const TMP_SUFFIX = ".ts";
export const HASH_SEED = 0xc70f6907;

/** The path under which front ends know a cell; no such file is written. */
export function cellPath(source: string): string {
  return `${TMP_PREFIX}${murmur2(source, HASH_SEED)}${TMP_SUFFIX}`;
}

export function isCellPath(path: string): boolean {
  return path.startsWith(TMP_PREFIX);
}

const KERNEL = new URL("..", import.meta.url).href;

/** For V8: it steps over what matches. (Node's own modules it cannot be told of.) */
export const SKIPPED_PATTERNS: readonly string[] = [`^${KERNEL.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")}`];

/** Node's own modules and the kernel's: the reader does not see them. */
export function isHidden(url: string): boolean {
  return url.startsWith("node:") || url.startsWith(KERNEL);
}
