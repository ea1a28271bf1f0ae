/** Where in the user's code an op was called: the first frame of the stack outside the library. */
import { fileURLToPath } from "node:url";

/** The library's own folder: `…/lib/src/` or `…/lib/dist/`. */
const LIBRARY = new URL("..", import.meta.url);
const OWN = [LIBRARY.href, fileURLToPath(LIBRARY)];

/** Stack frames to look through: the library's own depth between the user's call and an op. */
const DEPTH = 40;

/** `file:line:column`, or `null` if only the library is on the stack. */
export function callerLocation(): string | null {
  const before = Error.stackTraceLimit;
  Error.stackTraceLimit = DEPTH;
  const { stack = "" } = new Error();
  Error.stackTraceLimit = before;
  for (const line of stack.split("\n").slice(1)) {
    const place = /\(?((?:file:\/\/|node:)?[^()\s][^()]*):(\d+):(\d+)\)?$/.exec(
      line.replace(/^\s*at (?:async )?/, ""),
    );
    if (!place) continue;
    const file = place[1].replace(/^.*\(/, "").replace(/^.* /, "");
    if (file.startsWith("node:") || file.includes("/node_modules/") || file === "<anonymous>") continue;
    if (OWN.some((folder) => file.startsWith(folder)) && !/\.test\.[jt]s$/.test(file)) continue;
    return `${file.startsWith("file://") ? fileURLToPath(file) : file}:${place[2]}:${place[3]}`;
  }
  return null;
}
