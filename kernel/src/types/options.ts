/** Compiler options of a session: the kernel's own, under those of a `tsconfig.json` beside the notebook. As a tsconfig has them. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(import.meta.url);

export type TsconfigOptions = Readonly<Record<string, unknown>>;

export const DEFAULT_OPTIONS: TsconfigOptions = {
  target: "es2023",
  lib: ["es2023", "esnext.disposable", "esnext.decorators"],
  strict: true,
  jsx: "react",
  esModuleInterop: true,
  resolveJsonModule: true,
  types: [],
};

/** What the session's way of checking depends on. */
export const FIXED_OPTIONS: TsconfigOptions = {
  module: "esnext",
  moduleResolution: "bundler",
  moduleDetection: "force",
  customConditions: ["node"],
  allowImportingTsExtensions: true,
  allowArbitraryExtensions: true,
  allowJs: true,
  checkJs: true,
  noEmit: true,
  composite: false,
  incremental: false,
  isolatedModules: false,
  isolatedDeclarations: false,
  verbatimModuleSyntax: false,
  declaration: false,
  skipLibCheck: true,
  allowUnreachableCode: true,
  allowUnusedLabels: true,
  noUnusedLocals: false,
  noUnusedParameters: false,
  importHelpers: false,
};

/** `import x = require("y")` is refused in ES modules; a cell has `require`. */
export const IMPORT_EQUALS = 1202;

/** A session that uses tslab. */
export const TSLAB_IMPORT = /\b(?:from|require\s*\(|import)\s*["']tslab["']/;

/** Of a project's build: nothing to a session. */
export const DROPPED_OPTIONS = [
  "rootDir",
  "rootDirs",
  "outDir",
  "outFile",
  "tsBuildInfoFile",
  "declarationDir",
];

/** Declarations that every cell sees: of the kernel's globals, and of Node. */
export function ambientFiles(directory: string): string[] {
  return [fileURLToPath(new URL("../worker/globals.d.ts", import.meta.url)), ...nodeTypes(directory)];
}

/** The declarations that stand for `tslab`. */
export const TSLAB = fileURLToPath(new URL("../worker/tslab.d.ts", import.meta.url));

/** `@types/node`: the notebook's own where it has one, else the kernel's, never both. */
function nodeTypes(directory: string): string[] {
  for (const from of [join(directory, "cell.js"), HERE]) {
    try {
      return [join(dirname(createRequire(from).resolve("@types/node/package.json")), "index.d.ts")];
    } catch {
      // Not there: try the next place.
    }
  }
  return [];
}
