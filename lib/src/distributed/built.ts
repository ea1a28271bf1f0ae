/** Modules that threads start with: as they are built, also when the library runs from its sources (in its own tests). */
import { existsSync } from "node:fs";

/** @param from `import.meta.url` of who asks */
export function builtModule(path: string, from: string): URL {
  const beside = new URL(path, from);
  return existsSync(beside)
    ? beside
    : new URL(beside.href.replace("/src/distributed/", "/dist/distributed/"));
}
