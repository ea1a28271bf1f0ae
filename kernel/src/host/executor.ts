/**
 * Runs the execute_requests of each shell one after the other: compile and check, hand to the worker, reply. Owns the worker and replaces it when it dies; the kernel itself outlives every cell.
 */
import { existsSync } from "node:fs";
import {
  CellSyntaxError,
  type CompiledCell,
  compileCell,
  isEvident,
  isGlobal,
  isUnchecked,
  useCompilerOptions,
} from "../compile/cell.js";
import { compileExpressions } from "../compile/expressions.js";
import { type CellText, readCell } from "../compile/magics.js";
import type { DebugHooks } from "../debug/service.js";
import type { RunDone, ToHost } from "../link/messages.js";
import type { Json } from "../protocol/message.js";
import type { CellLanguage, CheckResult, Settings, TypeService } from "../types/service.js";
import type { Comms } from "./comms.js";
import { booleanField, type Request, stringField } from "./context.js";
import { exitReport, INTERRUPTED, STOPPED } from "./endings.js";
import type { History } from "./history.js";
import { isEmptyText, runHostMagics } from "./host-magics.js";
import { Output, type RunningCell } from "./output.js";
import { problemsReport, syntaxReport } from "./problems.js";
import { type Shell, Shells } from "./shells.js";
import { type InterruptOutcome, WorkerProcess } from "./worker-process.js";

/** How far the executor reaches into the kernel: statuses, replies and questions go through it. */
export interface ExecutorHost {
  status(request: Request, state: "busy" | "idle"): void;
  reply(request: Request, content: Json): void;
  ask(request: Request, prompt: string, password: boolean): Promise<string | null>;
  /** Answers every open question with nothing: who asked is gone. */
  dismiss(): void;
  log(line: string): void;
  readonly debug: DebugHooks;
}

/** A cell that was taken from its queue and is not over yet. */
interface Running extends RunningCell {
  run: number;
  shell: Shell;
  request: Request;
  interrupted: boolean;
}

type Outcome = Pick<RunDone, "error" | "expressions" | "payload">;

export class Executor {
  readonly shells = new Shells();
  /** Cells with type errors run nevertheless when this is off. */
  typeCheck = process.env.MLSYS_TYPECHECK !== "off";

  private worker: WorkerProcess;
  /** By run; at most one for each shell, the oldest first. */
  private readonly running = new Map<number, Running>();
  private readonly output: Output;
  /** Names of Node's globals that cells have declared as their own. */
  private readonly shadowed = new Set<string>();
  /** Names that cells have declared. */
  private readonly declared = new Set<string>();
  private settings: Settings | undefined;
  private interruptedKill = false;
  private closing = false;

  constructor(
    private readonly host: ExecutorHost,
    private readonly types: TypeService,
    private readonly history: History,
    comms: Comms,
    worker?: (executor: Executor) => WorkerProcess,
  ) {
    this.output = new Output(
      {
        running: (run) => this.running.get(run),
        ask: (request, question) => void this.ask(request, question),
        packagesChanged: () => types.packagesChanged(),
      },
      comms,
    );
    this.worker = worker ? worker(this) : this.startWorker();
  }

  get workerPid(): number | undefined {
    return this.worker.pid;
  }

  /** The request whose cell runs now; where cells of several shells do, the one that began first. */
  get current(): Request | undefined {
    return this.running.values().next().value?.request;
  }

  /** Whether a name was declared by a cell that ran, or is a global. */
  isKnown(name: string): boolean {
    return this.declared.has(name) || isGlobal(name);
  }

  enqueue(request: Request): void {
    const shell = this.shells.of(request.message);
    // The kernel refuses requests to shells that are not there.
    if (!shell) return;
    shell.queue.push(request);
    if (!shell.draining) void this.drain(shell);
  }

  /** Ends a subshell: what it has queued is aborted, its cell is given up. @returns false when there is none. */
  deleteShell(id: string): boolean {
    const shell = this.shells.delete(id);
    if (!shell) return false;
    this.abortQueued(shell);
    for (const running of this.running.values()) if (running.shell === shell) running.interrupted = true;
    this.worker.send({ type: "close-shell", shell: shell.number });
    return true;
  }

  /** Loads what the first interrupt needs. */
  prepareInterrupt(): Promise<void> {
    return this.worker.prepareInterrupt();
  }

  /** Stops the cells of all shells, and what earlier cells left running. */
  async interrupt(): Promise<InterruptOutcome> {
    for (const running of this.running.values()) running.interrupted = true;
    await this.host.debug.release(); // code that stands may end with that already
    const sent = [...this.running.values()].filter(({ finish }) => finish);
    const outcome = await this.worker.interrupt();
    // The worker has told of the end of every cell, but for one that it never read: the interrupt hit its reading.
    for (const { run, finish } of sent)
      if (outcome !== "killed") finish?.({ type: "done", run, error: STOPPED, expressions: {} });
    if (outcome === "killed") this.interruptedKill = true;
    return outcome;
  }

