/** The members of a job as processes of this machine: started together, ended together. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import colors from "picocolors";
import { LIFELINE } from "./member.js";
import { labelOf, prefixLines } from "./prefix.js";

/** One start of the members of this machine. */
export interface Round {
  readonly script: string;
  readonly args: readonly string[];
  /** Environment of each member, beside the launcher's own. */
  readonly members: readonly Readonly<Record<string, string>>[];
  /** Of the first one here in the whole job, and how many the job has: for labels. */
  readonly firstRank: number;
  readonly size: number;
}

/** How a member ended that ended the round. */
export interface Failure {
  readonly rank: number;
  readonly pid: number | undefined;
  /** As a shell has it: 128 + the signal's number. */
  readonly code: number;
  /** "exit code 3", "SIGKILL". */
  readonly how: string;
}

/** Milliseconds between asking members to end and ending them. */
export const GRACE = 5_000;

const MEMBER = fileURLToPath(new URL("./member-main.js", import.meta.url));
const SIGNALS: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};
/** Processes lead a group each, so that what they started ends with them, and a terminal's Ctrl-C comes from us alone. */
const grouped = process.platform !== "win32";

/** Members under way. */
export class Members {
  private readonly children: ChildProcess[];
  private readonly running = new Set<ChildProcess>();
  private killer: NodeJS.Timeout | undefined;
  private failure: Failure | null = null;
  /** Resolves when all have ended and their output is written: with the first failure, if there was one. */
  readonly ended: Promise<Failure | null>;

  constructor(round: Round) {
    this.children = round.members.map((env) => spawnMember(round, env));
    this.ended = this.watch(round);
  }

  /** To all that are left. Also those that have stopped on another signal get it. */
  signal(name: NodeJS.Signals): void {
    for (const child of this.running) kill(child, name);
  }

  /** Asks all to end, and ends them a little later. */
  stop(name: NodeJS.Signals = "SIGTERM"): void {
    this.signal(name);
    this.killer ??= setTimeout(() => this.signal("SIGKILL"), GRACE);
  }

  private async watch({ firstRank, size }: Round): Promise<Failure | null> {
    const over = this.children.map((child, i) => {
      const rank = firstRank + i;
      const label = labelOf(rank, size);
      if (child.stdout) prefixLines(child.stdout, process.stdout, label);
      if (child.stderr) prefixLines(child.stderr, process.stderr, label);
      this.running.add(child);
      return new Promise<void>((resolve) => {
        child.on("error", (error) => {
          // it could not be started: no exit follows
          process.stderr.write(`${label}${error.message}\n`);
          this.over(child, { rank, pid: child.pid, code: 1, how: error.message });
          resolve();
        });
        child.on("exit", (code, signal) => {
          const how = signal ?? `exit code ${code}`;
          const number = codeOf(code, signal);
          this.over(child, number === 0 ? null : { rank, pid: child.pid, code: number, how });
        });
        child.on("close", () => resolve());
      });
    });
    await Promise.all(over);
    clearTimeout(this.killer);
    return this.failure;
  }

  private over(child: ChildProcess, failure: Failure | null): void {
    this.running.delete(child);
    if (grouped) kill(child, "SIGKILL"); // what it started and left behind, which would also keep its output open
    if (!failure || this.failure || this.killer) return; // asked to end: no failure of its own
    this.failure = failure;
    if (this.running.size > 0) this.stop();
  }
}

function spawnMember({ script, args }: Round, env: Readonly<Record<string, string>>): ChildProcess {
  const [program, ...rest] = commandOf(script, args);
  return spawn(program, rest, {
    env: { ...process.env, ...memberEnvironment(), ...env },
    stdio: [...MEMBER_STDIO],
    detached: grouped,
  });
}

/** What runs a script as a member; its environment, beside what tells it its place; and its streams, the lifeline last. */
export const commandOf = (script: string, args: readonly string[]): string[] => [
  ...[process.execPath, ...process.execArgv, MEMBER, script, ...args],
];

export function memberEnvironment(): Record<string, string> {
  const lifeline = { [LIFELINE]: String(MEMBER_STDIO.length - 1) };
  const colored = process.stdout.isTTY && process.env.NO_COLOR === undefined;
  return colored ? { ...lifeline, FORCE_COLOR: "1" } : lifeline;
}

export const MEMBER_STDIO = ["ignore", "pipe", "pipe", "pipe"] as const;

/** What a process that did not end well exits with, as a shell has it. */
export const codeOf = (code: number | null, signal: NodeJS.Signals | null): number =>
  code ?? 128 + (SIGNALS[signal ?? ""] ?? 0);

function kill(child: ChildProcess, name: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    process.kill(grouped ? -child.pid : child.pid, name);
  } catch {
    // it has ended meanwhile
  }
}

/** A line of the launcher's own. */
export const say = (text: string): void => {
  process.stderr.write(`${colors.red("mlsys:")} ${text}\n`);
};
