/** The command `mlsys-grade` as a process of its own. */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { COURSE } from "./course.js";

export const BIN = fileURLToPath(new URL("../../bin/mlsys-grade.mjs", import.meta.url));

// The test runner may ask for colours, as CI systems do; these tests read the words.
export const PLAIN: NodeJS.ProcessEnv = { ...process.env, NO_COLOR: "1", FORCE_COLOR: undefined };

export interface Run {
  code: number;
  out: string;
  err: string;
}

/** Runs it to its end. */
export function command(cwd: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [BIN, ...args],
      { cwd, encoding: "utf8", env: { ...PLAIN, ...env } },
      (error, out, err) => {
        resolve({ code: error ? Number(error.code) : 0, out, err });
      },
    );
  });
}

/** In the fixture course. */
export function grade(...args: string[]): Promise<Run> {
  return command(COURSE, args);
}
