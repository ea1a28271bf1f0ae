/**
 * Bubblewrap: own namespaces of every kind, no network, an own read-only root that shows little, folders of fixed
 * size to write to, no capabilities, and a filter on system calls.
 */
import { dirname } from "node:path";
import {
  type BoxCommand,
  type LevelSpec,
  prlimit,
  type Surroundings,
  setpriv,
  type Wrapped,
} from "./command.js";
import { seccompFilter } from "./seccomp.js";

/** `nobody`, inside; outside it is the user who runs the grader. */
const INNER_UID = 65534;
const SMALL_TMPFS = 16 * 1024 * 1024;

export const bwrap: LevelSpec = {
  level: "bwrap",
  title: "bubblewrap: namespaces, own root, system call filter",
  programs: { bwrap: "bubblewrap", setpriv: "util-linux", prlimit: "util-linux" },
  wrap,
};

function wrap({ argv, env, view, limits }: BoxCommand, { uid }: Surroundings): Wrapped {
  const filter = seccompFilter();
  const tmpfs = (size: number, path: string) => ["--perms", "1777", "--size", String(size), "--tmpfs", path];
  // Root maps no user but becomes one that owns nothing; others can only become nobody in a world of their own.
  const namespaces =
    uid !== undefined
      ? ["--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"]
      : [
          "--unshare-all",
          "--unshare-user",
          "--disable-userns",
          "--uid",
          String(INNER_UID),
          "--gid",
          String(INNER_UID),
        ];
  const capabilities =
    uid !== undefined
      ? [
          "--cap-drop",
          "ALL",
          ...["SETUID", "SETGID", "SETPCAP"].flatMap((name) => ["--cap-add", `CAP_${name}`]),
        ]
      : ["--cap-drop", "ALL"];
  const sandbox = [
    "bwrap", ...namespaces, "--die-with-parent", "--new-session", "--hostname", "box", "--clearenv",
    ...Object.entries(env).flatMap(([name, value]) => ["--setenv", name, value]),
    "--proc", "/proc", "--dev", "/dev", ...tmpfs(SMALL_TMPFS, "/dev/shm"), "--remount-ro", "/dev",
    ...tmpfs(limits.fileBytes, "/tmp"),
    ...parentsOf(view.cwd), ...tmpfs(limits.fileBytes, view.cwd),
    ...view.readable.flatMap((path) => [...parentsOf(path), "--ro-bind", path, path]),
    ...(view.mounts ?? []).flatMap(({ from, to }) => ["--ro-bind", from, to]),
    "--remount-ro", "/", "--chdir", view.cwd, ...capabilities,
    ...(filter ? ["--seccomp", "3"] : []), "--",
  ]; // biome-ignore format: a command line
  return {
    argv: [...sandbox, ...(uid === undefined ? [] : setpriv(uid)), ...prlimit(limits), ...argv],
    env: {},
    cwd: "/",
    descriptor3: filter,
  };
}

/** The folders above, from the top: bubblewrap would make some for root alone. */
function parentsOf(path: string): string[] {
  const parent = dirname(path);
  return parent === "/" ? [] : [...parentsOf(parent), "--perms", "0755", "--dir", parent];
}
