/** What the system says about processes. Reads /proc: only Linux tells without a tool. */
import { readdirSync, readFileSync } from "node:fs";

export interface ProcessUsage {
  cpuSeconds: number;
  /** Resident bytes. */
  memory: number;
}

export function processUsage(pid: number | undefined): ProcessUsage | undefined {
  if (pid === undefined || process.platform !== "linux") return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    return { cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100, memory: pages * 4096 };
  } catch {
    return undefined;
  }
}

/** The processes that a process has started, theirs after their parent. Empty where the system does not tell. */
export function descendants(pid: number | undefined): number[] {
  if (pid === undefined || process.platform !== "linux") return [];
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .split(" ")
      .filter(Boolean)
      .flatMap((child) => [Number(child), ...descendants(Number(child))]);
  } catch {
    return []; // It ended meanwhile.
  }
}

/**
 * Measures time as processes live it: milliseconds since the start, without those in which one of them was ready to run
 * and the machine was busy with others.
 */
export class LivedTime {
  private readonly start = performance.now();
  /** Milliseconds that each process had waited for a processor when it was seen first. */
  private readonly before = new Map<number, number>();

  /** @returns milliseconds; without the deduction where the system does not tell. */
  since(pids: readonly number[]): number {
    let queued = 0;
    for (const pid of pids) {
      const now = waited(pid);
      if (!this.before.has(pid)) this.before.set(pid, now);
      queued += Math.max(0, now - this.before.get(pid)!);
    }
    return performance.now() - this.start - queued;
  }
}

/**
 * Milliseconds on the run queue (the second number of `schedstat`), of the first thread and of the one beside it that has
 * waited longest: a message to a process passes through both.
 */
function waited(pid: number): number {
  try {
    const threads = readdirSync(`/proc/${pid}/task`).map((thread) => queued(`/proc/${pid}/task/${thread}`));
    return threads[0]! + Math.max(0, ...threads.slice(1));
  } catch {
    return 0;
  }
}

function queued(thread: string): number {
  return Number(readFileSync(`${thread}/schedstat`, "utf8").split(" ")[1]) / 1e6 || 0;
}
