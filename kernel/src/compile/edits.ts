/**
 * A list of text replacements, and the record of how they moved columns.
 * The record travels with the code, so that a stack trace can be brought back to the column that the reader sees.
 */

/** In generated line `line` (from 0), text from column `column` on was moved right by `shift` characters. */
export interface Shift {
  line: number;
  column: number;
  shift: number;
}

interface Edit {
  start: number;
  end: number;
  text: string;
}

export class Edits {
  private readonly list: Edit[] = [];

  replace(start: number, end: number, text: string): void {
    this.list.push({ start, end, text });
  }

  insert(at: number, text: string): void {
    this.replace(at, at, text);
  }

  /** Overwrites with spaces, keeping line breaks, so that nothing behind it moves. */
  blank(source: string, start: number, end: number): void {
    this.replace(start, end, source.slice(start, end).replace(/[^\r\n]/g, " "));
  }

  /** Applies the edits. Replaced text must not gain or lose line breaks. */
  apply(source: string): { code: string; shifts: Shift[] } {
    const shifts: Shift[] = [];
    let code = "";
    let from = 0;
    for (const { start, end, text } of this.list.sort((a, b) => a.start - b.start || a.end - b.end)) {
      code += source.slice(from, start) + text;
      from = end;
      if (text.length !== end - start)
        shifts.push({ ...position(code, code.length), shift: text.length - (end - start) });
    }
    return { code: code + source.slice(from), shifts };
  }
}

/** The column before the edits, of a column after them. */
export function unshift(shifts: readonly Shift[], line: number, column: number): number {
  let moved = 0;
  for (const shift of shifts) if (shift.line === line && shift.column <= column) moved += shift.shift;
  return Math.max(0, column - moved);
}

function position(text: string, offset: number): { line: number; column: number } {
  let line = 0;
  let start = 0;
  for (let at = text.indexOf("\n"); at >= 0 && at < offset; at = text.indexOf("\n", at + 1)) {
    line++;
    start = at + 1;
  }
  return { line, column: offset - start };
}
