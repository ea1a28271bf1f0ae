/** Whether Enter should run the code or open a new line: is_complete_request. */
import ts = require("typescript");

import type { Completeness } from "./service.js";

/** Errors that more text can repair wherever they stand: an unterminated template, an unterminated comment. */
const OPEN_ENDED = new Set([1160, 1010]);
/** An unterminated string: a line break cannot be part of it. */
const NEVER_OPEN = 1002;
const INDENT = "  ";

export function completeness(text: string): Completeness {
  const { diagnostics = [] } = ts.transpileModule(text, {
    reportDiagnostics: true,
    compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext },
  });
  const [first] = diagnostics.filter(({ category }) => category === ts.DiagnosticCategory.Error);
  if (!first) return { status: "complete" };
  const end = text.trimEnd().length;
  const atEnd = first.code !== NEVER_OPEN && (first.start ?? 0) >= end;
  if (atEnd || OPEN_ENDED.has(first.code)) return { status: "incomplete", indent: nextIndent(text) };
  return { status: "invalid" };
}

/** The last line's indentation, one step deeper after an opening bracket. */
function nextIndent(text: string): string {
  const last = text.trimEnd().split("\n").at(-1) ?? "";
  const indent = /^\s*/.exec(last)![0];
  return /[{([]$|=>$/.test(last) ? indent + INDENT : indent;
}
