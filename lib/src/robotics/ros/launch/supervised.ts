/** One process of a launch: its output by lines, its end, and how it is asked to end: SIGINT, SIGTERM, SIGKILL. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { createInterface, type Interface } from "node:readline";
import type { Readable } from "node:stream";

export interface ProcessSpec {
  /** Program and arguments. */
  readonly command: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Streams after stdin, stdout and stderr. */
  readonly extra: readonly ("pipe" | "ipc")[];
}

/** Seconds between one signal and the next. */
export interface Grace {
  readonly interrupt: number;
  readonly terminate: number;
  /** For output after a process's end, that something which it left behind may still hold open. */
  readonly output: number;
}

export interface ProcessWatcher {
  /** A line without its end; when it returns a promise, the process's output waits for that. */
  onLine(stream: "stdout" | "stderr", line: string): void | Promise<void>;
  /** A process that did not end in time gets a harder signal. */
  onEscalate(signal: NodeJS.Signals): void;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It could not be started. */
  readonly error?: Error;
}

/** Processes lead a group each: what they started ends with them, and a terminal's Ctrl-C comes from the launcher alone. */
const grouped = process.platform !== "win32";

export class Supervised {
  readonly child: ChildProcess;
  /** Resolves after its end, when all its output was handed on. */
  readonly ended: Promise<ProcessEnd>;
  private isOver = false;
  private readonly readers: Interface[] = [];
  /** Lines handed on, and those that are being handed on. */
  private lines = 0;
  private handling = 0;
  private escalation: NodeJS.Timeout | undefined;

  constructor(
    { command: [program, ...args], env, cwd, extra }: ProcessSpec,
    private readonly watcher: ProcessWatcher,
    private readonly grace: Grace,
  ) {
    const stdio: StdioOptions = ["ignore", "pipe", "pipe", ...extra];
    this.child = spawn(program, args, { env, cwd, stdio, detached: grouped, serialization: "advanced" });
    const { stdout, stderr } = this.child;
    const lines = [
      stdout ? this.readLines("stdout", stdout) : null,
      stderr ? this.readLines("stderr", stderr) : null,
    ];
    this.ended = this.untilEnd().then(async (end) => {
      const patience = this.cutOutput();
      await Promise.all(lines);
      clearInterval(patience);
      return end;
    });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** Asks it to end, more and more firmly; `ended` tells when it has. A second call goes on to the next signal at once. */
  stop(first: "SIGINT" | "SIGTERM" = "SIGINT"): void {
    if (this.isOver) return;
    const { interrupt, terminate } = this.grace;
    clearTimeout(this.escalation);
    this.signal(first);
    const later = (seconds: number, signal: NodeJS.Signals, then: () => void) => {
      this.escalation = setTimeout(() => {
        this.watcher.onEscalate(signal);
        this.signal(signal);
        then();
      }, seconds * 1_000);
    };
    const kill = () => later(terminate, "SIGKILL", () => {});
    if (first === "SIGTERM") kill();
    else later(interrupt, "SIGTERM", kill);
  }

  /** To the process and all that it started. */
  signal(name: NodeJS.Signals): void {
    if (this.child.pid === undefined) return;
    try {
      process.kill(grouped ? -this.child.pid : this.child.pid, name);
    } catch {
      // it has ended meanwhile
    }
  }

  /** Ends the streams after two times of silence: what is in them by then has been read in between. */
  private cutOutput(): NodeJS.Timeout {
    let [seen, silent] = [this.lines, 0];
    return setInterval(() => {
      silent = this.lines === seen && this.handling === 0 ? silent + 1 : 0;
      seen = this.lines;
      if (silent < 2) return;
      for (const reader of this.readers) reader.close();
    }, this.grace.output * 1_000);
  }

  private untilEnd(): Promise<ProcessEnd> {
    return new Promise((resolve) => {
      const over = (end: ProcessEnd): void => {
        this.isOver = true;
        clearTimeout(this.escalation);
        if (grouped) this.signal("SIGKILL"); // what it left behind, which would also hold its output open
        resolve(end);
      };
      // it could not be started: no exit follows
      this.child.on("error", (error) => {
        if (this.child.pid === undefined) over({ code: null, signal: null, error });
      });
      this.child.on("exit", (code, signal) => over({ code, signal }));
    });
  }

  private async readLines(name: "stdout" | "stderr", stream: Readable): Promise<void> {
    try {
      const reader = createInterface({ input: stream, crlfDelay: Infinity });
      this.readers.push(reader);
      for await (const line of reader) {
        this.lines++;
        this.handling++;
        await this.watcher.onLine(name, line);
        this.handling--;
      }
    } catch {
      // the stream broke with its process: what came before was handed on
    } finally {
      stream.destroy();
    }
  }
}
