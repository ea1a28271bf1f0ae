/** A few lines of source with a caret under the place in question. */

const CONTEXT = 2;
const MAX_WIDTH = 160;

/** `cell:3` is shown as `Cell [3]`, a cell without a number as `Cell [*]`, a module of the reader's by its own name. */
export function cellTitle(name: string): string {
  return name.replace(
    /^cell:(\d+)(?:@\d+)?(\.\d+)?$/,
    (_, count, unnumbered) => `Cell [${unnumbered ? "*" : count}]`,
  );
}

/** @param line from 1. @param column from 1. @param length characters to underline, at least 1. */
export function codeFrame(source: string, line: number, column: number, length = 1): string {
  const lines = source.split(/\r?\n/);
  const first = Math.max(1, line - CONTEXT);
  const last = Math.min(lines.length, line + CONTEXT);
  const width = String(last).length;
  const out: string[] = [];
  for (let number = first; number <= last; number++) {
    const text = lines[number - 1] ?? "";
    const marker = number === line ? ">" : " ";
    const shown = text.length > MAX_WIDTH ? `${text.slice(0, MAX_WIDTH)}…` : text;
    out.push(`${marker} ${String(number).padStart(width)} | ${shown}`.trimEnd());
    if (number !== line || column > MAX_WIDTH) continue;
    const before = text.slice(0, column - 1).replace(/[^\t]/g, " ");
    const carets = Math.max(1, Math.min(length, text.length - column + 1));
    out.push(`  ${" ".repeat(width)} | ${before}${"^".repeat(carets)}`);
  }
  return out.join("\n");
}
