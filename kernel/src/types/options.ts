/** Compiler options of a session: the kernel's own, under those of a `tsconfig.json` beside the notebook. */
import { join, resolve } from "node:path";

import ts = require("typescript");

import type { Settings } from "./service.js";

const DEFAULTS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  lib: ["lib.es2023.d.ts", "lib.esnext.disposable.d.ts", "lib.esnext.decorators.d.ts"],
  strict: true,
  jsx: ts.JsxEmit.React,
  esModuleInterop: true,
  resolveJsonModule: true,
  types: [],
};

/** What the session's way of checking depends on. */
const FIXED: ts.CompilerOptions = {
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  moduleDetection: ts.ModuleDetectionKind.Force,
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

const DROPPED = [
  "rootDir",
  "rootDirs",
  "outDir",
  "outFile",
  "tsBuildInfoFile",
  "declarationDir",
  "configFilePath",
];

/** @param directory the notebook's folder. @returns the options, and what is wrong with the tsconfig, if anything. */
export function sessionOptions(directory: string): {
  options: ts.CompilerOptions;
  configured: boolean;
  problem?: string;
} {
  const file = join(directory, "tsconfig.json");
  if (!ts.sys.fileExists(file)) return { options: { ...DEFAULTS, ...FIXED }, configured: false };
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile);
  if (error) return { options: { ...DEFAULTS, ...FIXED }, configured: false, problem: text(error) };
  // The files of the project are not the session's: only what cells import is read.
  const parsed = ts.parseJsonConfigFileContent(
    { ...config, files: [], include: undefined },
    ts.sys,
    directory,
  );
  const own = Object.fromEntries(Object.entries(parsed.options).filter(([name]) => !DROPPED.includes(name)));
  const broken = parsed.errors.find((problem) => problem.code !== NO_FILES);
  const options = { ...DEFAULTS, ...own, ...FIXED };
  return { options, configured: true, ...(broken ? { problem: text(broken) } : {}) };
}

/** The names that classic JSX calls. */
export function jsxNames(options: ts.CompilerOptions): string[] {
  const factories = [
    options.jsxFactory ?? "React.createElement",
    options.jsxFragmentFactory ?? "React.Fragment",
  ];
  return [...new Set(factories.map((factory) => factory.split(".")[0]!))];
}

/** The options that change what code does, as the transpiler and the loader of modules want them. */
export function transpileSettings(options: ts.CompilerOptions): Omit<Settings, "problem"> {
  const { jsxFactory, jsxFragmentFactory, jsxImportSource, experimentalDecorators, useDefineForClassFields } =
    options;
  const automatic = options.jsx === ts.JsxEmit.ReactJSX || options.jsx === ts.JsxEmit.ReactJSXDev;
  const base = options.baseUrl ?? (options.pathsBasePath as string | undefined) ?? process.cwd();
  const absolute = Object.entries(options.paths ?? {}).map(([pattern, targets]) => [
    pattern,
    targets.map((target) => resolve(base, target)),
  ]);
  return {
    compilerOptions: {
      jsx: automatic ? "react-jsx" : "react",
      jsxFactory,
      jsxFragmentFactory,
      jsxImportSource,
      experimentalDecorators,
      useDefineForClassFields: useDefineForClassFields ?? true,
    },
    paths: Object.fromEntries(absolute) as Record<string, string[]>,
  };
}

/** "The 'files' list in config file is empty." */
const NO_FILES = 18002;

function text(diagnostic: ts.Diagnostic): string {
  return ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n");
}
