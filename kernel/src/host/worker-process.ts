/**
 * The worker as the host sees it: started ahead of the first cell, told what to run, interrupted, replaced.
 */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import type { Socket } from "node:net";
import type { Readable, Writable } from "node:stream";
import { RUNTIME } from "../compile/scope.js";
import { encodeFrame, FrameReader } from "../link/frames.js";
import type { ToHost, ToWorker } from "../link/messages.js";
import { InspectorClient } from "./inspector.js";
import { descendants, LivedTime } from "./usage.js";
import { workerCommand } from "./worker-command.js";

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
/**
 * How long a worker may answer nothing before it is killed: a native call holds it. With the start of a fresh worker it
 * makes less than a second.
 */
const UNWIND_MS = 600;
/** `UNWIND_MS` where it waits for a child process, which may have something to put in order. */
const CHILD_MS = 1_000;
/** How long the loading of a module is let go on. */
const LOADING_MS = 400;
/** How often the worker is asked again, and which of the tries is by force. */
const AGAIN_MS = 25;
const FORCE_AT = 4;
/** How long at most, on a machine so busy that the worker gets no processor. */
const STARVED_MS = 5_000;

/** Calls `stop` of `worker/interrupts.ts`. */
const STOP = { expression: `${RUNTIME}.stop()`, silent: true };
/** Takes it back. */
const CALM = { expression: `${RUNTIME}.calm()`, silent: true };

/** Sends what a cell has printed and the worker holds. */
const FLUSH = { expression: `${RUNTIME}.flush()`, silent: true };
/** How long after a piece of text a worker that goes on computing is asked for the next one. */
const FLUSH_MS = 20;

export class WorkerProcess {
  private readonly child: ChildProcess;
  private readonly ready: Promise<string | null>;
  private readonly acknowledged = new Map<number, () => void>();
  private inspector: Promise<InspectorClient | undefined> | undefined;
  private token = 0;
  private asking: NodeJS.Timeout | undefined;
  private debugged = false;
  private loading = false;
  private interrupting: Promise<InterruptOutcome> | undefined;
  private exited = false;
  private retired = false;
  /** What the cell passed to `process.exit`. */
  private exitCode: number | undefined;

