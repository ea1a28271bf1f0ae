/** A kernel of our own over zeromq: fast, on private sockets, its whole process group ended with it. */
import {
  type ExecuteResult,
  KernelClient,
  type KernelProcess,
  type LaunchSpec,
  launchKernel,
} from "@mlsys/kernel/client";
import { GraderError, messageOf } from "../errors.js";
import { onTheWayOut } from "./running.js";
import { type Budget, type Execution, ExecutionTimeout, KernelDied, type KernelSession } from "./session.js";

export interface ZmqOptions {
  spec: LaunchSpec;
  /** Folder that the notebook's imports resolve from. */
  cwd: string;
  env?: Record<string, string>;
}

const START_MS = 60_000;
const TEXT_LIMIT = 20_000;
/** Above the text of one exchange of frames. */
const FRAMES_BYTES = 128 * 1024 * 1024;

export class ZmqSession implements KernelSession {
  private kernel: KernelProcess | undefined;
  private client: KernelClient | undefined;

  constructor(private readonly options: ZmqOptions) {}

  async start(): Promise<void> {
    onTheWayOut.check();
    onTheWayOut.add(this);
    const { spec, cwd, env } = this.options;
    this.kernel = await launchKernel(spec, {
      cwd,
      env: { ...cleanEnvironment(), ...env },
      detached: true,
      stdio: "ignore",
    });
    this.death = deathOf(this.kernel);
    try {
      this.client = await Promise.race([KernelClient.connect(this.kernel.connection, START_MS), this.death]);
    } catch (error) {
      await this.shutdown();
      throw new GraderError(`the kernel did not start (${spec.argv.join(" ")}): ${messageOf(error)}`);
    }
  }

  async execute(code: string, { wallMs, outputBytes, outputMessages }: Budget): Promise<Execution> {
    if (!this.client) throw new KernelDied("the kernel is not running");
    const limit = Math.max(outputBytes, FRAMES_BYTES);
    let bytes = 0;
    let messages = 0;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new ExecutionTimeout(`ran longer than ${wallMs / 1000} s`)), wallMs);
    });
    const flood = new Promise<never>((_, reject) => {
      this.onOutput = (size) => {
        bytes += size;
        if (bytes > limit) reject(new KernelDied(`wrote more than ${limit} bytes`, "limit"));
        if (++messages > outputMessages)
          reject(new KernelDied(`wrote more than ${outputMessages} messages`, "limit"));
      };
    });
    const execution = this.client.execute(code, {
      storeHistory: false,
      stopOnError: false,
      onOutput: ({ content }) => this.onOutput(sizeOf(content)),
    });
    execution.catch(() => {}); // may fail after the race is decided
    try {
      return summary(await Promise.race([execution, late, flood, this.death]));
    } finally {
      clearTimeout(timer);
    }
  }

  async interrupt(timeoutMs: number): Promise<boolean> {
    if (!this.client) return false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), timeoutMs);
    });
    const done = this.client.interrupt().then(
      () => true,
      () => false,
    );
    const stopped = await Promise.race([done, late]);
    clearTimeout(timer);
    return stopped;
  }

  /** Other processes of the same user can't be told apart. */
  cpuMs(): undefined {
    return undefined;
  }

  async restart(): Promise<void> {
    await this.shutdown();
    await this.start();
  }

  async shutdown(): Promise<void> {
    const { client, kernel } = this;
    this.client = undefined;
    this.kernel = undefined;
    client?.close();
    if (kernel) {
      killGroup(kernel);
      await kernel.kill();
    }
    onTheWayOut.delete(this);
  }

  /** Ends the process without waiting for it. */
  killNow(): void {
    if (this.kernel) killGroup(this.kernel);
  }

  private onOutput: (size: number) => void = () => {};
  /** Rejects when the process ends. */
  private death: Promise<never> = new Promise(() => {});
}

function summary({ reply, outputs, stdout, stderr }: ExecuteResult): Execution {
  const status = reply.status === "ok" || reply.status === "aborted" ? reply.status : "error";
  const displays = outputs
    .filter((output) => output.type === "display_data")
    .map((output) => (output.content.data ?? {}) as Record<string, unknown>);
  const text = (stdout + stderr).slice(0, TEXT_LIMIT);
  if (status !== "error") return { status, displays, text };
  const { ename, evalue, traceback } = reply as { ename?: unknown; evalue?: unknown; traceback?: unknown };
  const lines = Array.isArray(traceback) ? traceback.map(String) : [];
  return {
    status,
    displays,
    text,
    error: { name: String(ename ?? "Error"), message: String(evalue ?? ""), traceback: lines },
  };
}

/** Results must not depend on where the grader runs, and the learner's code gets none of the grader's secrets. */
function cleanEnvironment(): Record<string, string> {
  const { PATH = "", HOME = "", TMPDIR } = process.env;
  // The launcher adds to this process's environment; an undefined variable is left out.
  const without = Object.fromEntries(Object.keys(process.env).map((name) => [name, undefined]));
  const clean = { PATH, HOME, TMPDIR, TZ: "UTC", LANG: "C.UTF-8", NODE_NO_WARNINGS: "1" };
  return { ...without, ...clean } as Record<string, string>;
}

function deathOf({ process: child }: KernelProcess): Promise<never> {
  const promise = new Promise<never>((_, reject) => {
    child.once("exit", () => reject(new KernelDied("the kernel's process ended")));
    child.once("error", (error) => reject(new KernelDied(error.message)));
  });
  promise.catch(() => {}); // nobody may be waiting
  return promise;
}

/** The kernel and whatever it started. */
function killGroup(kernel: KernelProcess): void {
  const { pid } = kernel.process;
  if (pid === undefined || process.platform === "win32") return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group is already gone.
  }
}

function sizeOf(content: Record<string, unknown>): number {
  return typeof content.text === "string" ? content.text.length : JSON.stringify(content).length;
}
