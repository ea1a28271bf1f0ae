/**
 * Runs a cell by V8's own REPL: `Runtime.evaluate` with `replMode` over an inspector session in this process.
 * It gives top-level await, redeclaration and the completion value. The session that evaluates cannot also
 * interrupt (its messages wait behind the loop), so interrupts come over the host's connection.
 */
import { type Runtime, Session } from "node:inspector";
import { RUNTIME } from "../compile/scope.js";
import type { ErrorReport, ExpressionResult, RunRequest, ToHost } from "../link/messages.js";
import { displaysSettled, hasPendingDisplays } from "./display.js";
import { reportAt, reportError } from "./errors.js";
import { allowInput } from "./input.js";
import { isDebugged } from "./inspection.js";
import { isInterruptWanted, readersCode, uninterrupted } from "./interrupts.js";
import { sendTogether } from "./link.js";
import { endMagics } from "./magics.js";
import { takePayload } from "./payload.js";
import { addScript, originalPosition } from "./positions.js";
import { render } from "./render.js";
import { abandonRun, enterRun, NO_RUN, withRun } from "./runs.js";
import { flush } from "./streams.js";

export const INTERRUPTED: ErrorReport = {
  ename: "Interrupted",
  evalue: "The cell was interrupted.",
  traceback: ["Interrupted: The cell was interrupted. Variables keep the values that they had."],
};

type Outcome = { value: unknown; present: boolean } | { error: ErrorReport; interrupted?: boolean };

type CellResult = Extract<ToHost, { type: "result" }>;

/** The cell that an evaluator runs, until its end is told to the host. */
interface CellRun {
  request: RunRequest;
  over: boolean;
}

let taken: unknown;

/** Handed to the cell's runtime object: values leave an evaluation through it. */
export function take(value: unknown): void {
  taken = value;
}

/** The evaluators by their shell's number: cells of different shells take turns where they wait. */
const evaluators = new Map<number, Evaluator>();

export function runCell(request: RunRequest): void {
  const evaluator = evaluators.get(request.shell) ?? new Evaluator();
  evaluators.set(request.shell, evaluator);
  void evaluator.run(request);
}

/** Gives up the cells that run now. Their promises may still settle; nobody listens. */
export function interruptCells(): void {
  for (const evaluator of evaluators.values()) evaluator.interrupt();
}

/** Gives up the cell of a shell that is no more. */
export function closeShell(shell: number): void {
  evaluators.get(shell)?.interrupt();
  evaluators.delete(shell);
}

class Evaluator {
  private current: CellRun | undefined;

  /** Of its own: cells that are given up take it along. */
  private session = connected();

  /** Tells the host at once, by no promise: an interrupt may have stopped the code that would have settled it. */
  interrupt(): void {
    if (!this.current) return;
    abandonRun(this.current.request.run);
    void endMagics(this.current.request.run);
    this.finish(this.current, { error: INTERRUPTED, interrupted: true });
  }

  async run(request: RunRequest): Promise<void> {
    const cell: CellRun = { request, over: false };
    this.current = cell;
    addScript({
      name: request.name,
      source: request.source,
      map: request.map,
      shifts: request.shifts,
      inserted: request.inserted,
    });
    enterRun(request.run);
    allowInput(request.run, request.allowStdin);
    if (isInterruptWanted()) return this.finish(cell, { error: INTERRUPTED, interrupted: true });
    const { outcome, result } = await this.evaluateAndRender(request);
    enterRun(request.run);
    if ("error" in outcome || cell.over) return this.finish(cell, outcome);
    const asked = Object.keys(request.expressions).length > 0;
    if (asked && result) this.show(result); // before what the expressions print
    this.finish(cell, outcome, await this.expressions(cell), asked ? undefined : result);
  }

  private show(result: CellResult): void {
    flush();
    sendTogether([result]);
  }

  private finish(
    cell: CellRun,
    outcome: Outcome,
    expressions: Record<string, ExpressionResult> = {},
    result?: CellResult,
  ): void {
    if (cell.over) return;
    uninterrupted(() => this.conclude(cell, outcome, expressions, result));
    if ("error" in outcome && outcome.interrupted) this.renew();
  }

  private conclude(
    cell: CellRun,
    outcome: Outcome,
    expressions: Record<string, ExpressionResult>,
    result: CellResult | undefined,
  ): void {
    const { run } = cell.request;
    const error = "error" in outcome ? outcome.error : undefined;
    flush();
    const done = { type: "done" as const, run, expressions, payload: takePayload(run) };
    try {
      sendTogether([...(result ? [result] : []), { ...done, ...(error ? { error } : {}) }]);
    } catch (unsendable) {
      sendTogether([{ ...done, expressions: {}, error: reportError(unsendable) }]);
    }
    cell.over = true;
    this.current = undefined;
    allowInput(run, false);
    enterRun(NO_RUN);
  }

