/** The session's compiler options as TypeScript 6 wants them. */
import { join, resolve } from "node:path";

import ts = require("typescript");

import { DEFAULT_OPTIONS, DROPPED_OPTIONS, FIXED_OPTIONS, type TsconfigOptions } from "./options.js";
import type { Settings } from "./service.js";

/** "The 'files' list in config file is empty." */
const NO_FILES = 18002;

/** @param directory the notebook's folder. @returns the options, and what is wrong with the tsconfig, if anything. */
export function languageOptions(directory: string): {
  options: ts.CompilerOptions;
  configured: boolean;
  problem?: string;
} {
  const file = join(directory, "tsconfig.json");
  const [defaults, fixed] = [converted(DEFAULT_OPTIONS, directory), converted(FIXED_OPTIONS, directory)];
  if (!ts.sys.fileExists(file)) return { options: { ...defaults, ...fixed }, configured: false };
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile);
  if (error) return { options: { ...defaults, ...fixed }, configured: false, problem: text(error) };
  // The files of the project are not the session's: only what cells import is read.
  const parsed = ts.parseJsonConfigFileContent(
    { ...config, files: [], include: undefined },
    ts.sys,
    directory,
  );
  const dropped = [...DROPPED_OPTIONS, "configFilePath"];
  const own = Object.fromEntries(Object.entries(parsed.options).filter(([name]) => !dropped.includes(name)));
  const broken = parsed.errors.find((problem) => problem.code !== NO_FILES);
  const options = { ...defaults, ...own, ...fixed };
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

function converted(options: TsconfigOptions, directory: string): ts.CompilerOptions {
  return ts.convertCompilerOptionsFromJson(options, directory).options;
}

function text(diagnostic: ts.Diagnostic): string {
  return ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n");
}
