/**
 * The learner's side of the grader: a kernel that has run the given cells and the learner's answers, and answers
 * the judge's requests. When it hangs or dies, the request that it was busy with fails with the reason, the
 * process is replaced, the cells are run again, and grading goes on.
 */
import type { SharedChecker, Turn } from "../checker/checker.js";
import { withoutTypes } from "../checker/plain.js";
import { GraderError, messageOf } from "../errors.js";
import type { StatusError, TestStatus } from "../kit/check.js";
import { isPlain } from "../session/bare.js";
import {
  type Execution,
  ExecutionTimeout,
  KernelDied,
  type KernelSession,
  type SessionFactory,
} from "../session/session.js";
import { exchangeCode, FRAMES_MIME, loadAgentCode } from "../wire/carrier.js";
import { countParts, type Frame, MAX_FRAME_CHARS, MAX_FRAME_PARTS, MAX_FRAMES } from "../wire/frames.js";
import { Peer } from "../wire/peer.js";
import { budgetFor, type GradeLimits, type Step } from "./limits.js";

export interface BoxCell {
  gradeId: string;
  /** `given` cells are the instructor's. */
  kind: "given" | "answer";
  source: string;
}

/** Where the cells run. */
export interface BoxPlace {
  open: SessionFactory;
  /** For cells that the checker found right and that are plain. */
  openBare?: SessionFactory;
  /** Checks the cells' types; where there is none, the kernel does that. */
  checker?: Pick<SharedChecker, "begin">;
}

export type CellStatus = "ok" | "error" | "compile" | Crash;
/** Ends of a process. */
type Crash = "timeout" | "oom" | "exit" | "protocol" | "limit";
export interface CellOutcome {
  gradeId: string;
  status: CellStatus;
  message?: string;
}

/** Why the learner's process did not answer. */
export class BoxError extends Error implements StatusError {
  override readonly name = "BoxError";
  constructor(
    readonly testStatus: Extract<TestStatus, Crash | "grader">,
    message: string,
  ) {
    super(message);
  }
}

const INTERRUPT_MS = 1_000;
/** How long the agent waits for more to say while the judge is busy with a callback of its own. */
const SHORT_WAIT_MS = 5;
const HANDLES_PER_PROCESS = 1_000_000;

export class Box {
  readonly peer = new Peer({ send: (frame) => this.send(frame) });
  /** How each cell went when it was run last. */
  readonly cells = new Map<string, CellOutcome>();
  private session: KernelSession;
  private outgoing: Frame[] = [];
  private pumping = false;
  private changed: () => void = () => {};
  private processes = 0;
  private turn: Turn | undefined;
  /** The checker has found nothing, so nobody needs the cells' types any more. */
  private rightAsAWhole = false;
  private deadline = 0;
  /** Set when no more requests can be answered. */
  private closed: BoxError | undefined;

  constructor(
    private readonly place: BoxPlace,
    private readonly code: readonly BoxCell[],
    private readonly limits: GradeLimits,
  ) {
    this.session = place.open();
  }

  /** Starts the process and runs all cells. @throws GraderError when there is no working kernel */
  async start(): Promise<void> {
    this.deadline = Date.now() + this.limits.notebookMs;
    await this.check();
    const { openBare } = this.place;
    if (openBare && this.rightAsAWhole && (await this.isPlain())) this.session = openBare();
    await this.session.start().catch((error: unknown) => {
      this.turn?.end();
      throw error;
    });
    await this.prepare();
  }

  async stop(): Promise<void> {
    this.closed ??= new BoxError("exit", "the process was ended");
    await this.session.shutdown();
  }

  private get left(): number {
    return this.deadline - Date.now();
  }

  /** Processor time that is left, where it is known. */
  private get cpuLeft(): number | undefined {
    const used = this.session.cpuMs();
    return used === undefined ? undefined : this.limits.notebookCpuMs - used;
  }

  /** The notebook's time, if it is used up. */
  private get spent(): string | undefined {
    if (this.left <= 0) return `the notebook's time of ${seconds(this.limits.notebookMs)} is used up`;
    if ((this.cpuLeft ?? 1) <= 0)
      return `the notebook's processor time of ${seconds(this.limits.notebookCpuMs)} is used up`;
    return undefined;
  }

  private run(code: string, step: Step): Promise<Execution> {
    return this.session.execute(code, budgetFor(step, this.limits, this.left, this.cpuLeft));
  }

