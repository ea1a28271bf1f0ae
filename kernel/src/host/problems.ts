/** Problems that the checker or the parser found, as the error that the reader sees. */

import type { CellSyntaxError } from "../compile/cell.js";
import { cellTitle, codeFrame } from "../compile/code-frame.js";
import type { ErrorReport } from "../link/messages.js";
import type { Problem } from "../types/service.js";

const MAX_SHOWN = 10;

export function problemsReport(problems: readonly Problem[], source: string, cell: string): ErrorReport {
  const syntax = problems.some((problem) => problem.syntax);
  const shown = syntax ? problems.filter((problem) => problem.syntax) : problems;
  const ename = syntax ? "SyntaxError" : "TypeScriptError";
  const first = shown[0]!;
  const traceback = shown
    .slice(0, MAX_SHOWN)
    .flatMap((problem) => [
      `${ename}: ${problem.message} (TS${problem.code})`,
      `${cellTitle(cell)}, line ${problem.line}:${problem.column}`,
      codeFrame(source, problem.line, problem.column, problem.length),
      "",
    ]);
  if (shown.length > MAX_SHOWN) traceback.push(`… and ${shown.length - MAX_SHOWN} more`);
  else traceback.pop();
  return { ename, evalue: `${first.message} (line ${first.line}:${first.column})`, traceback };
}

export function syntaxReport(
  error: Pick<CellSyntaxError, "name" | "message" | "line" | "column">,
  source: string,
  cell: string,
): ErrorReport {
  const { name, message, line, column } = error;
  return {
    ename: name,
    evalue: `${message} (line ${line}:${column})`,
    traceback: [
      `${name}: ${message}`,
      `${cellTitle(cell)}, line ${line}:${column}`,
      codeFrame(source, line, column),
    ],
  };
}
