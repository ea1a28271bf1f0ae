/**
 * The debugger as the kernel sees it. While nobody debugs it only remembers what each cell was called, so that a
 * function of a cell that ran before can be debugged too; the rest is loaded with the first request that needs it.
 */
import type { Shift } from "../compile/edits.js";
import type { Json } from "../protocol/message.js";
import { DapError, type DapRequest, THREAD } from "./dap.js";
import { HASH_SEED, TMP_PREFIX, TMP_SUFFIX } from "./names.js";
import type { DebuggedWorker, DebugSession } from "./session.js";

/** A cell that is about to be evaluated. */
export interface StartedCell {
  /** Of its script. */
  name: string;
  source: string;
  map?: string;
  shifts: readonly Shift[];
  /** Names of globals that the cell declares as its own. */
  shadows: readonly string[];
}

/** What the executor tells the debugger. */
export interface DebugHooks {
  /** @param shadowed names of globals that cells have declared as their own; it grows. */
  workerStarted(worker: DebuggedWorker, shadowed: ReadonlySet<string>): void;
  /** To be awaited before the cell is sent to the worker, if it returns anything. */
  beforeRun(cell: StartedCell): Promise<void> | undefined;
  /** An interrupt: code that stands at a breakpoint goes on in order to end. */
  release(): Promise<void> | undefined;
}

export interface DebugHost {
  /** Publishes on iopub. */
  publish(type: string, content: Json): void;
  log(line: string): void;
  /** Makes declarations known to the type checker. */
  declare(text: string): void;
}

const KEPT_CELLS = 2_000;

/** Requests that change what V8 is told: one after the other, whatever comes meanwhile. */
const IN_ORDER = new Set([
  "initialize",
  "attach",
  "launch",
  "configurationDone",
  "dumpCell",
  "setBreakpoints",
  "setExceptionBreakpoints",
  "debugInfo",
  "disconnect",
  "terminate",
]);

export class DebugService implements DebugHooks {
  private readonly cells = new Map<string, StartedCell>();
  private worker: DebuggedWorker | undefined;
  private shadowed: ReadonlySet<string> = new Set();
  private session: DebugSession | undefined;
  private order: Promise<unknown> = Promise.resolve();
  private seq = 1;

  constructor(private readonly host: DebugHost) {}

  workerStarted(worker: DebuggedWorker, shadowed: ReadonlySet<string>): void {
    this.worker = worker;
    this.shadowed = shadowed;
    this.cells.clear();
    const { session } = this;
    if (session)
      this.inOrder(() => session.workerStarted(worker)).catch((error) => this.host.log(String(error)));
  }

  beforeRun(cell: StartedCell): Promise<void> | undefined {
    this.cells.set(cell.name, cell);
    if (this.cells.size > KEPT_CELLS) this.cells.delete(this.cells.keys().next().value!);
    const { session } = this;
    if (!session) return undefined;
    return this.inOrder(() => session.beforeRun(cell)).catch((error) =>
      this.host.log(`debugger: ${String(error)}`),
    );
  }

  release(): Promise<void> | undefined {
    return this.session?.release().catch(() => {});
  }

  /** Serves one debug_request. @returns the content of its reply: a DAP response. */
  async request(content: Json, after: (event: () => void) => void): Promise<Json> {
    const request: DapRequest = {
      seq: typeof content.seq === "number" ? content.seq : 0,
      command: String(content.command),
      arguments: typeof content.arguments === "object" ? ((content.arguments ?? {}) as Json) : {},
    };
    const response = { type: "response", request_seq: request.seq, command: request.command };
    try {
      const serve = () => this.serve(request, (event, body) => after(() => this.event(event, body)));
      const body = await (IN_ORDER.has(request.command) ? this.inOrder(serve) : serve());
      return { seq: this.seq++, ...response, success: true, body };
    } catch (error) {
      const { name, message, stack } = error as Error;
      if (name !== "DapError") this.host.log(`debugger: ${request.command}: ${stack}`);
      return {
        seq: this.seq++,
        ...response,
        success: false,
        message,
        body: { error: { id: 1, format: message } },
      };
    }
  }

  private async serve(request: DapRequest, after: (event: string, body: Json) => void): Promise<Json> {
    if (request.command === "debugInfo") return this.info();
    if (request.command === "disconnect") return this.disconnect(after);
    if (request.command === "terminate") {
      await this.release();
      return {};
    }
    const { COMMANDS } = await import("./commands.js");
    const command = Object.hasOwn(COMMANDS, request.command) ? COMMANDS[request.command] : undefined;
    if (!command) throw new DapError(`The request "${request.command}" is not supported.`);
    if (!this.session?.enabled && !WITHOUT_START.has(request.command))
      throw new DapError(`The debugger is not started: "${request.command}" needs "initialize" before it.`);
    const session = await this.started();
    const body = await command(request.arguments, {
      session,
      shadowed: () => this.shadowed,
      declare: (text) => this.host.declare(text),
      after,
    });
    return body ?? {};
  }

  private async started(): Promise<DebugSession> {
    const { DebugSession } = await import("./session.js");
    this.session ??= new DebugSession(this.worker!, {
      event: (event, body) => this.event(event, body),
      log: (line) => this.host.log(line),
      cells: this.cells,
      shadowed: () => this.shadowed,
    });
    return this.session;
  }

  private async disconnect(after: (event: string, body: Json) => void): Promise<Json> {
    const { session } = this;
    this.session = undefined;
    if (session?.enabled) after("terminated", {});
    await session?.close();
    return {};
  }

  private info(): Json {
    return {
      isStarted: this.session?.enabled === true,
      hashMethod: "Murmur2",
      hashSeed: HASH_SEED,
      tmpFilePrefix: TMP_PREFIX,
      tmpFileSuffix: TMP_SUFFIX,
      breakpoints: this.session?.breakpoints.list() ?? [],
      stoppedThreads: this.session?.stop ? [THREAD.id] : [],
      richRendering: true,
      exceptionPaths: ["TypeScript Exceptions"],
      copyToGlobals: true,
    };
  }

  private event(event: string, body: Json): void {
    this.host.publish("debug_event", { seq: this.seq++, type: "event", event, body });
  }

  private inOrder<T>(task: () => Promise<T>): Promise<T> {
    const done = this.order.then(task);
    this.order = done.catch(() => {});
    return done;
  }
}

/** Requests that need no debugger: what the variables are can be asked at any time. */
const WITHOUT_START = new Set(["initialize", "inspectVariables", "richInspectVariables", "variables"]);