  /**
   * The evaluation that was given up goes with its session. Else its promise, once collected, is reported from inside of the
   * collector, which ends the process in Node 21 to 23. In this order: a termination that strikes here leaves one that works.
   */
  private renew(): void {
    const before = this.session;
    this.session = connected();
    before.disconnect();
  }

  private async evaluateAndRender(request: RunRequest): Promise<{ outcome: Outcome; result?: CellResult }> {
    const { run } = request;
    const outcome = await this.evaluate(request.code, request.name);
    await endMagics(run);
    if ("error" in outcome) return { outcome };
    try {
      const shown = request.hasResult && !request.silent && outcome.present;
      const data = shown ? await withRun(run, () => render(outcome.value)) : null;
      if (hasPendingDisplays(run)) await displaysSettled(run);
      return data ? { outcome, result: { type: "result", run, data, metadata: {} } } : { outcome };
    } catch (error) {
      return { outcome: { error: reportError(error) } };
    }
  }

  private async expressions(cell: CellRun): Promise<Record<string, ExpressionResult>> {
    const results: Record<string, ExpressionResult> = {};
    for (const [name, code] of Object.entries(cell.request.expressions)) {
      if (cell.over) break;
      const outcome = await this.evaluate(code, `expression:${name}`);
      if ("error" in outcome) results[name] = { status: "error", ...outcome.error };
      else
        try {
          results[name] = { status: "ok", data: (await render(outcome.value)) ?? {}, metadata: {} };
        } catch (error) {
          results[name] = { status: "error", ...reportError(error) };
        }
    }
    return results;
  }

  private evaluate(code: string, name: string): Promise<Outcome> {
    return new Promise((resolve) => {
      const evaluation = () =>
        this.session.post(
          "Runtime.evaluate",
          {
            expression: `${code}\n//# sourceURL=${name}`,
            replMode: true,
            awaitPromise: true,
            objectGroup: name,
            // Else V8 would report the error a second time; a debugger wants it where it is thrown.
            silent: !isDebugged(),
          } as Runtime.EvaluateParameterType,
          (error, reply) => {
            if (error) resolve(this.refused(error));
            else if (reply.exceptionDetails) resolve({ error: this.thrown(reply.exceptionDetails, name) });
            else resolve({ value: this.value(reply.result), present: reply.result.type !== "undefined" });
            this.session.post("Runtime.releaseObjectGroup", { objectGroup: name });
          },
        );
      readersCode(evaluation);
    });
  }

  /** The inspector ended the evaluation itself. */
  private refused(error: Error): Outcome {
    const { message } = error;
    if (message.includes("terminated")) return { error: INTERRUPTED, interrupted: true };
    if (message.includes("collected"))
      return {
        error: {
          ename: "NeverSettled",
          evalue: "The promise that the cell awaits can never settle: nothing refers to it any more.",
          traceback: [
            "NeverSettled: the promise that the cell awaits can never settle: nothing refers to it any more.",
          ],
        },
      };
    return { error: { ename: "EvaluationError", evalue: message, traceback: [message] } };
  }

  private thrown(details: Runtime.ExceptionDetails, name: string): ErrorReport {
    const error = details.exception ? this.value(details.exception) : new Error(details.text);
    const report = reportError(error);
    // An early error has no frame in the cell: V8 gives its place beside it.
    if (error instanceof SyntaxError && !String(error.stack).includes(`${name}:`)) {
      const position = originalPosition(name, details.lineNumber + 1, details.columnNumber + 1);
      if (position && position.script.source !== "") return reportAt(report.ename, report.evalue, position);
    }
    return report;
  }

  private value(remote: Runtime.RemoteObject): unknown {
    if (remote.objectId === undefined) return primitive(remote);
    this.session.post("Runtime.callFunctionOn", {
      functionDeclaration: `function (value) { ${RUNTIME}.take(value); }`,
      objectId: remote.objectId,
      arguments: [{ objectId: remote.objectId }],
      silent: true,
    });
    const value = taken;
    taken = undefined;
    return value;
  }
}

function connected(): Session {
  const session = new Session();
  session.connect();
  return session;
}

function primitive(remote: Runtime.RemoteObject): unknown {
  const text = remote.unserializableValue;
  if (text === undefined) return remote.subtype === "null" ? null : remote.value;
  return text.endsWith("n") ? BigInt(text.slice(0, -1)) : Number(text);
}
