/** Folders of cached files do not grow for ever: those that were not used for longest go first. */
import { readdirSync, rmSync, statSync, utimesSync } from "node:fs";
import { join } from "node:path";

const MEGABYTE = 2 ** 20;

/** Bytes that a cache folder may have: `MLSYS_CACHE_MB` megabytes; default 256. */
export function cacheLimit(): number {
  const asked = Number(process.env.MLSYS_CACHE_MB ?? 256);
  return (asked >= 0 ? asked : 256) * MEGABYTE;
}

/** A file was used just now. It may be gone: another process trims too. */
export function touch(file: string): void {
  const now = new Date();
  try {
    utimesSync(file, now, now);
  } catch {}
}

/** Removes the files that were not used for longest until the others have `limit` bytes at most; `keep` stays. */
export function trimFolder(folder: string, limit: number, keep?: string): void {
  const files = readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const info = statSync(path, { throwIfNoEntry: false });
    return info?.isFile() ? [{ path, bytes: info.size, used: info.mtimeMs }] : [];
  });
  let total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  for (const { path, bytes } of files.sort((a, b) => a.used - b.used)) {
    if (total <= limit) return;
    if (path === keep) continue;
    rmSync(path, { force: true });
    total -= bytes;
  }
}
