/** From whatever a cell threw to `ename`, `evalue` and a traceback in the reader's own lines. */
import { inspect } from "node:util";
import { cellTitle, codeFrame } from "../compile/code-frame.js";
import type { ErrorReport } from "../link/messages.js";
import { cellFrames, originalPosition, type Position } from "./positions.js";

const MAX_FRAMES = 30;
const MAX_CAUSES = 4;

export function reportError(thrown: unknown): ErrorReport {
  if (!isErrorLike(thrown)) {
    const evalue = typeof thrown === "string" ? thrown : safeInspect(thrown);
    return { ename: "Uncaught", evalue, traceback: [`Uncaught ${safeInspect(thrown)}`] };
  }
  const ename = text(() => thrown.name, "Error");
  const evalue = text(() => thrown.message, "");
  return { ename, evalue, traceback: traceback(thrown, 0) };
}

/** A syntax error that V8 itself found when it compiled the cell. */
export function reportAt(ename: string, evalue: string, position: Position): ErrorReport {
  return { ename, evalue, traceback: [`${ename}: ${evalue}`, "", framed(position)] };
}

export { originalPosition };

function traceback(error: Error, depth: number): string[] {
  const stack = text(() => error.stack ?? "", "");
  const heading = `${text(() => error.name, "Error")}: ${text(() => error.message, "")}`;
  const at = stack.search(/\n {4}at /);
  const frames = at < 0 ? [] : stack.slice(at + 1).split("\n");
  const lines = [at > 0 ? stack.slice(0, at) : heading];
  const [position] = cellFrames(error);
  if (position) lines.push("", framed(position), "");
  lines.push(...frames.slice(0, MAX_FRAMES));
  if (frames.length > MAX_FRAMES) lines.push(`    … ${frames.length - MAX_FRAMES} more frames`);
  const details = ownDetails(error);
  if (details) lines.push(details);
  const nested = error instanceof AggregateError ? error.errors.slice(0, MAX_CAUSES) : [];
  for (const inner of nested)
    if (isErrorLike(inner) && depth < 2) lines.push("", ...traceback(inner, depth + 1));
  if (error.cause !== undefined && depth < MAX_CAUSES)
    lines.push(
      "",
      "Caused by:",
      ...(isErrorLike(error.cause) ? traceback(error.cause, depth + 1) : [safeInspect(error.cause)]),
    );
  return lines;
}

function framed({ script, line, column }: Position): string {
  return `${cellTitle(script.name)}, line ${line}:\n${codeFrame(script.source, line, column)}`;
}

function ownDetails(error: Error): string {
  const hidden = new Set(["stack", "message", "name", "cause", "errors"]);
  const own = Object.entries(error).filter(([key]) => !hidden.has(key));
  return own.length === 0 ? "" : safeInspect(Object.fromEntries(own));
}

function isErrorLike(value: unknown): value is Error {
  return (
    value instanceof Error ||
    (typeof value === "object" &&
      value !== null &&
      text(() => (value as Error).stack ?? "", "") !== "" &&
      typeof (value as Error).message === "string")
  );
}

/** Getters of a hostile error may throw or return anything. */
function text(read: () => unknown, otherwise: string): string {
  try {
    const value = read();
    return typeof value === "string" ? value : String(value);
  } catch {
    return otherwise;
  }
}

function safeInspect(value: unknown): string {
  try {
    return inspect(value, { depth: 3, colors: false });
  } catch (error) {
    return `[value that cannot be shown: ${text(() => (error as Error).message, "unknown reason")}]`;
  }
}
