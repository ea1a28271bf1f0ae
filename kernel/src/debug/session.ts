/**
 * One debugged worker: the inspector connection, and what to do when V8 halts. Stepping passes over the kernel's own
 * code, Node's modules and code that no line of the reader's stands for.
 */
import type { Debugger, Runtime } from "node:inspector";
import { RUNTIME } from "../compile/scope.js";
import type { InspectorClient } from "../host/inspector.js";
import type { Json } from "../protocol/message.js";
import { Breakpoints } from "./breakpoints.js";
import { DapError, THREAD } from "./dap.js";
import { Exceptions } from "./exceptions.js";
import type { Shadowed } from "./expressions.js";
import { type Paused, Stop } from "./frames.js";
import { cellPath, SKIPPED_PATTERNS } from "./names.js";
import { type RanCell, Scripts } from "./scripts.js";
import { thrownText } from "./values.js";
import { Variables } from "./variables.js";

export type Post = <T = unknown>(method: string, params?: object) => Promise<T>;

/** The worker as the debugger needs it. */
export interface DebuggedWorker {
  connectDebugger(): Promise<InspectorClient | undefined>;
}

export interface SessionHost {
  event(event: string, body: Json): void;
  log(line: string): void;
  readonly cells: ReadonlyMap<string, RanCell>;
  shadowed(): Shadowed;
}

const STEPS = {
  next: "Debugger.stepOver",
  stepIn: "Debugger.stepInto",
  stepOut: "Debugger.stepOut",
} as const;
export type Step = keyof typeof STEPS;

/** So many halts in code that is not shown, then the code goes on: the reader's comes nowhere near. */
const MAX_SKIPS = 3_000;

type Wanted = { kind: Step | "pause"; skips: number };

export class DebugSession {
  readonly scripts: Scripts;
  readonly breakpoints: Breakpoints;
  readonly exceptions: Exceptions;
  readonly variables: Variables;
  /** Whether V8 debugs: not yet, while only variables were asked for. */
  enabled = false;
  /** JupyterLab's tree shows the type of a variable in the place of its value: there it is left out. */
  showsTypes = true;

  private client: InspectorClient | undefined;
  private connecting: Promise<void> | undefined;
  private halted: Stop | undefined;
  /** V8 stands, whether the reader is told or not. */
  private standing = false;
  /** Counts halts and resumptions: what is decided about one must not be done to the next. */
  private turn = 0;
  /** What the reader asked for last: the halt that comes is its answer. */
  private wanted: Wanted | undefined;
  private nextFrameId = 1;
  private onResumed = (): void => {};

  constructor(
    private worker: DebuggedWorker,
    private readonly host: SessionHost,
  ) {
    this.scripts = new Scripts(host.cells, this.post);
    this.exceptions = new Exceptions(this.scripts);
    this.variables = new Variables(this.post, () => this.group);
    this.breakpoints = new Breakpoints(this.scripts, this.post, host.shadowed, (breakpoint) =>
      host.event("breakpoint", { reason: "changed", breakpoint }),
    );
  }

  readonly post: Post = async <T>(method: string, params: object = {}): Promise<T> => {
    await this.connect();
    return (await this.client!.post(method, params)) as T;
  };

  get stop(): Stop | undefined {
    return this.halted;
  }

  /** Objects that the front end holds: released when the code goes on, or at the next listing. */
  get group(): string {
    return this.halted ? "halted" : "idle";
  }

  /** The stop, for requests that need one. */
  get needsStop(): Stop {
    if (!this.halted) throw new DapError("The code is not paused.");
    return this.halted;
  }

  /** Turns V8's debugger on. */
  async enable(): Promise<void> {
    this.enabled = true;
    await this.connect();
    await this.configure();
  }

  /** The worker was replaced: its breakpoints are wanted in the new one. */
  async workerStarted(worker: DebuggedWorker): Promise<void> {
    this.worker = worker;
    this.client?.close();
    this.client = undefined;
    this.connecting = undefined;
    this.scripts.clear();
    this.standing = false;
    this.resumed();
    if (!this.enabled) return;
    await this.connect();
    await this.configure();
    await this.breakpoints.renew();
  }

  async close(): Promise<void> {
    const { enabled, client } = this;
    this.enabled = false;
    if (enabled && client) await this.leave().catch(() => {});
    client?.close();
    this.resumed();
  }

  /** Lets the code go on first: Node may crash when the connection of a debugger that holds it is closed. */
  private async leave(): Promise<void> {
    await this.post("Debugger.setSkipAllPauses", { skip: true });
    await this.post("Runtime.evaluate", { expression: `${RUNTIME}.debug.attach(false)`, silent: true });
    if (this.standing) {
      const gone = new Promise<void>((resolve) => {
        this.onResumed = resolve;
      });
      await this.goOn("Debugger.resume");
      await gone;
    }
    await this.post("Debugger.disable");
  }

