/** Parts of an installation that can be stopped and gone on with: each notes when it is done, and for which request. */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

const note = (home: string, part: string): string => join(home, "done", part);

/** Of a folder that was copied or moved nothing counts: what was built knows its place. */
const stamp = (home: string, request: string): string => `${resolve(home)}\n${request}`;

/** True if `part` was done for this very request. */
export function isDone(home: string, part: string, request: string): boolean {
  try {
    return readFileSync(note(home, part), "utf8") === stamp(home, request);
  } catch {
    return false;
  }
}

/** Does `work` unless it was done for the same request. @returns whether it worked now */
export async function once(
  home: string,
  part: string,
  request: string,
  work: () => Promise<void>,
): Promise<boolean> {
  if (isDone(home, part, request)) return false;
  forget(home, part);
  await work();
  mkdirSync(join(home, "done"), { recursive: true });
  writeFileSync(note(home, part), stamp(home, request));
  return true;
}

/** The part is to be done anew. */
export function forget(home: string, part: string): void {
  rmSync(note(home, part), { force: true });
}
