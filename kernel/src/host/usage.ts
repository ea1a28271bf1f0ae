/** What the system says about a process. Reads /proc: only Linux tells without a tool. */
import { readFileSync } from "node:fs";

export interface ProcessUsage {
  cpuSeconds: number;
  /** Resident bytes. */
  memory: number;
  /** Running, or waiting for a processor: not waiting for anything else. */
  runnable: boolean;
}

export function processUsage(pid: number | undefined): ProcessUsage | undefined {
  if (pid === undefined || process.platform !== "linux") return undefined;
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const pages = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    return {
      cpuSeconds: (Number(fields[11]) + Number(fields[12])) / 100,
      memory: pages * 4096,
      runnable: fields[0] === "R",
    };
  } catch {
    return undefined;
  }
}
