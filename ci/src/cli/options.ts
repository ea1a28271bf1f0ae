/** Options that several commands share, and how their values are read. */
import { type Command, InvalidArgumentError } from "commander";
import { DEFAULT_LIMITS, type GradeLimits } from "../judge/limits.js";
import { LEVELS, type Level } from "../sandbox/command.js";

/** Processor time that a call or a cell may take beside its time on the clock: code may run on several processors. */
const CPU_SHARE = 1.5;

export interface CourseFlags {
  solutions?: string;
  exercises?: string;
}
export interface LimitFlags {
  callTimeout: number;
  cellTimeout: number;
  timeout: number;
}
export interface BoxFlags {
  isolation: Level | "auto";
  unsafe?: boolean;
  memory: number;
  processes: number;
  cpus: number;
  jobs: number;
  readable?: string[];
}

export function ofCourse(command: Command): Command {
  return command
    .option("--solutions <folder>", "folder of the sources")
    .option("--exercises <folder>", "folder of the releases");
}

/** Options of every command that runs learners' code. */
export function limited(command: Command): Command {
  return command
    .option("--call-timeout <s>", "time for one call of the learner's code", seconds, DEFAULT_LIMITS.callMs)
    .option("--cell-timeout <s>", "time for one cell", seconds, DEFAULT_LIMITS.cellMs)
    .option("--timeout <s>", "time for one notebook", seconds, DEFAULT_LIMITS.notebookMs);
}

/** Options of what runs fenced off. */
export function boxed(command: Command): Command {
  const { memoryBytes, processes, cpus } = DEFAULT_LIMITS.box;
  return command
    .option(
      "--isolation <level>",
      `${LEVELS.join(", ")}, or auto: the strongest that works here`,
      level,
      "auto",
    )
    .option("--unsafe", "allow isolation none: the submissions' code runs as you")
    .option("--memory <MiB>", "memory of one submission", megabytes, memoryBytes)
    .option("--processes <n>", "processes and threads of one submission", count, processes)
    .option("--cpus <n>", "processors of one submission", positive, cpus)
    .option("-j, --jobs <n>", "submissions at once", count, 1)
    .option("--readable <path...>", "files of the course that answers may read");
}

export function limitsOf({ callTimeout, cellTimeout, timeout }: LimitFlags): GradeLimits {
  return {
    ...DEFAULT_LIMITS,
    callMs: callTimeout,
    cellMs: cellTimeout,
    notebookMs: timeout,
    callCpuMs: callTimeout * CPU_SHARE,
    cellCpuMs: cellTimeout * CPU_SHARE,
    notebookCpuMs: timeout,
  };
}

export function level(text: string): Level | "auto" {
  if (text === "auto" || (LEVELS as readonly string[]).includes(text)) return text as Level | "auto";
  throw new InvalidArgumentError(`expected ${LEVELS.join(", ")} or auto`);
}

export function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError("expected a number above 0");
  return value;
}

export function count(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError("expected a whole number");
  return value;
}

export function megabytes(text: string): number {
  return Math.round(positive(text) * 1024 * 1024);
}

export function seconds(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value))
    throw new InvalidArgumentError("expected a number of seconds above 0");
  return value * 1000;
}

export function percentage(text: string): number {
  const value = Number(text);
  if (!(value >= 0 && value <= 100)) throw new InvalidArgumentError("expected a percentage from 0 to 100");
  return value;
}
