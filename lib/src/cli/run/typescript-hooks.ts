/**
 * Module hooks by which Node runs TypeScript as it is: types are dropped file by file (nothing is checked), stack traces
 * point at the source, `./x.js` and `./x` find `./x.ts`, and `mlsys` is this library where the script's folder has none.
 */
import { readFile } from "node:fs/promises";
import type { InitializeHook, LoadHook, ResolveHook } from "node:module";
import { fileURLToPath } from "node:url";
import type * as Typescript from "typescript";

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
  const source = await readFile(fileURLToPath(path), "utf8");
  const isCommon = kind === "c";
  return {
    format: isCommon ? "commonjs" : "module",
    source: await toJavaScript(source, fileURLToPath(path), isCommon),
    shortCircuit: true,
  };
};

/** @throws SyntaxError with the place */
async function toJavaScript(source: string, fileName: string, isCommon: boolean): Promise<string> {
  const { default: ts } = (await import("typescript")) as unknown as { default: typeof Typescript };
  const { outputText, diagnostics = [] } = ts.transpileModule(source, {
    fileName,
    reportDiagnostics: true,
    compilerOptions: {
      module: isCommon ? ts.ModuleKind.CommonJS : ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2022, // Node 20's own `using` is none
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
