/**
 * The worker as the host sees it: started ahead of the first cell, told what to run, interrupted, replaced.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { encodeFrame, FrameReader } from "../link/frames.js";
import type { ToHost, ToWorker } from "../link/messages.js";
import { InspectorClient } from "./inspector.js";
import { processUsage } from "./usage.js";

export interface WorkerEvents {
  message(message: ToHost, buffers: Buffer[]): void;
  /** Text that did not pass through the cell's streams: native code, child processes. */
  raw(name: "stdout" | "stderr", text: string): void;
  exit(code: number | null, signal: NodeJS.Signals | null): void;
}

/** How an interrupt ended. `killed`: the worker had to die, and its variables with it. */
export type InterruptOutcome = "stopped" | "idle" | "killed";

/** How long the worker may take to answer before the running JavaScript is terminated. */
const ASK_MS = 5;
/** How long terminated JavaScript may take to unwind before the worker is killed: a native call holds it. */
const UNWIND_MS = 1_000;
/** The same on a machine so busy that the worker got no processor meanwhile. */
const STARVED_MS = 5_000;
/** Processor time in which JavaScript that was terminated has surely seen it. */
const UNWIND_CPU_SECONDS = 0.5;

const MAIN = fileURLToPath(new URL("../worker/main.js", import.meta.url));

export class WorkerProcess {
  private readonly child: ChildProcess;
  private readonly ready: Promise<string | null>;
  private readonly acknowledged = new Map<number, () => void>();
  private inspector: Promise<InspectorClient | undefined> | undefined;
  private token = 0;
  private exited = false;
  private retired = false;
  /** What the cell passed to `process.exit`. */
  private exitCode: number | undefined;

