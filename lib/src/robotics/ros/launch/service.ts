/** Runs a launch description: starts its processes, sees to what follows on their starts and ends, and ends them all. */
import type { ChildProcess } from "node:child_process";
import { existsSync } from "node:fs";
import { basename, extname } from "node:path";
import { fileURLToPath } from "node:url";
import { ValueError } from "../../../core/errors.js";
import {
  type ExitEvent,
  type LaunchAction,
  type LaunchDescription,
  type LaunchItems,
  type LaunchScope,
  type NodeAction,
  nestScopes,
  type ProcessAction,
  resolveArguments,
  rosArguments,
  type StartEvent,
  scriptPath,
} from "./description.js";
import { type Grace, type ProcessEnd, type ProcessSpec, Supervised } from "./supervised.js";

/** What a launch tells as it goes. */
export type LaunchEvent =
  | { readonly type: "start"; readonly name: string; readonly pid: number }
  | {
      readonly type: "output";
      readonly name: string;
      readonly stream: "stdout" | "stderr";
      readonly line: string;
    }
  | {
      readonly type: "exit";
      readonly name: string;
      readonly code: number | null;
      readonly signal: NodeJS.Signals | null;
      /** Whether all were being ended: then no code or signal is a failure. */
      readonly asked: boolean;
    }
  | { readonly type: "respawn"; readonly name: string; readonly delay: number }
  | { readonly type: "escalate"; readonly name: string; readonly signal: NodeJS.Signals }
  | { readonly type: "log"; readonly text: string }
  | { readonly type: "error"; readonly name: string | null; readonly error: Error }
  | { readonly type: "shutdown"; readonly reason: string };

/** How scripts are run as processes; the command line gives its own. */
export interface ScriptRunner {
  command(script: string, args: readonly string[]): readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Streams after stdin, stdout and stderr. */
  readonly extra: readonly ("pipe" | "ipc")[];
}

export interface LaunchOptions {
  /** Arguments of the launch file. */
  readonly args?: Readonly<Record<string, string>>;
  /** Where relative paths start. Default: the current folder. */
  readonly folder?: string;
  readonly runner: ScriptRunner;
  /** When it returns a promise of an output's event, that process's output waits. Default: nothing is told. */
  readonly onEvent?: (event: LaunchEvent) => void | Promise<void>;
  /** Called with each new process of a node, before it can have said anything; what it returns is called at its end. */
  readonly join?: (child: ChildProcess, node: NodeAction) => () => void;
  /** Called after each start of a managed node with the node's full name; it brings it up. */
  readonly bringUp?: (node: string, state: "inactive" | "active", signal: AbortSignal) => Promise<void>;
  /** Seconds from SIGINT to SIGTERM, and on to SIGKILL, and for output that is left. Default 5, 5 and 1. */
  readonly grace?: Partial<Grace>;
  /** Ends all. */
  readonly signal?: AbortSignal;
}

export interface LaunchReport {
  /** 0, or what the first process that failed on its own ended with, 128 + the signal's number where it was one. */
  readonly code: number;
  /** Why all were ended; null where they ended by themselves. */
  readonly reason: string | null;
}

const SIGNAL_NUMBERS: Readonly<Record<string, number>> = {
  ...{ SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 },
};

/** Runs one description once. */
export class LaunchService {
  private readonly running = new Map<Supervised, string>();
  private readonly names = new Map<string, number>();
  private readonly startHandlers = new Map<ProcessAction, ((event: StartEvent) => LaunchItems)[]>();
  private readonly exitHandlers = new Map<ProcessAction, ((event: ExitEvent) => LaunchItems)[]>();
  private readonly shutdownHandlers: ((reason: string) => void | Promise<void>)[] = [];
  private readonly over = new AbortController();
  private readonly timers = new Set<() => void>();
  /** What keeps a launch going beside its processes: timers, respawns, handlers under way. */
  private pending = 0;
  private code = 0;
  private reason: string | null = null;
  /** How often it was asked to end, beyond the first time. */
  private urgency = 0;
  private done!: () => void;
  private readonly grace: Grace;
  private readonly folder: string;

  constructor(
    private readonly description: LaunchDescription,
    private readonly options: LaunchOptions,
  ) {
    this.grace = { interrupt: 5, terminate: 5, output: 1, ...options.grace };
    this.folder = options.folder ?? process.cwd();
  }