  constructor(
    private readonly events: WorkerEvents,
    cwd: string,
  ) {
    const [program, ...args] = workerCommand();
    this.child = spawn(program!, args, {
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
  interrupt(): Promise<InterruptOutcome> {
    // A second interrupt joins the first: its termination could hit what comes after.
    this.interrupting ??= this.stop().finally(() => {
      this.interrupting = undefined;
    });
    return this.interrupting;
  }

  /** Waits until no interrupt is under way, which could hit the next cell. */
  async calm(): Promise<void> {
    await this.interrupting;
  }

  private async stop(): Promise<InterruptOutcome> {
    const token = ++this.token;
    const acknowledged = new Promise<true>((resolve) => this.acknowledged.set(token, () => resolve(true)));
    this.send({ type: "interrupt", token });
    if (await within(acknowledged, ASK_MS)) return "idle";
    const inspector = await this.connectInspector();
    // It may have been starting, not busy.
    if (await within(acknowledged, 0)) return "idle";
    if (inspector && (await this.unwound(inspector, acknowledged, token))) return "stopped";
    this.kill();
    return "killed";
  }

  /**
   * Terminates and asks, again and again: a termination may hit the reading of the question itself, or come between
   * two callbacks and hit neither.
   */
  private async unwound(
    inspector: InspectorClient,
    acknowledged: Promise<true>,
    token: number,
  ): Promise<boolean> {
    const start = performance.now();
    const lived = new LivedTime();
    // The host too: a worker that prints waits for it to read.
    const own = this.child.pid === undefined ? [] : [process.pid, this.child.pid];
    let pending = Promise.resolve();
    let heard = true;
    let held = false;
    let ordered = 0;
    let answered = 0;
    for (let tries = 1; ; tries++) {
      const children = descendants(this.child.pid);
      const spent = lived.since([...own, ...children]);
      // First where it does no harm. What does not listen, or is not known to be the reader's, is stopped all the same,
      // but for the loading of a module, which is given time.
      const unheard = !heard && spent - ordered > 2 * AGAIN_MS;
      const patient = (held || this.loading) && spent < LOADING_MS;
      const force = (unheard || tries % FORCE_AT === 0) && !patient;
      if (heard || force) {
        heard = false;
        ordered = spent;
        const order = force
          ? inspector.post("Runtime.terminateExecution")
          : inspector.post("Runtime.evaluate", STOP).then((reply) => {
              const { result } = reply as { result?: { value?: unknown } };
              held = result?.value === "held";
            });
        const noted = settled(order).then(() => {
          heard = true;
          answered = lived.since(own);
        });
        pending = Promise.all([pending, noted]).then(() => {});
      }
      // What answers runs JavaScript, and that can be stopped.
      if (spent - answered > (children.length > 0 ? CHILD_MS : UNWIND_MS)) return false;
      if (performance.now() - start > STARVED_MS) return false;
      // After the termination is noted, so that the call that waits for a child ends as interrupted, not as failed.
      setTimeout(() => interruptAll(descendants(this.child.pid)), 5);
      if (await within(acknowledged, AGAIN_MS)) {
        this.loading = false; // one that was stopped has not told of its end
        await this.spent(inspector, pending);
        return true;
      }
      this.send({ type: "interrupt", token });
    }
  }

  /**
   * What of the interrupt came too late must not strike the next cell: an order to stop is taken back, and a termination
   * strikes the taking back, which is then tried again.
   */
  private async spent(inspector: InspectorClient, orders: Promise<void>): Promise<void> {
    const calmed = () =>
      inspector.post("Runtime.evaluate", CALM).then((reply) => {
        const { result } = reply as { result?: { value?: unknown } };
        if (result?.value !== true) throw new Error("terminated");
      });
    for (let tries = 0; tries < 50; tries++) {
      const calm = Promise.all([orders, calmed()]);
      if (await within(calm, 20)) return;
    }
  }

  kill(): void {
    // Programs that a cell has started would go on without it.
    interruptAll(descendants(this.child.pid));
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
            else if (message.type === "interrupted") this.interrupted(message);
            else if (message.type === "loading") this.loading = message.now;
            else {
              this.askForText(message.type === "stream");
              events.message(message, buffers);
            }
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

  /**
   * Text that comes right after a piece is held for a moment, and a computation that follows would hold it for long. Not
   * under a debugger: it could stop in the question, and V8 12 (Node 22) aborts on one that comes as code is about to stand.
   */
  private askForText(printed: boolean): void {
    clearTimeout(this.asking);
    if (!printed || this.debugged) return;
    this.asking = setTimeout(async () => {
      const inspector = await this.connectInspector();
      await inspector?.post("Runtime.evaluate", FLUSH).catch(() => {}); // it may have ended meanwhile
    }, FLUSH_MS);
  }

  private interrupted({ token, settled }: Extract<ToHost, { type: "interrupted" }>): void {
    const acknowledge = this.acknowledged.get(token);
    if (!acknowledge) return;
    if (settled) {
      this.acknowledged.delete(token);
      acknowledge();
    } else this.send({ type: "interrupt", token });
  }

  /** A connection of its own: what a debugger evaluates does not keep an interrupt waiting. */
  async connectDebugger(): Promise<InspectorClient | undefined> {
    this.debugged = true;
    clearTimeout(this.asking);
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

/** A cell in `execSync` waits for its child: that one is interrupted after its own children, as Ctrl-C would. */
function interruptAll(pids: readonly number[]): void {
  for (const pid of [...pids].reverse())
    try {
      process.kill(pid, "SIGINT");
    } catch {
      // It ended meanwhile.
    }
}

async function settled(promise: Promise<unknown>): Promise<void> {
  await promise.then(
    () => {},
    () => {},
  );
}

function within(promise: Promise<unknown>, ms: number): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), ms);
    promise.then(
      () => {
        clearTimeout(timer);
        resolve(true);
      },
      () => {},
    );
  });
}
