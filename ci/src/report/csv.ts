/** Tables for spreadsheets: RFC 4180, and no cell that a spreadsheet would take for a formula. */
import { stringify } from "csv-stringify/sync";

export type CsvCell = string | number | undefined;

/**
 * Text that begins like a formula gets an apostrophe before it, which spreadsheets do not show; numbers stay numbers. A
 * line break inside a cell is kept in quotes.
 */
export function asCsv(rows: readonly (readonly CsvCell[])[]): string {
  return stringify(
    rows.map((row) => row.map(guarded)),
    { record_delimiter: "\r\n", quoted_match: /[\r\n\t]/ },
  );
}

// OWASP's list, and the full-width forms that some programs read as their ASCII twins. A formula may hide behind spaces.
const FORMULA = /^[\s\p{Cc}\p{Cf}]*[=+\-@|%＝＋－＠]|^[\t\r\n]/u;

function guarded(cell: CsvCell): string {
  if (cell === undefined) return "";
  if (typeof cell === "number") return Number.isFinite(cell) ? String(cell) : "";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  const text = cell.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f]/g, " ");
  return FORMULA.test(text) ? `'${text}` : text;
}
