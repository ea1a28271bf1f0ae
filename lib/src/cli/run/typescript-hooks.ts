/**
 * Module hooks by which Node runs TypeScript as it is: types are dropped file by file (nothing is checked), stack traces
 * point at the source, `./x.js` and `./x` find `./x.ts`, and `mlsys` and its parts (`mlsys/ros`)
 * are this library's where the script's folder has none.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { readFile, rename, writeFile } from "node:fs/promises";
import { createRequire, type InitializeHook, type LoadHook, type ResolveHook } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type * as Typescript from "typescript";
import { cacheFolder } from "../../runtime/native/toolchain.js";

let library = "";

export const initialize: InitializeHook<{ library: string }> = (data) => {
  library = data.library;
};

/** What a path that isn't there may stand for. */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [/\.js$/, ".ts"],
  [/\.mjs$/, ".mts"],
  [/\.cjs$/, ".cts"],
  [/(?<!\.[cm]?[jt]s)$/, ".ts"],
  [/\/?$/, "/index.ts"],
];

const isMissing = (error: unknown): boolean =>
  ["ERR_MODULE_NOT_FOUND", "ERR_UNSUPPORTED_DIR_IMPORT"].includes(
    (error as NodeJS.ErrnoException).code ?? "",
  );

export const resolve: ResolveHook = async (specifier, context, next) => {
  try {
    return await next(specifier, context);
  } catch (error) {
    if (!isMissing(error)) throw error;
    if (specifier === "mlsys") return { url: library, shortCircuit: true };
    if (specifier.startsWith("mlsys/")) return next(specifier, { ...context, parentURL: library }); // by its own package.json
    if (!/^(\.{0,2}\/|file:)/.test(specifier)) throw error;
    for (const [pattern, ending] of INSTEAD) {
      if (!pattern.test(specifier)) continue;
      try {
        return await next(specifier.replace(pattern, ending), context);
      } catch (second) {
        if (!isMissing(second)) throw second;
      }
    }
    throw error;
  }
};

export const load: LoadHook = async (url, context, next) => {
  const path = url.split(/[?#]/)[0];
  const kind = /^file:.*\.([cm]?)ts$/.exec(path)?.[1];
  if (kind === undefined) return next(url, context);
  const file = fileURLToPath(path);
  const format = kind === "c" ? "commonjs" : "module";
  return { format, source: await kept(await readFile(file, "utf8"), file, format), shortCircuit: true };
};

/** Made once for all members and starts: the compiler takes half a second of a core to load. */
async function kept(source: string, file: string, format: string): Promise<string> {
  const { version } = createRequire(import.meta.url)("typescript/package.json") as { version: string };
  const hash = createHash("sha256")
    .update(JSON.stringify([source, file, format, version]))
    .digest("hex");
  const path = join(cacheFolder("typescript"), `${hash.slice(0, 40)}.js`);
  if (existsSync(path)) return readFile(path, "utf8");
  const made = await toJavaScript(source, file, format);
  const own = `${path}.${process.pid}`;
  await writeFile(own, made);
  await rename(own, path); // whole or not at all, also with several members
  return made;
}

/** @throws SyntaxError with the place */
async function toJavaScript(source: string, fileName: string, format: string): Promise<string> {
  const { default: ts } = (await import("typescript")) as unknown as { default: typeof Typescript };
  const { outputText, diagnostics = [] } = ts.transpileModule(source, {
    fileName,
    reportDiagnostics: true,
    compilerOptions: {
      module: format === "commonjs" ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022, // Node 20 has no `using`
      inlineSourceMap: true,
      inlineSources: true,
    },
  });
  const [first] = diagnostics.filter(({ category }) => category === ts.DiagnosticCategory.Error);
  if (!first) return outputText;
  const { line, character } = ts.getLineAndCharacterOfPosition(
    first.file ?? ts.createSourceFile(fileName, source, ts.ScriptTarget.ES2022),
    first.start ?? 0,
  );
  const text = ts.flattenDiagnosticMessageText(first.messageText, "\n");
  throw new SyntaxError(`${fileName}:${line + 1}:${character + 1}: ${text}`);
}