  /** Resolves when the listeners in the worker have run. */
  sendComm(kind: "open" | "msg" | "close", request: Request): Promise<void> {
    const { content, message } = request;
    const { run, done } = this.output.trackComm(request);
    this.worker.send({ type: "comm", kind, content, metadata: message.metadata, run }, message.buffers);
    return done;
  }

  close(): void {
    this.closing = true;
    this.worker.kill();
  }

  private startWorker(): WorkerProcess {
    const worker = new WorkerProcess(
      {
        message: (message, buffers) => this.output.receive(message, buffers),
        raw: (name, text) => this.output.stream(this.current, name, text),
        exit: (code, signal) => this.workerEnded(code, signal),
      },
      process.cwd(),
    );
    this.host.debug.workerStarted(worker, this.shadowed);
    return worker;
  }

  private async drain(shell: Shell): Promise<void> {
    shell.draining = true;
    for (let request = shell.queue.shift(); request; request = shell.queue.shift()) {
      this.host.status(request, "busy");
      let content: Json;
      try {
        content = await this.execute(shell, request);
      } catch (error) {
        this.host.log(`execute_request failed: ${(error as Error).stack}`);
        const problem = {
          ename: "KernelError",
          evalue: String(error),
          traceback: [`The kernel could not run this cell: ${String(error)}`],
        };
        // Front ends show what is published and ignore the reply: without this the cell would seem to do nothing.
        request.publish("error", problem);
        content = { status: "error", ...problem };
      }
      this.host.reply(request, content);
      this.host.status(request, "idle");
      if (content.status === "error" && booleanField(request.content, "stop_on_error", true))
        this.abortQueued(shell);
    }
    shell.draining = false;
  }

  /** Requests that came before an error was known do not run: their author thought that it would succeed. */
  private abortQueued(shell: Shell): void {
    for (const request of shell.queue.splice(0))
      this.conclude(request, { status: "aborted", execution_count: shell.executionCount });
  }

  /** Answers a request whose cell does not run. */
  private conclude(request: Request, content: Json): void {
    this.host.status(request, "busy");
    this.host.reply(request, content);
    this.host.status(request, "idle");
  }

  private async execute(shell: Shell, request: Request): Promise<Json> {
    const code = stringField(request.content, "code");
    const silent = booleanField(request.content, "silent", false);
    const stored = !silent && booleanField(request.content, "store_history", true);
    if (stored) shell.executionCount++;
    const count = shell.executionCount;
    if (!silent) request.publish("execute_input", { code, execution_count: count });
    if (stored && code.trim() !== "") this.history.add(count, code, shell.number);
    const run = this.output.track(request);
    const place = shell.number === 0 ? `cell:${count}` : `cell:${count}@${shell.number}`;
    const name = stored ? place : `${place}.${run}`;
    const running: Running = { run, shell, request, count, interrupted: false };
    this.running.set(run, running);
    try {
      const outcome = await this.compileAndRun(running, name, code, silent);
      const expressions = outcome.expressions;
      if (stored && running.result !== undefined) this.history.addOutput(count, running.result, shell.number);
      if (!outcome.error)
        return {
          status: "ok",
          execution_count: count,
          payload: outcome.payload ?? [],
          user_expressions: expressions,
        };
      if (!silent) request.publish("error", { ...outcome.error });
      return { status: "error", execution_count: count, ...outcome.error, user_expressions: {}, payload: [] };
    } finally {
      this.running.delete(run);
    }
  }

  private async compileAndRun(
    running: Running,
    name: string,
    code: string,
    silent: boolean,
  ): Promise<Outcome> {
    const cell = await readCell(code, (known) => this.isKnown(known)).catch(
      (error: unknown) => error as Error,
    );
    if (cell instanceof CellSyntaxError) return { error: syntaxReport(cell, code, name), expressions: {} };
    if (cell instanceof Error) throw cell;
    const { text } = cell;
    await this.readSettings(running.request);
    let language: CellLanguage = "typescript";
    const magics = {
      print: (printed: string) => this.output.stream(running.request, "stdout", printed),
      reset: () => this.reset(),
      setTypeCheck: (on: boolean) => {
        this.typeCheck = on;
      },
      typeCheck: () => this.typeCheck,
      javascript: () => {
        language = "javascript";
      },
    };
    const refused = await runHostMagics(cell, magics, code, name);
    if (refused) return { error: refused, expressions: {} };
    // What is not to be checked does not wait for the checker either; only a syntax error is better told by it.
    const unchecked = isUnchecked(text);
    const evident = cell.code === text ? isEvident(text) : isEmptyText(text);
    const checks = this.typeCheck && !evident;
    const early = checks && !unchecked ? this.check(name, text, language) : undefined; // while the transpiler works
    const compiled = await compileCell(cell.code, this.shadowed).catch((error: unknown) => error as Error);
    const check = await (early ??
      (checks && compiled instanceof Error ? this.check(name, text, language) : undefined));
    const problems = (check?.problems ?? []).filter((problem) => problem.syntax || !unchecked);
    if (problems.length > 0) return { error: problemsReport(problems, code, name), expressions: {} };
    if (compiled instanceof CellSyntaxError)
      return { error: syntaxReport(compiled, code, name), expressions: {} };
    if (compiled instanceof Error) throw compiled;
    const { map, shifts, shadows } = compiled;
    await this.host.debug.beforeRun({ name, source: code, map, shifts, shadows });
    if (running.interrupted) return { error: INTERRUPTED, expressions: {} };
    if (!evident) this.types.commit(name, text, language);
    for (const declared of compiled.names) this.declared.add(declared);
    for (const shadow of compiled.shadows) this.shadowed.add(shadow);
    return this.runInWorker(running, name, code, { ...compiled, inserted: cell.inserted }, silent);
  }

