/** Where in the user's code an op was called: the first frame of the stack outside the library. */
import { fileURLToPath } from "node:url";

/** The library's own folder: `…/lib/src/` or `…/lib/dist/`. */
const LIBRARY = new URL("..", import.meta.url);
const OWN = [LIBRARY.href, fileURLToPath(LIBRARY)];

/** Stack frames to look through: the library's own depth between the user's call and an op. */
const DEPTH = 40;

/** `file:line:column`, or `null` if only the library is on the stack. */
export function callerLocation(): string | null {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const formatted = prepareStackTrace === undefined && process.sourceMapsEnabled; // by Node itself, out of our reach
  Error.stackTraceLimit = DEPTH;
  let site: NodeJS.CallSite | undefined;
  try {
    if (!formatted)
      Error.prepareStackTrace = (error, sites) => {
        site = sites.find((each) => !isOwn(each.getScriptNameOrSourceURL()));
        return site && prepareStackTrace ? prepareStackTrace(error, [site]) : "";
      };
    const { stack = "" } = new Error();
    if (site && !prepareStackTrace)
      return `${pathOf(site.getScriptNameOrSourceURL() ?? "")}:${site.getLineNumber()}:${site.getColumnNumber()}`;
    return firstOutside(String(stack));
  } finally {
    Object.assign(Error, { stackTraceLimit, prepareStackTrace });
  }
}

const pathOf = (file: string): string => (file.startsWith("file://") ? fileURLToPath(file) : file);

const own = new Map<string, boolean>();

/** True for files of the library, of packages and of Node, and for code without a file. */
function isOwn(file: string | null | undefined): boolean {
  if (!file) return true;
  let known = own.get(file);
  if (known === undefined) {
    known =
      file.startsWith("node:") ||
      file.includes("/node_modules/") ||
      file === "<anonymous>" ||
      (OWN.some((folder) => file.startsWith(folder)) && !/\.test\.[jt]s$/.test(file));
    own.set(file, known);
  }
  return known;
}

/** The first such place in a stack's text. */
function firstOutside(stack: string): string | null {
  for (const line of stack.split("\n").slice(1)) {
    const place = /\(?((?:file:\/\/|node:)?[^()\s][^()]*):(\d+):(\d+)\)?$/.exec(
      line.replace(/^\s*at (?:async )?/, ""),
    );
    const file = place?.[1].replace(/^.*\(/, "").replace(/^.* /, "");
    if (place && file && !isOwn(file)) return `${pathOf(file)}:${place[2]}:${place[3]}`;
  }
  return null;
}