  constructor(
    private readonly events: WorkerEvents,
    cwd: string,
  ) {
    this.child = spawn(process.execPath, [...workerFlags(), MAIN], {
      cwd,
      env: workerEnvironment(),
      stdio: ["ignore", "pipe", "pipe", "pipe", "pipe", "pipe"],
    });
    this.ready = this.listen();
    void this.ready.then(() => this.guard());
    for (const stream of this.child.stdio) (stream as Socket | null)?.on("error", () => {});
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  send(message: ToWorker, buffers: readonly Uint8Array[] = []): void {
    if (!this.exited) (this.child.stdio as unknown as Writable[])[3]!.write(encodeFrame(message, buffers));
  }

  /** Answers a question that blocks the worker. */
  answer(token: number, value: string | null): void {
    if (!this.exited) (this.child.stdio as unknown as Writable[])[5]!.write(encodeFrame({ token, value }));
  }

  /** Connects to the worker's inspector ahead of the first interrupt. */
  async prepareInterrupt(): Promise<void> {
    await this.connectInspector();
  }

  /**
   * Stops what runs in the worker, gently first: a waiting cell gives up by itself, running JavaScript is
   * terminated with every variable kept, and a native call that does not return costs the process.
   */
  async interrupt(): Promise<InterruptOutcome> {
    const token = ++this.token;
    const acknowledged = new Promise<true>((resolve) => this.acknowledged.set(token, () => resolve(true)));
    this.send({ type: "interrupt", token });
    if (await within(acknowledged, ASK_MS)) return "idle";
    const inspector = await this.connectInspector();
    void inspector?.post("Runtime.terminateExecution").catch(() => {});
    // After the termination is noted, so that the call that waits for a child ends as interrupted, not as failed.
    setTimeout(() => interruptChildren(this.child.pid), 5);
    if (inspector && (await this.unwound(acknowledged, token))) return "stopped";
    this.kill();
    return "killed";
  }

  /** Asks again and again: the termination may have hit the reading of the question itself. */
  private async unwound(acknowledged: Promise<true>, token: number): Promise<boolean> {
    const start = performance.now();
    const before = processUsage(this.child.pid)?.cpuSeconds ?? 0;
    for (;;) {
      if (await within(acknowledged, 200)) return true;
      const waited = performance.now() - start;
      const now = processUsage(this.child.pid);
      const starved = now?.runnable === true && now.cpuSeconds - before < UNWIND_CPU_SECONDS;
      if (waited > (starved ? STARVED_MS : UNWIND_MS)) return false;
      this.send({ type: "interrupt", token });
    }
  }

  kill(): void {
    // Programs that a cell has started would go on without it.
    interruptChildren(this.child.pid);
    this.child.kill("SIGKILL");
  }

  /** Ends the worker, and nobody hears of it again. */
  retire(): void {
    this.retired = true;
    this.kill();
  }

  private listen(): Promise<string | null> {
    const { child } = this;
    const { message, raw, exit } = this.events;
    const events: WorkerEvents = {
      message: (...given) => this.retired || message(...given),
      raw: (...given) => this.retired || raw(...given),
      exit: (...given) => this.retired || exit(...given),
    };
    const [, stdout, stderr, , fromWorker] = child.stdio as unknown as Readable[];
    passText(stdout!, (text) => events.raw("stdout", text));
    passText(stderr!, (text) => {
      const shown = withoutInspectorNotes(text);
      if (shown) events.raw("stderr", shown);
    });
    const reader = new FrameReader<ToHost>();
    return new Promise((resolve) => {
      fromWorker!.on("data", (chunk: Buffer) => {
        try {
          for (const { message, buffers } of reader.push(chunk)) {
            if (message.type === "exit") this.exitCode = Number(message.code);
            else if (message.type === "ready") resolve(message.inspector);
            else if (message.type === "interrupted") this.acknowledge(message.token);
            else events.message(message, buffers);
          }
        } catch {
          // Only code that writes to the pipe by itself can put it out of step: nothing after it can be read.
          this.kill();
        }
      });
      // "close" comes after the last byte of every pipe, so no output is lost; "error": it never started.
      const ended = (code: number | null, signal: NodeJS.Signals | null) => {
        if (this.exited) return;
        this.exited = true;
        resolve(null);
        for (const done of this.acknowledged.values()) done();
        void this.inspector?.then((client) => client?.close());
        if (this.exitCode === undefined) events.exit(code, signal);
        else events.exit(this.exitCode, null);
      };
      child.on("close", ended);
      child.on("error", () => ended(null, null));
      child.on("exit", () => setTimeout(() => destroyPipes(child), 200).unref());
    });
  }

  /**
   * A worker in an endless loop does not see that its host was killed. A shell does: it waits for the end of
   * a pipe that only the host holds, then ends the worker. (No such shell on Windows.)
   */
  private guard(): void {
    const { pid } = this.child;
    if (this.exited || pid === undefined || process.platform === "win32") return;
    const script = 'read -r _; kill -9 "$1" 2>/dev/null';
    const stdio: StdioOptions = ["pipe", "ignore", "ignore"];
    const shell = spawn("/bin/sh", ["-c", script, "sh", String(pid)], { stdio, detached: true });
    shell.on("error", () => {});
    shell.stdin!.on("error", () => {});
    shell.unref();
    (shell.stdin as unknown as Socket).unref();
    // The worker's id may be given to another process later: the shell must not outlive it.
    this.child.once("exit", () => shell.kill("SIGKILL"));
  }

  private acknowledge(token: number): void {
    this.acknowledged.get(token)?.();
    this.acknowledged.delete(token);
  }

  /** A connection of its own: what a debugger evaluates does not keep an interrupt waiting. */
  async connectDebugger(): Promise<InspectorClient | undefined> {
    const url = await this.ready;
    return url === null || this.exited ? undefined : InspectorClient.connect(url);
  }

  private connectInspector(): Promise<InspectorClient | undefined> {
    this.inspector ??= this.ready.then((url) =>
      url === null ? undefined : InspectorClient.connect(url).catch(() => undefined),
    );
    return this.inspector;
  }
}

/** A grandchild that keeps the pipes open must not keep the worker's end from being seen. */
function destroyPipes(child: ChildProcess): void {
  for (const stream of child.stdio) (stream as Socket | null)?.destroy();
}

function workerFlags(): string[] {
  const major = Number(process.versions.node.split(".")[0]);
  return [
    "--experimental-import-meta-resolve",
    "--disable-warning=ExperimentalWarning",
    // Without it any local user could read the inspector's address over HTTP and run code in the worker.
    "--inspect-publish-uid=stderr",
    ...(major <= 20 ? ["--experimental-wasm-relaxed-simd"] : []),
    ...(process.env.MLSYS_NODE_OPTIONS?.split(/\s+/).filter(Boolean) ?? []),
  ];
}

function workerEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_CHANNEL_FD: _channel, ...rest } = process.env;
  return { ...rest, ...(process.env.NODE_OPTIONS ? { NODE_OPTIONS: process.env.NODE_OPTIONS } : {}) };
}

function passText(stream: Readable, sink: (text: string) => void): void {
  stream.setEncoding("utf8");
  stream.on("data", sink);
}

/** Node announces the inspector on stderr; that is not the reader's business. */
function withoutInspectorNotes(text: string): string {
  return text
    .split(/(?<=\n)/)
    .filter(
      (line) =>
        !/^(Debugger (listening on ws:|attached\.|ending on ws:)|For help, see: https:\/\/nodejs)/.test(line),
    )
    .join("");
}

/** A cell in `execSync` waits for its child: that one is interrupted with its own children, as Ctrl-C would. */
function interruptChildren(pid: number | undefined): void {
  if (pid === undefined || process.platform !== "linux") return;
  try {
    for (const child of readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8")
      .split(" ")
      .filter(Boolean)) {
      interruptChildren(Number(child));
      process.kill(Number(child), "SIGINT");
    }
  } catch {
    // The worker or its child ended meanwhile.
  }
}

function within(promise: Promise<true>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    void promise.then(() => {
      clearTimeout(timer);
      resolve(true);
    });
  });
}