  /** A fresh worker, as if no cell had run. */
  private async reset(): Promise<void> {
    this.forget();
    this.worker.retire();
    this.worker = this.startWorker();
    this.sendSettings();
  }

  private forget(): void {
    this.types.reset();
    this.shadowed.clear();
    this.declared.clear();
    this.output.forget();
  }

  /** A `tsconfig.json` beside the notebook counts for running code too. It is read once, with the first cell. */
  private async readSettings(request: Request): Promise<void> {
    if (this.settings || !existsSync("tsconfig.json")) return;
    this.settings = await this.types.settings().catch((error: Error) => {
      this.host.log(`tsconfig.json: ${error.message}`);
      return { compilerOptions: {}, paths: {} };
    });
    const { compilerOptions, problem } = this.settings;
    useCompilerOptions(compilerOptions);
    this.sendSettings();
    if (problem) this.output.stream(request, "stderr", `tsconfig.json: ${problem}\n`);
  }

  private sendSettings(): void {
    if (this.settings) this.worker.send({ type: "settings", settings: this.settings });
  }

  private async check(name: string, text: string, language: CellLanguage): Promise<CheckResult | undefined> {
    try {
      return await this.types.check(name, text, language);
    } catch (error) {
      this.host.log(`the type checker failed on ${name}: ${(error as Error).message}`);
      return undefined;
    }
  }

  private async runInWorker(
    running: Running,
    name: string,
    source: string,
    compiled: CompiledCell & Pick<CellText, "inserted">,
    silent: boolean,
  ): Promise<Outcome> {
    const { content } = running.request;
    const expressions = await compileExpressions(content.user_expressions, this.shadowed);
    await this.worker.calm();
    // From here on an interrupt reaches the worker after the cell does.
    if (running.interrupted) return { error: INTERRUPTED, expressions: {} };
    const done = new Promise<RunDone>((resolve) => {
      running.finish = resolve;
    });
    this.worker.send({
      type: "run",
      run: running.run,
      shell: running.shell.number,
      name,
      code: compiled.code,
      map: compiled.map,
      shifts: compiled.shifts,
      inserted: compiled.inserted,
      hasResult: compiled.hasResult,
      source,
      expressions,
      allowStdin: booleanField(content, "allow_stdin", true),
      silent,
    });
    keepAwake(done);
    const { error: thrown, expressions: results, payload } = await done;
    // What the cell threw when it was interrupted (a question dismissed, a child process ended) is the interrupt.
    const error = thrown && running.interrupted && thrown.ename !== "KernelWorkerExit" ? STOPPED : thrown;
    // Output of child processes comes through other pipes: let what is already there go first.
    await new Promise((resolve) => setImmediate(resolve));
    return { error, expressions: results, payload };
  }

  private async ask(request: Request, question: Extract<ToHost, { type: "input" }>): Promise<void> {
    const value = await this.host.ask(request, String(question.prompt), question.password === true);
    if (question.sync) this.worker.answer(question.token, value);
    else this.worker.send({ type: "input", token: question.token, value });
  }

  /** The worker is gone: a fresh one starts, and the reader is told what was lost. */
  private workerEnded(code: number | null, signal: NodeJS.Signals | null): void {
    if (this.closing) return;
    const report = exitReport(code, signal, this.interruptedKill);
    this.interruptedKill = false;
    this.forget();
    this.host.dismiss();
    this.worker = this.startWorker();
    this.sendSettings();
    const lost = [...this.running.values()].filter(({ finish }) => finish);
    for (const { run, finish } of lost) finish?.({ type: "done", run, error: report, expressions: {} });
    if (lost.length === 0) this.output.stream(undefined, "stderr", `${report.traceback.join("\n")}\n`);
  }
}

/** A short cell is over before a process that went to sleep is awake again. */
const AWAKE_MS = 0.6;

function keepAwake(done: Promise<unknown>): void {
  const end = performance.now() + AWAKE_MS;
  let over = false;
  void done.then(() => {
    over = true;
  });
  const look = (): void => {
    if (!over && performance.now() < end) setImmediate(look);
  };
  look();
}
