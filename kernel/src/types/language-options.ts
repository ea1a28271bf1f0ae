/** The session's compiler options as TypeScript 6 wants them. */
import { join } from "node:path";

import ts = require("typescript");

import { DEFAULT_OPTIONS, DROPPED_OPTIONS, FIXED_OPTIONS, type TsconfigOptions } from "./options.js";

/** "The 'files' list in config file is empty." */
const NO_FILES = 18002;

/** @param directory the notebook's folder. @returns the options, and what is wrong with the tsconfig, if anything. */
export function languageOptions(directory: string): { options: ts.CompilerOptions; problem?: string } {
  const file = join(directory, "tsconfig.json");
  const [defaults, fixed] = [converted(DEFAULT_OPTIONS, directory), converted(FIXED_OPTIONS, directory)];
  if (!ts.sys.fileExists(file)) return { options: { ...defaults, ...fixed } };
  const { config, error } = ts.readConfigFile(file, ts.sys.readFile);
  if (error) return { options: { ...defaults, ...fixed }, problem: text(error) };
  // The files of the project are not the session's: only what cells import is read.
  const parsed = ts.parseJsonConfigFileContent(
    { ...config, files: [], include: undefined },
    ts.sys,
    directory,
  );
  const dropped = [...DROPPED_OPTIONS, "configFilePath"];
  const own = Object.fromEntries(Object.entries(parsed.options).filter(([name]) => !dropped.includes(name)));
  const broken = parsed.errors.find((problem) => problem.code !== NO_FILES);
  return { options: { ...defaults, ...own, ...fixed }, ...(broken ? { problem: text(broken) } : {}) };
}

function converted(options: TsconfigOptions, directory: string): ts.CompilerOptions {
  return ts.convertCompilerOptionsFromJson(options, directory).options;
}

function text(diagnostic: ts.Diagnostic): string {
  return ts.flattenDiagnosticMessageText(diagnostic.messageText, "\n");
}