  /**
   * Resolves when all that was started has ended and nothing is left to come.
   * @throws ValueError of arguments that are missing or unknown; what the description itself throws
   */
  async run(): Promise<LaunchReport> {
    const args = resolveArguments(this.description, this.options.args ?? {});
    const items = await this.description.body({ args });
    const ended = new Promise<void>((resolve) => {
      this.done = resolve;
    });
    const { signal } = this.options;
    const stop = () => this.shutdown(reasonOf(signal!.reason));
    signal?.addEventListener("abort", stop);
    try {
      this.busy(async () => {
        try {
          await this.take(items, {});
        } catch (error) {
          this.fail(null, error);
          this.shutdown("its description failed");
        }
      });
      if (signal?.aborted) stop();
      await ended;
    } finally {
      signal?.removeEventListener("abort", stop);
    }
    return { code: this.code, reason: this.reason };
  }

  /** Ends all: SIGINT, then SIGTERM, then SIGKILL. Asked again, SIGTERM comes at once, then SIGKILL. */
  shutdown(reason: string): void {
    if (this.reason !== null) {
      this.urgency++;
      for (const process of this.running.keys())
        if (this.urgency === 1) process.stop("SIGTERM");
        else process.signal("SIGKILL");
      return;
    }
    this.reason = reason;
    this.tell({ type: "shutdown", reason });
    this.busy(async () => {
      for (const handler of this.shutdownHandlers) await this.guarded(null, () => handler(reason));
      this.over.abort(new Error(reason));
      for (const cancel of [...this.timers]) cancel();
      for (const process of this.running.keys()) process.stop();
    });
  }

  private async take(items: LaunchItems, scope: LaunchScope): Promise<void> {
    const list = Array.isArray(items) ? items : [items];
    // handlers first: a process may end before its handler's turn
    for (const item of list) if (item && isHandler(item)) this.takeHandler(item);
    for (const item of list) if (item && !isHandler(item)) await this.takeOne(item, scope);
  }

  private takeHandler(action: LaunchAction): void {
    if (action.kind === "onStart")
      this.startHandlers.set(action.target, [...(this.startHandlers.get(action.target) ?? []), action.then]);
    else if (action.kind === "onExit")
      this.exitHandlers.set(action.target, [...(this.exitHandlers.get(action.target) ?? []), action.then]);
    else if (action.kind === "onShutdown") this.shutdownHandlers.push(action.then);
  }

  private async takeOne(action: LaunchAction, scope: LaunchScope): Promise<void> {
    if (this.reason !== null) return;
    switch (action.kind) {
      case "node":
      case "execute":
        this.start(action, scope, this.label(action), 0);
        return;
      case "group":
        return this.take(action.actions, nestScopes(scope, action.scope));
      case "include": {
        const { description, args } = action;
        return this.take(await description.body({ args: resolveArguments(description, args) }), scope);
      }
      case "timer":
        this.later(action.seconds, () => this.take(action.then(), scope));
        return;
      case "log":
        this.tell({ type: "log", text: action.text });
        return;
      case "shutdown":
        this.shutdown(action.reason);
        return;
      default:
        throw new ValueError(`launch: "${(action as { kind?: unknown }).kind}" is no action`);
    }
  }

  private start(action: ProcessAction, scope: LaunchScope, name: string, respawns: number): void {
    const supervised = new Supervised(
      this.specOf(action, scope),
      {
        onLine: (stream, line) => this.options.onEvent?.({ type: "output", name, stream, line }),
        onEscalate: (signal) => this.tell({ type: "escalate", name, signal }),
      },
      this.grace,
    );
    this.running.set(supervised, name);
    let leave: (() => void) | undefined;
    if (supervised.pid !== undefined) {
      if (action.kind === "node") leave = this.options.join?.(supervised.child, action);
      const event: StartEvent = { name, pid: supervised.pid };
      this.tell({ type: "start", ...event });
      this.handle(this.startHandlers.get(action), event, scope, name);
      this.bringUp(action, scope, name, supervised);
    }
    void supervised.ended.then((end) => {
      leave?.();
      this.running.delete(supervised);
      this.ended(action, scope, name, respawns, end);
      this.settle();
    });
  }

  private ended(
    action: ProcessAction,
    scope: LaunchScope,
    name: string,
    respawns: number,
    { code, signal, error }: ProcessEnd,
  ): void {
    const asked = this.reason !== null;
    if (error) this.tell({ type: "error", name, error });
    this.tell({ type: "exit", name, code, signal, asked });
    const number = error ? 127 : (code ?? 128 + (SIGNAL_NUMBERS[signal ?? ""] ?? 0));
    const { respawn = false, respawnDelay = 0, maxRespawns = Infinity, required = false } = action.options;
    const again = respawn && respawns < maxRespawns && !asked;
    if (!asked && !again && this.code === 0) this.code = number;
    this.handle(this.exitHandlers.get(action), { name, code, signal }, scope, name);
    if (asked) return;
    if (again) {
      this.tell({ type: "respawn", name, delay: respawnDelay });
      this.later(respawnDelay, () => this.start(action, scope, name, respawns + 1));
    } else if (required)
      this.shutdown(`${name}, which is required, ended with ${signal ?? `exit code ${code}`}`);
  }