  /** Begins a turn of the checker, which is over when the cells are right as a whole: most submissions are. */
  private async check(): Promise<void> {
    this.turn = await this.place.checker?.begin();
    // Cells that are left out change what the others see.
    if (this.cells.size > 0 || !(await this.turn?.takeAll(this.code.map(({ source }) => source)))) return;
    this.turn?.end();
    this.turn = undefined;
    this.rightAsAWhole = true;
  }

  private async isPlain(): Promise<boolean> {
    for (const { source } of this.code) if (!isPlain(await withoutTypes(source))) return false;
    return true;
  }

  /** Loads the agent and runs the cells, leaving out those that ended or blocked the process before. */
  private async prepare(): Promise<void> {
    const run = async () => {
      await this.loadAgent();
      return this.runCells();
    };
    const blocked = await run().finally(() => this.turn?.end());
    if (blocked) await this.replace();
  }

  /** @returns whether a cell ended or blocked the process */
  private async runCells(): Promise<boolean> {
    let answered = false;
    for (const cell of this.code) {
      const before = this.cells.get(cell.gradeId)?.status;
      if (before !== undefined && isCrash(before)) continue;
      let outcome = await this.runCell(cell, cell.kind === "given" && !answered ? "given" : "cell");
      if (outcome.status === "compile" && this.someAnswerFailed()) {
        // It may only miss the names of a cell before it: types must not spread one task's failure to the next.
        outcome = await this.runCell({ ...cell, source: `// @ts-nocheck\n${cell.source}` }, "cell");
      }
      // After the learner's code has run, a given cell that fails may be the learner's doing.
      if (cell.kind === "given" && outcome.status !== "ok" && !answered) {
        throw new GraderError(`the given cell ${cell.gradeId} fails: ${outcome.message ?? outcome.status}`);
      }
      answered ||= cell.kind === "answer";
      this.cells.set(cell.gradeId, outcome);
      if (isCrash(outcome.status)) return true;
    }
    return false;
  }

  private someAnswerFailed(): boolean {
    return [...this.cells.values()].some(({ status }) => status !== "ok");
  }

  private async loadAgent(): Promise<void> {
    const code = loadAgentCode(HANDLES_PER_PROCESS * this.processes++);
    const execution = await this.run(code, "given");
    if (framesIn(execution) === undefined) {
      throw new GraderError(
        `the kernel can't load the grader's agent: ${execution.error?.message ?? execution.text ?? "no answer"}`,
      );
    }
  }

  private async runCell({ gradeId, source }: BoxCell, step: Step): Promise<CellOutcome> {
    if (source.trim() === "") return { gradeId, status: "ok" };
    const refused = await this.checked(source);
    if (refused) return { gradeId, status: "compile", message: refused };
    let execution: Execution;
    try {
      execution = await this.run(this.rightAsAWhole ? await withoutTypes(source) : source, step);
    } catch (error) {
      const { testStatus, message } = crashOf(error, "the cell");
      return { gradeId, status: testStatus as CellStatus, message };
    }
    if (execution.status === "ok") return { gradeId, status: "ok" };
    if (!(await this.agentAnswers())) {
      const { testStatus, message } = endOf(execution, "the cell");
      return { gradeId, status: testStatus as CellStatus, message };
    }
    const { name, message } = execution.error ?? { name: "Error", message: "no reason given" };
    const status = isCompileError(name) ? "compile" : "error";
    return { gradeId, status, message: `${name}: ${message}`.slice(0, 2000) };
  }

  /** @returns why the kernel would not run a cell */
  private async checked(source: string): Promise<string | undefined> {
    if (!this.turn) return undefined;
    const verdict = await this.turn.take(source);
    if (verdict !== "unknown")
      return verdict.error && `${verdict.error.name}: ${verdict.error.message}`.slice(0, 2000);
    // From here on the kernel checks itself: it knows the cells that came before.
    this.turn.end();
    this.turn = undefined;
    await this.run("%typecheck on", "given");
    return undefined;
  }

  private async agentAnswers(): Promise<boolean> {
    try {
      return framesIn(await this.run(exchangeCode("[]", 1), "call")) !== undefined;
    } catch {
      return false;
    }
  }

  /** A new process with the cells run again. */
  private async replace(): Promise<void> {
    if (this.processes > this.limits.restarts) {
      this.closed = new BoxError(
        "limit",
        `the process had to be replaced more than ${this.limits.restarts} times`,
      );
      return;
    }
    await this.session.restart();
    // Run again, what was right stays right.
    if (!this.rightAsAWhole) await this.check();
    await this.prepare();
  }

  private send(frame: Frame): void {
    this.outgoing.push(frame);
    this.changed();
    void this.pump();
  }

