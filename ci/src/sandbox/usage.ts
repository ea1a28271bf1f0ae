/** What the processes under one process use, from `/proc`: where there are no control groups. Source: proc(5). */
import { readdirSync, readFileSync, statSync } from "node:fs";

export interface TreeUsage {
  cpuMs: number;
  memoryBytes: number;
  processes: number;
}

/** `sysconf(_SC_CLK_TCK)` and the page size of Linux on the machines that Node runs on. */
const TICK_MS = 10;
const PAGE = 4096;

interface Stat {
  parent: number;
  cpuMs: number;
  memoryBytes: number;
}

/** Of `root` and all that it started; `undefined` where there is no `/proc`. */
export function treeUsage(root: number): TreeUsage | undefined {
  const all = new Map<number, Stat>();
  for (const pid of processIds()) {
    const stat = statOf(pid);
    if (stat) all.set(pid, stat);
  }
  if (all.size === 0) return undefined;
  const total: TreeUsage = { cpuMs: 0, memoryBytes: 0, processes: 0 };
  for (const [pid, stat] of all) {
    if (!isBelow(pid, root, all)) continue;
    total.cpuMs += stat.cpuMs;
    total.memoryBytes += stat.memoryBytes;
    total.processes++;
  }
  return total;
}

/** Processes of a user. */
export function processesOf(uid: number): number[] {
  return processIds().filter((pid) => {
    try {
      return statSync(`/proc/${pid}`).uid === uid;
    } catch {
      return false;
    }
  });
}

function processIds(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function isBelow(pid: number, root: number, all: ReadonlyMap<number, Stat>): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 0; at = all.get(at)?.parent)
    if (at === root) return true;
  return false;
}

function statOf(pid: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The name, in parentheses, may hold anything.
    const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
    // Fields 14 to 17: own time, and that of children that were waited for.
    const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
    return { parent: Number(fields[1]), cpuMs: ticks * TICK_MS, memoryBytes: Number(fields[21]) * PAGE };
  } catch {
    return undefined;
  }
}
