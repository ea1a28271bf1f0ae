/**
 * Node's module hooks for the reader's own files: TypeScript and JSX through esbuild with its source map inside,
 * WebAssembly as a module, and hot reload. Runs on Node's hooks thread, from the first import of such a file on.
 */
import { readFile } from "node:fs/promises";
import type { InitializeHook, LoadHook, ResolveHook } from "node:module";
import { dirname, resolve as resolvePath } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { transform } from "esbuild";
import type { ModuleSettings } from "../link/messages.js";
import { wasmInterface } from "../types/wasm.js";
import { existingFile, mappedFile } from "./module-files.js";
import { ModuleVersions } from "./module-versions.js";

const TRANSPILED = /\.([cm]?)tsx?$|\.jsx$/;

let settings: ModuleSettings;
let versions: ModuleVersions;

export const initialize: InitializeHook<{ settings: ModuleSettings; notebook: string }> = (data) => {
  settings = data.settings;
  versions = new ModuleVersions(data.notebook);
};

export const resolve: ResolveHook = async (specifier, context, next) => {
  const file = ownFile(specifier, context.parentURL);
  if (file === undefined) return next(specifier, context);
  const { href } = pathToFileURL(file);
  const version = await versions.of(file);
  const attributes = file.endsWith(".json") ? { importAttributes: { type: "json" } } : {};
  return { url: version === "" ? href : `${href}?version=${version}`, shortCircuit: true, ...attributes };
};

/** The reader's file that is meant; undefined for packages and Node's own modules. */
function ownFile(specifier: string, parent: string | undefined): string | undefined {
  if (/^file:.*\?import=\d+$/.test(specifier))
    return fileURLToPath(specifier.slice(0, specifier.lastIndexOf("?")));
  if (!parent?.startsWith("file:") || parent.includes("/node_modules/")) return undefined;
  const file = /^\.{0,2}\//.test(specifier)
    ? existingFile(resolvePath(dirname(fileURLToPath(parent)), specifier))
    : mappedFile(specifier, settings.paths);
  return file?.includes("/node_modules/") ? undefined : file;
}

export const load: LoadHook = async (url, context, next) => {
  if (!url.startsWith("file:") || url.includes("/node_modules/")) return next(url, context);
  const file = fileURLToPath(url.replace(/\?.*$/, ""));
  if (file.endsWith(".wasm")) return { format: "module", source: await wasmModule(file), shortCircuit: true };
  if (!TRANSPILED.test(file)) return next(url, context);
  const commonjs = file.endsWith(".cts");
  const { code } = await transform(await readFile(file, "utf8"), {
    loader: file.endsWith("x") ? (file.endsWith(".jsx") ? "jsx" : "tsx") : "ts",
    format: commonjs ? "cjs" : "esm",
    target: "es2022",
    sourcemap: "inline",
    sourcefile: file,
    tsconfigRaw: { compilerOptions: settings.compilerOptions },
  });
  return { format: commonjs ? "commonjs" : "module", source: code, shortCircuit: true };
};

/** A module with the same exports, as the proposal for WebAssembly modules has it. */
async function wasmModule(file: string): Promise<string> {
  const bytes = await readFile(file);
  const { exports, imports } = wasmInterface(bytes);
  const object = imports.map((name, index) => `${JSON.stringify(name)}: i${index}`).join(", ");
  return [
    ...imports.map((name, index) => `import * as i${index} from ${JSON.stringify(name)};`),
    `const bytes = Buffer.from(${JSON.stringify(bytes.toString("base64"))}, "base64");`,
    `const { instance } = await WebAssembly.instantiate(bytes, { ${object} });`,
    ...exports.map(
      ({ name }, index) =>
        `const e${index} = instance.exports[${JSON.stringify(name)}]; export { e${index} as ${JSON.stringify(name)} };`,
    ),
  ].join("\n");
}
