/** usage_request: processor time and memory of host and worker, in the words of ipykernel and of each by itself. */
import { readFileSync } from "node:fs";
import { cpus, freemem, hostname, totalmem } from "node:os";
import type { Handler } from "../context.js";
import { processUsage } from "../usage.js";

interface Moment {
  /** Nanoseconds. */
  time: bigint;
  /** Seconds of processor time that each process has used, by its id. */
  used: Map<number, number>;
  machine: Pick<MachineTime, "busy" | "all">;
}

interface MachineTime {
  busy: number;
  all: number;
}

let before: Moment = { time: process.hrtime.bigint(), used: new Map(), machine: machineTime() };

/** Percentages are of one processor, since the question before. */
export const usage: Handler = (_request, { executor }) => {
  const now: Moment = { time: process.hrtime.bigint(), used: new Map(), machine: machineTime() };
  const elapsed = Number(now.time - before.time) / 1e9;
  const measured = (pid: number | undefined, seconds: number, memory: number) => {
    const since = seconds - (before.used.get(pid ?? 0) ?? 0);
    now.used.set(pid ?? 0, seconds);
    return { pid, cpu: elapsed > 0 ? Math.max(0, (since / elapsed) * 100) : 0, memory };
  };
  const { user, system } = process.cpuUsage();
  const host = measured(process.pid, (user + system) / 1e6, process.memoryUsage.rss());
  const { cpuSeconds, memory } = processUsage(executor.workerPid) ?? { cpuSeconds: 0, memory: 0 };
  const worker = measured(executor.workerPid, cpuSeconds, memory);
  const busy = now.machine.busy - before.machine.busy;
  const all = now.machine.all - before.machine.all;
  before = now;
  const available = availableMemory();
  return {
    status: "ok",
    hostname: hostname(),
    pid: process.pid,
    kernel_cpu: host.cpu + worker.cpu,
    kernel_memory: host.memory + worker.memory,
    processes: { host, worker },
    cpu_count: cpus().length,
    host_cpu_percent: all > 0 ? (busy / all) * 100 : 0,
    host_virtual_memory: {
      total: totalmem(),
      available,
      used: totalmem() - available,
      free: freemem(),
      percent: (1 - available / totalmem()) * 100,
    },
  };
};

function machineTime(): MachineTime {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (values: number[]) => values.reduce((total, value) => total + value, 0);
  const all = sum(times.flatMap((time) => Object.values(time)));
  return { all, busy: all - sum(times.map(({ idle }) => idle)) };
}

/** Bytes that a process may still get; on Linux the page cache counts, which "free" leaves out. */
function availableMemory(): number {
  try {
    const line = /^MemAvailable:\s+(\d+) kB/m.exec(readFileSync("/proc/meminfo", "utf8"));
    if (line) return Number(line[1]) * 1024;
  } catch {
    // Not Linux.
  }
  return freemem();
}
