/** A command to run in a box, and what each level of isolation makes of it. */
import { join } from "node:path";
import type { BoxLimits } from "./limits.js";
import type { View } from "./view.js";

/** From the strongest to none. */
export const LEVELS = ["bwrap", "userns", "uid", "none"] as const;
export type Level = (typeof LEVELS)[number];

export interface BoxCommand {
  argv: readonly string[];
  env: Readonly<Record<string, string>>;
  view: View;
  limits: BoxLimits;
}

export interface Surroundings {
  /** A user id that nobody has, for this box alone. Only root can give it: `undefined` when the grader is not root. */
  uid: number | undefined;
  /** A fresh folder for this box, outside of it. */
  scratch: string;
}

export interface Wrapped {
  argv: string[];
  /** Variables of the outermost program, beside the search path. */
  env: Record<string, string>;
  /** Working folder of the outermost program. */
  cwd: string;
  /** What file descriptor 3 gives to read. */
  descriptor3?: Buffer;
}

export interface LevelSpec {
  level: Level;
  /** What the level is made of, for messages. */
  title: string;
  /** Programs that must be installed, with the Debian package of each. */
  programs: Readonly<Record<string, string>>;
  needsRoot?: boolean;
  wrap(command: BoxCommand, surroundings: Surroundings): Wrapped;
}

/** Drops to a user without any rights, for good. */
export function setpriv(uid: number): string[] {
  return [
    "setpriv", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups", "--no-new-privs",
    "--bounding-set=-all", "--inh-caps=-all", "--",
  ]; // biome-ignore format: a command line
}

/** Limits that hold for each process. The number of processes is counted for the user, so it counts for the box. */
export function prlimit({ processes, fileBytes }: BoxLimits): string[] {
  return ["prlimit", "--core=0", "--nofile=4096", `--fsize=${fileBytes}`, `--nproc=${processes}`, "--"];
}

/** Starts a command with just these variables. */
export function withEnvironment(env: Readonly<Record<string, string>>): string[] {
  return ["env", "-i", ...Object.entries(env).map(([name, value]) => `${name}=${value}`)];
}

/** Where a box has no folders of its own, it gets one of the machine's. */
export function envIn(env: Readonly<Record<string, string>>, scratch: string): Record<string, string> {
  return { ...env, HOME: scratch, TMPDIR: scratch, MLSYS_HISTORY: join(scratch, "history") };
}
