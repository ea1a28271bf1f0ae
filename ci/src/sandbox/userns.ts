/**
 * The same walls as bubblewrap's, built by a shell from the tools of util-linux: own namespaces of every kind, no
 * network, an own read-only root. What is missing is the filter on system calls.
 */
import {
  type BoxCommand,
  type LevelSpec,
  prlimit,
  type Surroundings,
  setpriv,
  type Wrapped,
  withEnvironment,
} from "./command.js";

export const userns: LevelSpec = {
  level: "userns",
  title: "namespaces by unshare, own root",
  programs: {
    unshare: "util-linux",
    setpriv: "util-linux",
    prlimit: "util-linux",
    mount: "mount",
    pivot_root: "util-linux",
  },
  wrap,
};

function wrap({ argv, env, view, limits }: BoxCommand, { uid, scratch }: Surroundings): Wrapped {
  const program = [...withEnvironment(env), ...prlimit(limits), ...argv];
  // Root becomes a user that owns nothing. Others are root of their own namespace, and give up what that allows.
  const drop =
    uid !== undefined
      ? setpriv(uid)
      : [
          "setpriv",
          "--no-new-privs",
          "--bounding-set=-all",
          "--inh-caps=-all",
          "--securebits=+noroot,+noroot_locked",
          "--",
        ];
  const script = [
    "set -eu",
    `root=${quote(scratch)}`,
    "mount --make-rprivate /",
    `mount -t tmpfs -o mode=755,size=1m,nosuid tmpfs "$root"`,
    `tmpfs() { mkdir -p "$root$1"; mount -t tmpfs -o "mode=1777,size=$2,nosuid,nodev" tmpfs "$root$1"; }`,
    // What, and where: at its own place, if no other is named.
    `show() {`,
    `  to="\${2:-$1}"`,
    // "/bin" and "/lib" are links into "/usr" on most systems.
    `  if [ -h "$1" ] && [ -z "\${1%/*}" ]; then ln -s "$(readlink -f "$1")" "$root$1"; return; fi`,
    `  if [ -d "$1" ]; then mkdir -p "$root$to"; else mkdir -p "$root\${to%/*}"; : > "$root$to"; fi`,
    `  mount --bind "$1" "$root$to"`,
    // A mount keeps the flags that its namespace locked: they must be named again.
    `  for flags in ro ro,nosuid,nodev ro,nosuid,nodev,noexec ro,nosuid ro,nodev; do`,
    `    mount -o "remount,bind,$flags" "$root$to" 2>/dev/null && return; done`,
    `  echo "can't make $1 read-only" >&2; exit 1`,
    `}`,
    `mkdir -p "$root/proc" "$root/dev"; mount -t proc proc "$root/proc"`,
    `for device in null zero full random urandom; do : > "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done`,
    ...["self/fd fd", "self/fd/0 stdin", "self/fd/1 stdout", "self/fd/2 stderr"].map(
      (link) => `ln -s /proc/${link.split(" ")[0]} "$root/dev/${link.split(" ")[1]}"`,
    ),
    `tmpfs /dev/shm 16m`,
    `tmpfs /tmp ${limits.fileBytes}`,
    `tmpfs ${quote(view.cwd)} ${limits.fileBytes}`,
    ...view.readable.map((path) => `show ${quote(path)}`),
    ...(view.mounts ?? []).map(({ from, to }) => `show ${quote(from)} ${quote(to)}`),
    `if command -v ip >/dev/null; then ip link set lo up; fi`,
    ...(uid !== undefined ? [] : [`echo 0 > /proc/sys/user/max_user_namespaces 2>/dev/null || true`]),
    `mount -o remount,bind,ro "$root/proc/sys" 2>/dev/null || { mount --bind "$root/proc/sys" "$root/proc/sys"; mount -o remount,bind,ro "$root/proc/sys"; }`,
    `cd "$root"; mkdir .old; pivot_root . .old; umount -l /.old; rmdir /.old; mount -o remount,bind,ro,nosuid /`,
    `cd ${quote(view.cwd)}`,
    `exec ${[...drop, ...program].map(quote).join(" ")}`,
  ].join("\n");
  const user = uid !== undefined ? [] : ["--user", "--map-root-user"];
  return {
    argv: [
      "setpriv", "--pdeathsig=KILL", "--", "unshare", ...user, "--mount", "--pid", "--net", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child=SIGKILL",
      "--", "sh", "-c", script,
    ], // biome-ignore format: a command line
    env: {},
    cwd: "/",
  };
}

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
