/** Values that every thread has for itself: exports of Node's modules, of CommonJS packages, of this library. */
import { createRequire } from "node:module";
import { LIBRARY } from "./library-url.js";

/** Where a thread finds a value: a module, and the keys that lead from it there. */
export interface ModulePath {
  readonly module: string;
  readonly keys: readonly string[];
}

const require = createRequire(import.meta.url);

const BUILTINS =
  "assert buffer child_process crypto dns events fs fs/promises http https module net os path perf_hooks process querystring readline stream stream/promises string_decoder timers timers/promises tls tty url util v8 vm worker_threads zlib".split(
    " ",
  );

let known: Map<unknown, ModulePath> | null = null;

function add(table: Map<unknown, ModulePath>, value: unknown, path: ModulePath): void {
  if ((typeof value === "function" || (typeof value === "object" && value !== null)) && !table.has(value))
    table.set(value, path);
}

/** The values of this process that threads can find. The library's are known once `learnLibrary` has run. */
function table(): Map<unknown, ModulePath> {
  if (known) return known;
  known = new Map();
  for (const name of BUILTINS) {
    const module = `node:${name}`;
    const found = require(module) as Record<string, unknown>;
    add(known, found, { module, keys: ["default"] });
    for (const key of Object.keys(found)) {
      const value = Object.getOwnPropertyDescriptor(found, key)?.value as unknown;
      if (typeof value === "function") add(known, value, { module, keys: [key] });
    }
  }
  return known;
}

/** Makes the library's exports known, three names deep. */
export async function learnLibrary(): Promise<void> {
  const all = table();
  if (all.has(LIBRARY)) return;
  all.set(LIBRARY, { module: LIBRARY, keys: [] });
  let library: Record<string, unknown>;
  try {
    library = (await import(LIBRARY)) as Record<string, unknown>;
  } catch {
    return; // run from sources: its functions travel as text
  }
  const visit = (value: unknown, keys: readonly string[]): void => {
    add(all, value, { module: LIBRARY, keys });
    if (typeof value !== "object" || value === null || keys.length >= 2 || !isNamespace(value)) return;
    for (const key of Object.keys(value)) visit((value as Record<string, unknown>)[key], [...keys, key]);
  };
  visit(library, []);
}

const isNamespace = (x: object): boolean => Object.prototype.toString.call(x) === "[object Module]";

/** Where threads find `value`, if they do. */
export function modulePathOf(value: unknown): ModulePath | undefined {
  const found = table().get(value);
  if (found) return found;
  if (typeof value === "object" && value !== null && isNamespace(value)) {
    const whole = table().get((value as { default?: unknown }).default);
    if (whole?.module.startsWith("node:")) return { module: whole.module, keys: [] };
  }
  for (const [file, module] of Object.entries(require.cache)) {
    if (module?.exports === value && value) return { module: file, keys: ["default"] };
    if (
      typeof value === "object" &&
      value !== null &&
      isNamespace(value) &&
      (value as { default?: unknown }).default === module?.exports
    )
      return { module: file, keys: [] };
  }
  return undefined;
}