  async beforeRun(cell: RanCell): Promise<void> {
    this.wanted = this.wanted?.kind === "pause" ? this.wanted : undefined;
    if (this.enabled) await this.breakpoints.beforeRun(cell, cellPath(cell.source));
  }

  async setExceptionMode(mode: Exceptions["mode"]): Promise<void> {
    this.exceptions.mode = mode;
    await this.post("Debugger.setPauseOnExceptions", { state: mode === "none" ? "none" : "all" });
  }

  async resume(options: { terminateOnResume?: boolean } = {}): Promise<void> {
    this.wanted = undefined;
    await this.goOn("Debugger.resume", options);
  }

  /** Told before it happens: V8's own event may come later than what the cell does next, even than its end. */
  private async goOn(method: string, options: object = {}): Promise<void> {
    this.resumed();
    await this.post(method, options);
  }

  /** The cell is interrupted: code that stands must go on in order to end. */
  async release(): Promise<void> {
    if (this.standing) await this.resume({ terminateOnResume: true });
  }

  async step(kind: Step): Promise<void> {
    if (!this.halted) throw new DapError("The code is not paused.");
    this.wanted = { kind, skips: 0 };
    await this.goOn(STEPS[kind]);
  }

  async pause(): Promise<void> {
    this.wanted = { kind: "pause", skips: 0 };
    await this.post("Debugger.pause");
  }

  /** Evaluates compiled code in a frame, or among the globals. @throws DapError with what it threw. */
  async evaluate(
    code: string,
    frame: Debugger.CallFrame | undefined,
    options: { harmless?: boolean } = {},
  ): Promise<Runtime.RemoteObject> {
    if (frame && !options.harmless) this.variables.touched = true;
    const common = {
      expression: code,
      objectGroup: this.group,
      silent: true,
      throwOnSideEffect: options.harmless === true,
    };
    const reply = frame
      ? await this.post<Debugger.EvaluateOnCallFrameReturnType>("Debugger.evaluateOnCallFrame", {
          ...common,
          callFrameId: frame.callFrameId,
        })
      : await this.post<Runtime.EvaluateReturnType>("Runtime.evaluate", {
          ...common,
          // While the code is halted no promise settles, and an evaluation of the REPL's waits for one.
          replMode: !this.halted,
          awaitPromise: !this.halted,
        });
    if (reply.exceptionDetails) throw new DapError(thrownText(reply.exceptionDetails));
    return reply.result;
  }

  /** What an expression of the kernel's gives, as data. */
  async valueOf(code: string, frame: Debugger.CallFrame | undefined): Promise<unknown> {
    const common = { expression: code, returnByValue: true, silent: true };
    const reply = frame
      ? await this.post<Debugger.EvaluateOnCallFrameReturnType>("Debugger.evaluateOnCallFrame", {
          ...common,
          callFrameId: frame.callFrameId,
        })
      : await this.post<Runtime.EvaluateReturnType>("Runtime.evaluate", {
          ...common,
          awaitPromise: !this.halted,
        });
    if (reply.exceptionDetails) throw new DapError(thrownText(reply.exceptionDetails));
    return reply.result.value;
  }

  /** The variables that were listed while nothing stood are let go. */
  async releaseIdle(): Promise<void> {
    this.variables.clear();
    await this.post("Runtime.releaseObjectGroup", { objectGroup: "idle" });
  }

  private connect(): Promise<void> {
    this.connecting ??= this.worker.connectDebugger().then((client) => {
      if (!client)
        throw new DapError("The process that runs the cells has no inspector: it cannot be debugged.");
      this.client = client;
      client.onEvent = (method, params) => this.receive(method, params);
    });
    return this.connecting;
  }

  private async configure(): Promise<void> {
    await this.post("Debugger.enable");
    await this.post("Debugger.setBlackboxPatterns", { patterns: SKIPPED_PATTERNS });
    await this.post("Runtime.evaluate", { expression: `${RUNTIME}.debug.attach(true)`, silent: true });
    if (this.exceptions.mode !== "none") await this.setExceptionMode(this.exceptions.mode);
  }

