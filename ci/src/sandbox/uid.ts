/**
 * Another user: the box can't write the grader's files, signal its processes or look into their memory. It sees the
 * machine's file system as any user does, and has the network.
 */
import { symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type BoxCommand,
  envIn,
  type LevelSpec,
  prlimit,
  type Surroundings,
  setpriv,
  type Wrapped,
  withEnvironment,
} from "./command.js";

export const uid: LevelSpec = {
  level: "uid",
  title: "another user (setpriv), limits per process",
  programs: { setpriv: "util-linux", prlimit: "util-linux" },
  needsRoot: true,
  wrap,
};

function wrap({ argv, env, view, limits }: BoxCommand, { uid, scratch }: Surroundings): Wrapped {
  if (uid === undefined) throw new Error("only root can become another user");
  // Packages are found from the working folder upwards; the assignment's own folder need not be readable.
  const packages = view.readable.find(
    (path) => dirname(view.cwd).startsWith(dirname(path)) && path.endsWith("/node_modules"),
  );
  if (packages !== undefined) symlinkSync(packages, join(scratch, "node_modules"));
  const [command, ...drop] = setpriv(uid);
  return {
    argv: [
      command,
      "--pdeathsig=KILL",
      ...drop,
      ...withEnvironment(envIn(env, scratch)),
      ...prlimit(limits),
      ...argv,
    ],
    env: {},
    cwd: scratch,
  };
}
