/** A folder that is there whole or not at all, whatever stops its making. */
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const partial = (place: string, process: number | string): string => `${place}.partial-${process}`;

/** Calls `make` with a folder beside `place`, and gives that its name when `make` is done; what was there goes then. */
export async function makeWhole<T>(place: string, make: (folder: string) => Promise<T>): Promise<T> {
  removeLeftovers(place);
  const folder = partial(place, process.pid);
  try {
    mkdirSync(folder, { recursive: true });
    const made = await make(folder);
    putInPlace(folder, place);
    return made;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Of several that are ready at the same moment, the last one stays. */
function putInPlace(folder: string, place: string): void {
  for (let tries = 0; ; tries++) {
    rmSync(place, { recursive: true, force: true });
    try {
      renameSync(folder, place);
      return;
    } catch (error) {
      const taken = ["ENOTEMPTY", "EEXIST"].includes((error as NodeJS.ErrnoException).code ?? "");
      if (!taken || tries === 9) throw error;
    }
  }
}

/** What makers left that were killed before they could tidy up; those still under way keep theirs. */
function removeLeftovers(place: string): void {
  const stem = partial(basename(place), "");
  mkdirSync(dirname(place), { recursive: true });
  for (const entry of readdirSync(dirname(place))) {
    if (!entry.startsWith(stem)) continue;
    try {
      process.kill(Number(entry.slice(stem.length)), 0);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") continue; // another user's
      rmSync(join(dirname(place), entry), { recursive: true, force: true });
    }
  }
}