  private specOf(action: ProcessAction, scope: LaunchScope): ProcessSpec {
    if (action.kind === "execute") {
      const { command, args = [], env, cwd } = action.options;
      return {
        command: [process.execPath, GUARD, "3", command, ...args],
        env: { ...process.env, ...scope.env, ...env },
        cwd: cwd ?? this.folder,
        extra: ["pipe"],
      };
    }
    const { options } = action;
    const { runner } = this.options;
    const own = nestScopes(scope, options);
    const path = scriptPath(options.script, this.folder);
    if (!existsSync(path)) throw new ValueError(`launch: script ${path} is not there`);
    const words = [...(options.args ?? []), ...rosArguments(own, options.name, this.folder)];
    return {
      command: runner.command(path, words),
      env: { ...process.env, ...runner.env, ...own.env },
      cwd: options.cwd ?? this.folder,
      extra: runner.extra,
    };
  }

  private bringUp(action: ProcessAction, scope: LaunchScope, name: string, supervised: Supervised): void {
    if (action.kind !== "node" || action.options.lifecycle === undefined) return;
    const { name: node, lifecycle } = action.options;
    const { namespace = "/" } = nestScopes(scope, action.options);
    if (node === undefined) {
      this.fail(name, new ValueError('launch: a node with "lifecycle" needs a "name"'));
      return;
    }
    if (!this.options.bringUp) return;
    const gone = new AbortController();
    void supervised.ended.then(() => gone.abort(new Error(`${name} ended`)));
    const signal = AbortSignal.any([gone.signal, this.over.signal]);
    const bring = this.options.bringUp(`${namespace.replace(/\/$/, "")}/${node}`, lifecycle, signal);
    bring.catch((error: unknown) => {
      if (!signal.aborted) this.fail(name, error);
    });
  }

  private handle<E>(
    handlers: readonly ((event: E) => LaunchItems)[] | undefined,
    event: E,
    scope: LaunchScope,
    name: string,
  ): void {
    for (const handler of handlers ?? [])
      this.busy(() => this.guarded(name, () => this.take(handler(event), scope)));
  }

  /** An error of a handler is told, and the launch goes on. */
  private async guarded(name: string | null, what: () => void | Promise<void>): Promise<void> {
    try {
      await what();
    } catch (error) {
      this.fail(name, error);
    }
  }

  private fail(name: string | null, error: unknown): void {
    if (this.code === 0) this.code = 1;
    this.tell({ type: "error", name, error: error instanceof Error ? error : new Error(String(error)) });
  }

  /** After so many seconds; not if all are ended before. */
  private later(seconds: number, what: () => void | Promise<void>): void {
    this.pending++;
    const cancel = () => {
      clearTimeout(timer);
      this.timers.delete(cancel);
      this.free();
    };
    const timer = setTimeout(() => {
      this.timers.delete(cancel);
      void this.guarded(null, what).then(() => this.free());
    }, seconds * 1_000);
    this.timers.add(cancel);
  }

  private busy(what: () => Promise<void>): void {
    this.pending++;
    void what().finally(() => this.free());
  }

  private free(): void {
    this.pending--;
    this.settle();
  }

  private settle(): void {
    if (this.running.size === 0 && this.pending === 0) this.done();
  }

  /** Its name, and a number where there are several of it. */
  private label({ kind, options }: ProcessAction): string {
    const path =
      kind === "node" ? (options.script instanceof URL ? options.script.pathname : options.script) : "";
    const base =
      options.name ?? (kind === "node" ? basename(path, extname(path)) : basename(options.command));
    const count = (this.names.get(base) ?? 0) + 1;
    this.names.set(base, count);
    return count === 1 ? base : `${base}-${count}`;
  }

  private tell(event: LaunchEvent): void {
    void this.options.onEvent?.(event);
  }
}

const GUARD = fileURLToPath(new URL("./guard.js", import.meta.url));

const isHandler = ({ kind }: LaunchAction): boolean =>
  kind === "onStart" || kind === "onExit" || kind === "onShutdown";

const reasonOf = (reason: unknown): string => (reason instanceof Error ? reason.message : String(reason));
