/**
 * Control groups: limits on memory, processes and processor that hold for all processes of a box together, and the
 * kernel's own record of what they used. Version 2 where its controllers are at hand, else version 1.
 * Source: kernel.org, admin-guide/cgroup-v2.rst and cgroup-v1/{memory,pids,cpuacct}.rst.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BoxLimits } from "./limits.js";

export type Controller = "memory" | "pids" | "cpu" | "cpuacct";

export interface GroupUsage {
  cpuMs: number | undefined;
  /** Processes that the kernel ended because the group was out of memory. */
  oomKills: number;
  /** Forks that the limit on processes refused. */
  refusedForks: number;
}

/** One group for one box. */
export interface Group {
  version: 1 | 2;
  controllers: readonly Controller[];
  /** A process writes `0` to each to join. */
  readonly joinFiles: readonly string[];
  usage(): GroupUsage;
  /** Ends every process in it, and removes it. */
  destroy(): Promise<void>;
}

export interface CgroupRoots {
  /** Where `/sys/fs/cgroup` and `/proc/self/cgroup` are: tests have their own. */
  mount: string;
  self: string;
}
const SYSTEM: CgroupRoots = { mount: "/sys/fs/cgroup", self: "/proc/self/cgroup" };

/** Names tell whose groups they are: those of a grader that was killed are found again. */
export const OWNED = "mlsys-box-";

let count = 0;

/**
 * A group with limits, `undefined` where this machine lets us make none. Controllers that are missing are left out:
 * `controllers` says which limits hold.
 */
export function createGroup(limits: BoxLimits, roots: CgroupRoots = SYSTEM): Group | undefined {
  const name = `${OWNED}${process.pid}-${++count}`;
  return createV2(name, limits, roots) ?? createV1(name, limits, roots);
}

/** Removes the groups of a grader process that is gone, with all that still runs in them. */
export async function sweepGroups(
  isGone: (pid: number) => boolean,
  roots: CgroupRoots = SYSTEM,
): Promise<void> {
  const own = ownGroups(roots);
  const mounts = [roots.mount, join(roots.mount, "unified")];
  const v1 = [...own]
    .filter(([name]) => name !== "")
    .map(([name, path]) => [join(roots.mount, name), path] as const);
  const v2 = mounts.map((mount) => [mount, own.get("") ?? "/"] as const);
  for (const [mount, path] of [...v1, ...v2]) {
    for (const parent of new Set([join(mount, path), mount])) {
      for (const name of entriesOf(parent)) {
        const pid = ownerOf(name);
        if (pid !== undefined && isGone(pid)) await destroy([join(parent, name)]);
      }
    }
  }
}

/** The process whose box a group or a folder was made for. */
export function ownerOf(name: string): number | undefined {
  const match = new RegExp(`^${OWNED}(\\d+)-`).exec(name);
  return match ? Number(match[1]) : undefined;
}