  /** Carries frames both ways for as long as anybody waits for an answer. */
  private async pump(): Promise<void> {
    if (this.pumping) return;
    this.pumping = true;
    await Promise.resolve(); // gathers what is sent in the same turn
    while (this.peer.waiting > 0 || this.outgoing.length > 0) {
      if (this.closed) {
        this.outgoing = [];
        this.peer.fail(this.closed);
        break;
      }
      if (this.outgoing.length === 0 && this.peer.serving > 0) {
        // A function of the test's is running for the learner's code, which waits for it.
        await new Promise<void>((resolve) => {
          this.changed = resolve;
        });
        continue;
      }
      const frames = this.outgoing;
      this.outgoing = [];
      await this.exchange(frames).catch((error: unknown) => this.recover(error));
    }
    this.pumping = false;
  }

  private async exchange(frames: Frame[]): Promise<void> {
    const text = JSON.stringify(frames);
    if (text.length > MAX_FRAME_CHARS)
      throw new BoxError("grader", `the test sends ${text.length} characters, more than ${MAX_FRAME_CHARS}`);
    const { spent } = this;
    if (spent !== undefined) throw new BoxError("timeout", spent);
    const waitMs = this.peer.serving > 0 ? SHORT_WAIT_MS : 0;
    const execution = await this.run(exchangeCode(text, waitMs), "call");
    const answers = framesIn(execution);
    if (answers === undefined) {
      throw execution.status === "ok"
        ? new BoxError("protocol", "the process did not answer")
        : endOf(execution, "your code");
    }
    try {
      for (const answer of answers) this.peer.receive(answer);
    } catch (error) {
      throw new BoxError("protocol", messageOf(error));
    }
  }

  /** After a failed exchange: replaces the process, then tells those who wait. */
  private async recover(error: unknown): Promise<void> {
    const reason = crashOf(error, "your code");
    if (error instanceof ExecutionTimeout) await this.session.interrupt(INTERRUPT_MS);
    this.outgoing = [];
    const { spent } = this;
    if (spent !== undefined) this.closed = new BoxError("timeout", spent);
    else {
      await this.replace().catch((failure: unknown) => {
        this.closed = new BoxError("grader", `the kernel could not be restarted: ${messageOf(failure)}`);
      });
    }
    this.peer.fail(reason);
  }
}

/** Why a process that runs no more did not answer. @param who the subject of the message */
function crashOf(error: unknown, who: string): BoxError {
  if (error instanceof BoxError) return error;
  if (error instanceof ExecutionTimeout) return new BoxError("timeout", `${who} ${error.message}`);
  const reason = error instanceof KernelDied ? error.reason : "exit";
  if (reason === "limit") return new BoxError("limit", `${who} ${messageOf(error)}`);
  if (reason === "protocol") return new BoxError("protocol", messageOf(error));
  return new BoxError(reason, reason === "oom" ? `${who} ran out of memory` : `${who} ended the process`);
}

/** Why the kernel lost the process that runs the cells. */
function endOf(execution: Execution, who: string): BoxError {
  if (execution.outOfMemory) return new BoxError("oom", `${who} ran out of memory`);
  return new BoxError("exit", `${who} ended the process`);
}

function isCrash(status: CellStatus): status is Crash {
  return status !== "ok" && status !== "error" && status !== "compile";
}

/**
 * The frames that the agent published, `undefined` if it published none or what it published is no list. Text that
 * would grow beyond measure when parsed is not parsed.
 */
function framesIn(execution: Execution): unknown[] | undefined {
  let found: unknown[] | undefined;
  let parts = 0;
  for (const bundle of execution.displays) {
    const text = bundle[FRAMES_MIME];
    if (typeof text !== "string" || text.length > MAX_FRAME_CHARS) continue;
    parts += countParts(text, MAX_FRAME_PARTS - parts);
    if (parts >= MAX_FRAME_PARTS)
      throw new BoxError("limit", `the answer has more than ${MAX_FRAME_PARTS} parts`);
    try {
      const frames: unknown = JSON.parse(text);
      if (Array.isArray(frames)) found = (found ?? []).concat(frames);
      if (found && found.length > MAX_FRAMES)
        throw new BoxError("limit", `more than ${MAX_FRAMES} answers at once`);
    } catch (error) {
      if (error instanceof BoxError) throw error;
      // Not the agent's: the learner's code may publish what it likes.
    }
  }
  return found;
}

function isCompileError(name: string): boolean {
  return /^(SyntaxError|TypeScript|TS\d|Diagnostic|CompileError)/i.test(name);
}

function seconds(ms: number): string {
  return `${ms / 1000} s`;
}
