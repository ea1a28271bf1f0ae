/**
 * Module loading for cells: `import`, `import()`, `import.meta` and `require`, resolved from the notebook's folder.
 * `mlsys`, `@mlsys/*` and `tslab` are found from anywhere: the first two beside the kernel where the notebook's
 * folder has none, `tslab` always as the kernel's own shim, because the real one speaks to its own kernel.
 */
import { existsSync } from "node:fs";
import { createRequire, isBuiltin, register } from "node:module";
import { extname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { ModuleSettings } from "../link/messages.js";
import { loadOnce } from "./loading.js";
import { existingFile, mappedFile } from "./module-files.js";
import * as tslab from "./tslab.js";

const require = createRequire(import.meta.url);

const OURS = /^(mlsys|@mlsys\/[^/]+)($|\/)/;
const TSLAB = new URL("./tslab.js", import.meta.url).href;
/** Imports resolve from here, wherever `process.chdir` leads. */
export const NOTEBOOK = process.cwd();

type Namespace = Record<string, unknown>;
type Attributes = Record<string, string> | undefined;

let settings: ModuleSettings = { compilerOptions: {}, paths: {} };
let hooksInstalled = false;
let imports = 0;

/** Before the first import. */
export function useSettings(given: ModuleSettings): void {
  settings = given;
}

/** Loads a module for a static import; `names` are the bindings wanted from it. */
export async function importModule(
  specifier: string,
  names: readonly string[],
  attributes?: Attributes,
): Promise<Namespace> {
  const namespace = await load(specifier, attributes);
  const missing = names.filter((name) => !(name in namespace));
  const fallback = namespace.default;
  // Node finds the named exports of a CommonJS module by reading its text, and misses computed ones.
  if (missing.length === 0 || (typeof fallback !== "object" && typeof fallback !== "function") || !fallback)
    return namespace;
  return new Proxy(namespace, {
    get: (target, key) => (key in target ? target[key as string] : (fallback as Namespace)[key as string]),
  });
}

/** `import(specifier, { with })` of a cell. */
export function loadDynamic(specifier: unknown, options?: { with?: Attributes }): Promise<Namespace> {
  return load(String(specifier), options?.with);
}

export function makeMeta(): ImportMeta {
  const directory = NOTEBOOK;
  return {
    url: pathToFileURL(join(directory, "cell.ts")).href,
    dirname: directory,
    filename: join(directory, "cell.ts"),
    resolve: (specifier: string) => resolveSpecifier(specifier),
  } as ImportMeta;
}

export function makeRequire(): NodeJS.Require {
  const require = createRequire(join(NOTEBOOK, "cell.cjs"));
  const served = (id: string): unknown => {
    if (id === "tslab") return tslab;
    try {
      return require(id);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "MODULE_NOT_FOUND" || !OURS.test(id)) throw error;
      return createRequire(import.meta.url)(id);
    }
  };
  return Object.assign(served, require);
}

async function load(specifier: string, attributes: Attributes): Promise<Namespace> {
  if (isBuiltin(specifier)) loadOnce(specifier, () => require(specifier));
  let url = resolveSpecifier(specifier);
  let kind = attributes;
  if (url.startsWith("file:") && !url.includes("/node_modules/") && url !== TSLAB && !OURS.test(specifier)) {
    installHooks();
    if (extname(fileURLToPath(url)) === ".json" && !kind) kind = { type: "json" };
    // A name that Node has not seen, so that it asks the hooks, which know the file's version.
    url = `${url}?import=${++imports}`;
  }
  return (await import(url, kind ? { with: kind } : undefined)) as Namespace;
}

function resolveSpecifier(specifier: string): string {
  if (specifier === "tslab") return TSLAB;
  if (isBuiltin(specifier) || /^(data|https?|node):/.test(specifier)) return specifier;
  if (isFileSpecifier(specifier)) return resolveFile(specifier);
  const mapped = mappedFile(specifier, settings.paths);
  if (mapped !== undefined) return pathToFileURL(mapped).href;
  const parent = pathToFileURL(join(NOTEBOOK, "cell.mjs")).href;
  const own = OURS.test(specifier);
  try {
    const found = import.meta.resolve(specifier, parent);
    // A folder of that name without such a file, in a folder above that all may write, must not hide the package.
    if (!own || existsSync(fileURLToPath(found))) return found;
  } catch (error) {
    if (!own) throw explained(error, specifier);
  }
  return import.meta.resolve(specifier, import.meta.url);
}

function explained(error: unknown, specifier: string): unknown {
  if ((error as NodeJS.ErrnoException).code !== "ERR_MODULE_NOT_FOUND") return error;
  const name = specifier.match(/^(@[^/]+\/)?[^/]+/)?.[0];
  const message = `Cannot find package "${name}" from ${NOTEBOOK}. Install it there with: npm install ${name}`;
  return Object.assign(new Error(message), { code: "ERR_MODULE_NOT_FOUND" });
}

function resolveFile(specifier: string): string {
  const path = specifier.startsWith("file:") ? fileURLToPath(specifier) : resolve(NOTEBOOK, specifier);
  const file = existingFile(path);
  if (file !== undefined) return pathToFileURL(file).href;
  throw Object.assign(new Error(`Cannot find "${specifier}": there is no such file in ${NOTEBOOK}.`), {
    code: "ERR_MODULE_NOT_FOUND",
  });
}

function isFileSpecifier(specifier: string): boolean {
  return /^(\.{0,2}\/|file:|\.{1,2}$)/.test(specifier);
}

function installHooks(): void {
  if (hooksInstalled) return;
  hooksInstalled = true;
  // Makes Node read the source maps that the hooks put into the code; `positions.ts` asks for them.
  process.setSourceMapsEnabled(true);
  register("./module-hooks.js", import.meta.url, { data: { settings, notebook: NOTEBOOK } });
}