  private receive(method: string, params: unknown): void {
    switch (method) {
      case "Debugger.scriptParsed":
        this.scripts.parsed(params as Debugger.ScriptParsedEventDataType);
        break;
      case "Debugger.breakpointResolved": {
        const { breakpointId, location } = params as Debugger.BreakpointResolvedEventDataType;
        void this.breakpoints.resolved(breakpointId, location).catch((error) => this.failed(error));
        break;
      }
      case "Debugger.paused":
        this.standing = true;
        void this.paused(params as Paused).catch((error) => this.failed(error));
        break;
      case "Debugger.resumed":
        this.standing = false;
        this.resumed();
        this.onResumed();
        break;
    }
  }

  private async paused(paused: Paused): Promise<void> {
    if (paused.reason === "instrumentation") {
      const script = this.scripts.byScriptId(
        String((paused.data as unknown as { scriptId: string }).scriptId),
      );
      if (script) await this.breakpoints.beforeScript(script);
      await this.post("Debugger.resume");
      return;
    }
    const stop = new Stop(paused, this.nextFrameId, this.scripts, this.variables, this.post);
    this.nextFrameId += paused.callFrames.length + 1_000;
    const turn = ++this.turn;
    const skip = await this.skip(stop);
    if (turn !== this.turn) return;
    if (skip) {
      await this.post(skip);
      return;
    }
    // What the cell printed is still gathered for the next piece of output.
    await this.post("Runtime.evaluate", { expression: `${RUNTIME}.debug.flush()`, silent: true });
    if (turn !== this.turn) return;
    const body = this.reason(stop);
    this.halted = stop;
    this.wanted = undefined;
    this.host.event("stopped", { ...body, threadId: THREAD.id, allThreadsStopped: true });
  }

  /** How to go on from a halt that the reader is not to see. */
  private async skip(stop: Stop): Promise<string | undefined> {
    const { paused, exception } = stop;
    if (exception) {
      const { reason, callFrames } = paused;
      const waiting = () => stop.awaiting();
      const stops = await this.exceptions.stopsAt({ reason, error: exception, callFrames, waiting });
      return stops ? undefined : "Debugger.resume";
    }
    if (paused.hitBreakpoints?.length) return undefined;
    const { location } = paused.callFrames[0]!;
    const hidden = this.scripts.isHidden(location.scriptId);
    const { wanted } = this;
    if (wanted && ++wanted.skips > MAX_SKIPS) return "Debugger.resume";
    if (hidden) {
      if (wanted?.kind === "pause") return "Debugger.stepInto";
      return wanted && stop.visible.length > 0 ? "Debugger.stepOut" : "Debugger.resume";
    }
    if (wanted?.kind === "pause") return undefined;
    if (!wanted) return (await this.atDebuggerStatement(stop)) ? undefined : "Debugger.resume";
    const point = { line: location.lineNumber, column: location.columnNumber ?? 0 };
    const { mapped } = await this.scripts.locate(location.scriptId, point);
    if (mapped) return undefined;
    return stop.visible.length > 1 || wanted.kind !== "stepOut" ? STEPS[wanted.kind] : "Debugger.resume";
  }

  private async atDebuggerStatement({ paused }: Stop): Promise<boolean> {
    const { scriptId, lineNumber, columnNumber } = paused.callFrames[0]!.location;
    const line = (await this.scripts.code(scriptId)).split("\n")[lineNumber] ?? "";
    return line.startsWith("debugger", columnNumber ?? 0);
  }

  private reason({ paused, exception }: Stop): Json {
    if (exception)
      return {
        reason: "exception",
        description: "Paused on exception",
        text: exception.description?.split("\n")[0] ?? String(exception.value),
      };
    const hitBreakpointIds = this.breakpoints.hit(paused.hitBreakpoints ?? []);
    if (hitBreakpointIds.length > 0)
      return { reason: "breakpoint", description: "Paused on breakpoint", hitBreakpointIds };
    if (!this.wanted) return { reason: "breakpoint", description: "Paused on debugger statement" };
    return this.wanted.kind === "pause"
      ? { reason: "pause", description: "Paused" }
      : { reason: "step", description: "Paused after a step" };
  }

  private resumed(): void {
    this.turn++;
    const { halted } = this;
    this.halted = undefined;
    if (!halted) return;
    this.variables.clear();
    if (this.client)
      void this.client.post("Runtime.releaseObjectGroup", { objectGroup: "halted" }).catch(() => {});
    this.host.event("continued", { threadId: THREAD.id, allThreadsContinued: true });
  }

  private failed(error: unknown): void {
    // The worker ended, or the code went on meanwhile: nothing to be done, and nothing wrong.
    if (/closed|Can only perform operation while paused|not open/.test(String(error))) return;
    this.host.log(`debugger: ${(error as Error).stack ?? String(error)}`);
    void this.client?.post("Debugger.resume").catch(() => {});
  }
}