export function entriesOf(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

const V2_WANTED = ["memory", "pids", "cpu"] as const;

function createV2(name: string, limits: BoxLimits, roots: CgroupRoots): Group | undefined {
  const parent = ownGroups(roots).get("");
  if (parent === undefined) return undefined;
  const mount = [roots.mount, join(roots.mount, "unified")].find((path) =>
    existsSync(join(path, "cgroup.controllers")),
  );
  if (mount === undefined) return undefined;
  // The own group may not hand controllers down while it has processes; root may use the top instead.
  for (const above of new Set([join(mount, parent), mount])) {
    for (const controller of V2_WANTED)
      attempt(() => writeFileSync(join(above, "cgroup.subtree_control"), `+${controller}`));
    const path = join(above, name);
    if (!attempt(() => mkdirSync(path))) continue;
    const has = (file: string) => existsSync(join(path, file));
    const controllers = V2_WANTED.filter((controller) => has(V2_FILE[controller]));
    if (!controllers.includes("memory")) {
      attempt(() => rmdirSync(path));
      continue;
    }
    const put = (file: string, value: string) => {
      if (has(file)) attempt(() => writeFileSync(join(path, file), value));
    };
    put("memory.max", String(limits.memoryBytes));
    put("memory.swap.max", "0");
    put("pids.max", String(limits.processes));
    put("cpu.max", `${Math.round(limits.cpus * 100_000)} 100000`);
    return {
      version: 2,
      controllers: controllers.includes("cpu") ? [...controllers, "cpuacct"] : controllers,
      joinFiles: [join(path, "cgroup.procs")],
      usage: () => ({
        cpuMs: scaled(field(read(path, "cpu.stat"), "usage_usec"), 1e-3),
        oomKills: field(read(path, "memory.events"), "oom_kill") ?? 0,
        refusedForks: field(read(path, "pids.events"), "max") ?? 0,
      }),
      destroy: () => destroy([path]),
    };
  }
  return undefined;
}

const V2_FILE = { memory: "memory.max", pids: "pids.max", cpu: "cpu.max" } as const;

function createV1(name: string, limits: BoxLimits, roots: CgroupRoots): Group | undefined {
  const own = ownGroups(roots);
  const paths = new Map<Controller, string>();
  for (const controller of ["memory", "pids", "cpu", "cpuacct"] as const) {
    const parent = own.get(controller);
    if (parent === undefined) continue;
    // Inside a container the path of the host may not exist: then the top is the own group.
    for (const above of new Set([join(roots.mount, controller, parent), join(roots.mount, controller)])) {
      const path = join(above, name);
      if (existsSync(above) && (existsSync(path) || attempt(() => mkdirSync(path)))) {
        paths.set(controller, path);
        break;
      }
    }
  }
  const put = (controller: Controller, file: string, value: string): boolean => {
    const path = paths.get(controller);
    return path !== undefined && attempt(() => writeFileSync(join(path, file), value));
  };
  const held: Controller[] = [];
  if (put("memory", "memory.limit_in_bytes", String(limits.memoryBytes))) held.push("memory");
  put("memory", "memory.memsw.limit_in_bytes", String(limits.memoryBytes));
  if (put("pids", "pids.max", String(limits.processes))) held.push("pids");
  put("cpu", "cpu.cfs_period_us", "100000");
  if (put("cpu", "cpu.cfs_quota_us", String(Math.round(limits.cpus * 100_000)))) held.push("cpu");
  if (paths.has("cpuacct")) held.push("cpuacct");
  if (held.length === 0) {
    for (const path of paths.values()) attempt(() => rmdirSync(path));
    return undefined;
  }
  const text = (controller: Controller, file: string) => read(paths.get(controller) ?? "/nonexistent", file);
  return {
    version: 1,
    controllers: held,
    joinFiles: [...paths.values()].map((path) => join(path, "cgroup.procs")),
    usage: () => ({
      cpuMs: scaled(numberOf(text("cpuacct", "cpuacct.usage")), 1e-6),
      oomKills: field(text("memory", "memory.oom_control"), "oom_kill") ?? 0,
      refusedForks: field(text("pids", "pids.events"), "max") ?? 0,
    }),
    destroy: () => destroy([...paths.values()]),
  };
}

/** `/proc/self/cgroup`: controller (empty for version 2) to the path of the own group. */
function ownGroups(roots: CgroupRoots): Map<string, string> {
  const groups = new Map<string, string>();
  let text: string;
  try {
    text = readFileSync(roots.self, "utf8");
  } catch {
    return groups;
  }
  for (const line of text.split("\n")) {
    const [, names, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (names === undefined || path === undefined) continue;
    for (const name of names.split(",")) groups.set(name, path);
  }
  return groups;
}

async function destroy(paths: readonly string[]): Promise<void> {
  for (let round = 0; round < 200; round++) {
    let left = 0;
    for (const path of paths) {
      if (existsSync(join(path, "cgroup.kill"))) attempt(() => writeFileSync(join(path, "cgroup.kill"), "1"));
      for (const pid of read(path, "cgroup.procs").split("\n").filter(Boolean)) {
        left++;
        attempt(() => process.kill(Number(pid), "SIGKILL"));
      }
    }
    if (left === 0 && paths.every((path) => !existsSync(path) || attempt(() => rmdirSync(path)))) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}

function read(path: string, file: string): string {
  try {
    return readFileSync(join(path, file), "utf8");
  } catch {
    return "";
  }
}

/** A line `name number`. */
function field(text: string, name: string): number | undefined {
  const match = new RegExp(`^${name} (\\d+)$`, "m").exec(text);
  return match ? Number(match[1]) : undefined;
}

function numberOf(text: string): number | undefined {
  return /^\d+\s*$/.test(text) ? Number(text) : undefined;
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor;
}
